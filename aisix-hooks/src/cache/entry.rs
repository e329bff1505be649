//! An answer that is kept.

use std::time::{Duration, UNIX_EPOCH};

use aisix_core::{
    call::Call,
    reply::Reply,
    wire::{
        Usage,
        chat::{WriteContext, reform},
    },
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response,
    header::{AGE, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_TYPE},
};
use tokio::time::Instant;

use super::form::Form;

/// An answer that is kept.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The headers that tell about the body.
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The tokens that the upstream told.
    pub(super) usage: Option<Usage>,
    /// Since when it is kept.
    pub(super) since: Instant,
}

/// What an entry takes beside its body, in bytes, about.
const OVERHEAD: usize = 1_024;

// === impl Entry ===

impl Entry {
    /// The headers that are kept. Those that tell of the upstream's limits are old news later.
    pub(super) const KEPT: [HeaderName; 4] = [
        CONTENT_TYPE,
        CONTENT_LANGUAGE,
        HeaderName::from_static("x-aisix-fidelity"),
        HeaderName::from_static("x-aisix-dropped-params"),
    ];

    pub(super) fn new(headers: HeaderMap, body: Bytes, usage: Option<Usage>) -> Self {
        Self {
            headers,
            body,
            usage,
            since: Instant::now(),
        }
    }

    /// The headers of a reply that are kept.
    pub(super) fn headers_of(reply: &Reply) -> HeaderMap {
        let mut kept = HeaderMap::new();
        for name in Self::KEPT {
            if let Some(value) = reply.headers().get(&name) {
                kept.insert(name, value.clone());
            }
        }
        kept
    }

    /// The same answer in another form, as `call` wants it; `None` when something would be lost.
    pub(super) fn reformed(&self, from: Form, to: Form, call: &Call) -> Option<Self> {
        let context = WriteContext {
            model: call.requested_model(),
            created: UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs()),
            request_id: call.trail().request_id().to_str().unwrap_or_default(),
            include_usage: to.has_usage(),
            request: call.bytes(),
        };
        let answer = (from.of_answer(), &self.body);
        let dialect = call.inbound.operation.dialect;
        let body = reform(dialect, answer, to.of_answer(), self.usage, &context)?;
        let mut entry = Self {
            body,
            ..self.clone()
        };
        let kind = HeaderValue::from_static(match to.is_stream() {
            true => "text/event-stream",
            false => "application/json",
        });
        entry.headers.insert(CONTENT_TYPE, kind);
        Some(entry)
    }

    /// How much memory it takes, in bytes, about.
    pub(super) fn weight(&self) -> u32 {
        u32::try_from(self.body.len() + OVERHEAD).unwrap_or(u32::MAX)
    }

    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    /// The answer, once more.
    pub(super) fn reply(&self) -> Reply {
        let mut response = Response::new(self.body.clone().into());
        *response.headers_mut() = self.headers.clone();
        let mut reply = Reply::from_response(response);
        if reply.is_event_stream() {
            let value = HeaderValue::from_static("no-cache");
            reply.headers_mut().insert(CACHE_CONTROL, value);
        }
        let age = HeaderValue::from(self.age().as_secs());
        reply.headers_mut().insert(AGE, age);
        reply
    }
}
