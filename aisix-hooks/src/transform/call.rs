//! What happens to a call.

use std::sync::Arc;

use aisix_core::{
    Error, ErrorKind,
    body::Body,
    call::{Call, Trail},
    hook::Next,
    reply::Reply,
    wire::PatchError,
};
use bytes::Bytes;
use http::HeaderMap;

use super::{body::Patch, headers::HeaderPatch};
use crate::request_body;

/// The transform, compiled.
pub(super) struct Transformed {
    pub(super) id: String,
    pub(super) request_headers: HeaderPatch,
    pub(super) response_headers: HeaderPatch,
    pub(super) request_body: Patch,
    pub(super) response_body: Patch,
    /// Whether bodies are refused that their patch does not fit.
    pub(super) refuses: bool,
}

// === impl Transformed ===

impl Transformed {
    /// Whether it does nothing.
    pub(super) fn is_empty(&self) -> bool {
        let headers = [&self.request_headers, &self.response_headers];
        let bodies = [&self.request_body, &self.response_body];
        headers.iter().all(|patch| patch.is_empty()) && bodies.iter().all(|patch| patch.is_empty())
    }

    pub(super) async fn run(self: Arc<Self>, mut call: Call, next: Next) -> Result<Reply, Error> {
        if !self.request_headers.is_empty() {
            self.send_headers(&mut call);
        }
        if !self.request_body.is_empty() {
            self.send_body(&mut call)?;
        }
        let trail = call.trail().clone();
        match next.run(call).await {
            Ok(reply) => self.answer(reply, &trail),
            Err(error) => Err(self.refusal(error, &trail)),
        }
    }

    fn send_headers(&self, call: &mut Call) {
        let trail = call.trail().clone();
        let head = Arc::make_mut(&mut call.inbound.head);
        self.request_headers.apply(&mut head.headers, &trail);
        for name in self.request_headers.names() {
            call.upstream_headers.remove(name);
            for value in head.headers.get_all(name) {
                call.upstream_headers.append(name.clone(), value.clone());
            }
        }
    }

    fn send_body(&self, call: &mut Call) -> Result<(), Error> {
        let patched = self.request_body.apply(call.bytes(), call.trail());
        let body = match patched {
            Ok(body) => body,
            Err(error) => {
                let kind = ErrorKind::InvalidRequest;
                return self.mismatch(kind, "request", error, call.trail());
            }
        };
        request_body::replace(call, body).map_err(|error| {
            let message = format!("after transform '{}': {}", self.id, error.message());
            match error.param() {
                Some(param) => Error::invalid(param.to_owned(), message),
                None => Error::new(ErrorKind::InvalidRequest, message),
            }
        })
    }

    fn answer(&self, mut reply: Reply, trail: &Trail) -> Result<Reply, Error> {
        self.response_headers.apply(reply.headers_mut(), trail);
        if self.response_body.is_empty() {
            return Ok(reply);
        }
        let Some(body) = reply.body_bytes().filter(|_| !reply.is_event_stream()) else {
            trail.mark("transform_skipped", format!("{}: a stream", self.id));
            return Ok(reply);
        };
        let body = Bytes::copy_from_slice(body);
        match self.response_body.apply(&body, trail) {
            Ok(body) => Ok(reply.map_body(|_| Body::full(body))),
            Err(error) => {
                self.mismatch(ErrorKind::Decode, "response", error, trail)?;
                Ok(reply)
            }
        }
    }

    /// A refusal from further in gets the headers that are set.
    fn refusal(&self, error: Error, trail: &Trail) -> Error {
        let mut headers = HeaderMap::new();
        self.response_headers.apply(&mut headers, trail);
        headers.iter().fold(error, |error, (name, value)| {
            error.with_header(name.clone(), value.clone())
        })
    }

    fn mismatch(
        &self,
        kind: ErrorKind,
        what: &str,
        error: PatchError,
        trail: &Trail,
    ) -> Result<(), Error> {
        if !self.refuses {
            trail.mark("transform_skipped", format!("{}: {error}", self.id));
            return Ok(());
        }
        let message = format!("the {what} does not fit transform '{}'", self.id);
        Err(Error::new(kind, message).with_source(error))
    }
}
