//! What all questions have in common that are asked over HTTP.

use std::sync::Arc;

use ::http::{HeaderMap, HeaderValue, Request, Response, Uri, uri::PathAndQuery};

use super::probe::Bad;
use crate::{
    balance::health::Reason,
    body::Body,
    error::ErrorKind,
    replicas::{Replica, pool::Active},
    upstream::{Tls, Transport},
};

/// Sends questions.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) transport: Arc<dyn Transport>,
    /// How certificates are verified, if not in the usual way.
    pub(super) tls: Option<Arc<Tls>>,
}

/// A path at a replica, whatever its own is.
pub(super) fn uri(replica: &Replica, path: &str) -> Option<Uri> {
    let base: Uri = replica.base_url.parse().ok()?;
    let mut parts = base.into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    Uri::from_parts(parts).ok()
}

/// Sets the headers that are configured.
pub(super) fn set_headers(headers: &mut HeaderMap, active: &Active) {
    let own = &active.check.headers;
    for (name, template) in active.headers.iter().chain(own.iter()) {
        // There is no request that a variable could be of.
        let value = template.render(&|_| None);
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(name.clone(), value);
        }
    }
}

// === impl Sender ===

impl Sender {
    /// Sends a question; `None` is one that could not be put.
    pub(super) async fn send(&self, request: Option<Request<Body>>) -> Result<Response<Body>, Bad> {
        let mut request = request.ok_or_else(|| Bad::of(Reason::TransportError))?;
        if let Some(tls) = &self.tls {
            request.extensions_mut().insert(tls.clone());
        }
        let response = self.transport.send(request).await;
        response.map_err(|error| match error.kind() {
            ErrorKind::Timeout => Bad::of(Reason::RequestTimeout),
            _ => Bad::of(Reason::TransportError),
        })
    }
}
