//! A request whose route has not taken effect yet.

use std::sync::Arc;

use aisix_wire::Dialect;
use http::{header::CONTENT_LENGTH, request::Parts};

use super::{Edge, Route, too_large};
use crate::{
    body::Body,
    call::{Arrival, Trail},
    config::Snapshot,
    error::{Error, ErrorKind},
};

/// A request whose configuration is pinned. Its route, or what its head is refused with, takes effect when
/// the hooks that stand before authentication have seen it.
pub(crate) struct Landed {
    pub(crate) head: Parts,
    pub(crate) body: Body,
    pub(crate) route: Result<Route, Error>,
    pub(crate) config: Arc<Snapshot>,
    pub(crate) trail: Trail,
}

// === impl Landed ===

impl Landed {
    /// The dialect of its caller.
    pub(crate) fn dialect(&self) -> Dialect {
        match &self.route {
            Ok(route) => route.dialect(&self.head),
            // What the path does not tell, its beginning may.
            Err(_) if self.head.uri.path().starts_with("/v1beta/") => Dialect::Gemini,
            Err(_) => Dialect::OpenAi,
        }
    }

    /// Lets the route take effect.
    pub(crate) fn arrive(self) -> Result<Arrival, Error> {
        Ok(Arrival {
            route: self.route?,
            head: self.head,
            body: self.body,
            config: self.config,
            trail: self.trail,
        })
    }
}

// === impl Edge ===

impl Edge {
    /// Checks what the head alone can say.
    pub(super) fn admit(&self, head: &Parts) -> Result<(), Error> {
        let mut lengths = head.headers.get_all(CONTENT_LENGTH).iter();
        if let Some(length) = lengths.next() {
            if lengths.next().is_some() {
                return Err(Error::new(
                    ErrorKind::InvalidRequest,
                    "more than one Content-Length header",
                ));
            }
            let limit = self.settings.body_limit();
            let length = length.to_str().ok().and_then(|text| text.parse().ok());
            if length.is_none_or(|length: u64| length > limit) {
                return Err(too_large(limit));
            }
        }
        Ok(())
    }

    /// Where a request goes that hooks have seen and maybe rewritten. What answers without a caller is out
    /// of their reach.
    pub(crate) fn route_after_hooks(&self, head: &Parts) -> Result<Route, Error> {
        self.admit(head)?;
        Route::look_up_again(&head.method, &head.uri)
    }
}
