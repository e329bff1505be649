//! Asking by a request of HTTP.

use std::pin::Pin;

use ::http::{HeaderValue, Request, Response, Uri, uri::PathAndQuery};
use bytes::BytesMut;
use http_body::Body as _;

use super::probe::{Bad, Found};
use crate::{
    balance::health::Reason,
    body::Body,
    error::ErrorKind,
    replicas::{Replica, pool::Active},
    upstream::Transport,
};

/// How much of a body is looked at, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Asks once.
pub(super) async fn ask(replica: &Replica, active: &Active, transport: &dyn Transport) -> Found {
    let request = request(replica, active).ok_or_else(|| Bad::of(Reason::TransportError))?;
    let response = transport.send(request).await;
    let response = response.map_err(|error| match error.kind() {
        ErrorKind::Timeout => Bad::of(Reason::RequestTimeout),
        _ => Bad::of(Reason::TransportError),
    })?;
    let status = Some(response.status());
    let bad = |reason| Bad { status, reason };
    if !active.check.expects(response.status().as_u16()) {
        let reason = match response.status().is_server_error() {
            true => Reason::UpstreamServerError,
            false => Reason::UnexpectedAnswer,
        };
        return Err(bad(reason));
    }
    if let Some(pattern) = &active.check.body_pattern {
        let text = text(response).await;
        let text = text.ok_or_else(|| bad(Reason::TransportError))?;
        if !pattern.is_found_in(&text) {
            return Err(bad(Reason::UnexpectedAnswer));
        }
    }
    Ok(status)
}

fn request(replica: &Replica, active: &Active) -> Option<Request<Body>> {
    let base: Uri = replica.base_url.parse().ok()?;
    let mut parts = base.into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(active.path.as_str()).ok()?);
    let mut request = Request::get(Uri::from_parts(parts).ok()?)
        .body(Body::empty())
        .ok()?;
    let own = &active.check.headers;
    for (name, template) in active.headers.iter().chain(own.iter()) {
        // There is no request that a variable could be of.
        let value = template.render(&|_| None);
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            request.headers_mut().insert(name.clone(), value);
        }
    }
    Some(request)
}

/// The beginning of a body; `None` if it broke.
async fn text(response: Response<Body>) -> Option<String> {
    let mut body = response.into_body();
    let mut read = BytesMut::new();
    while read.len() < MAX_BODY {
        let next = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
        let Some(frame) = next.await else {
            break;
        };
        if let Ok(data) = frame.ok()?.into_data() {
            let room = MAX_BODY - read.len();
            read.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Some(String::from_utf8_lossy(&read).into_owned())
}
