//! The answer to a call. It owns its end.

mod beside;
mod ending;
mod events;
mod meter;
mod outcome;
mod progress;
mod tail;

use std::{fmt, sync::Arc, time::Instant};

use aisix_wire::Dialect;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE, response::Parts};
use parking_lot::Mutex;

pub use self::{
    ending::Ending,
    events::EventStream,
    meter::Meter,
    outcome::{End, Outcome},
};
pub(crate) use self::{
    events::events,
    progress::{Behind, Progress, SharedProgress},
    tail::Tail,
};
use crate::{body::Body, error::Error};

/// The answer to a call: a head, a body, and what happens when the body ends.
///
/// The end is reported exactly once, whichever comes first: the last byte was handed over, the body
/// failed, or the reply was dropped, which means that the client left.
pub struct Reply {
    head: Parts,
    body: Body,
    tail: Tail,
}

/// The callbacks of a reply, in the extensions of a response.
#[derive(Clone)]
struct Deposit(Arc<Mutex<Option<Tail>>>);

// === impl Reply ===

impl Reply {
    /// A reply with a complete body.
    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let (mut head, ()) = http::Response::new(()).into_parts();
        head.status = status;
        head.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self {
            head,
            body: Body::full(body),
            tail: Tail::new(Progress::shared()),
        }
    }

    /// A reply from another service's response.
    pub fn from_response(response: http::Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            head,
            body,
            tail: Tail::new(Progress::shared()),
        }
    }

    pub(crate) fn with_progress(head: Parts, body: Body, progress: SharedProgress) -> Self {
        Self {
            head,
            body,
            tail: Tail::new(progress),
        }
    }

    /// An answer that is an error, already written in the caller's dialect.
    pub(crate) fn refused(head: Parts, body: Bytes, error: Error) -> Self {
        Self {
            head,
            body: Body::full(body),
            tail: Tail::new(Progress::shared()).refused(error),
        }
    }

    /// This reply as a response that keeps the callbacks for [`retrieve`](Self::retrieve). If it is
    /// dropped before, or loses its extensions, it counts as one that never reached a client.
    pub(crate) fn deposit(mut self) -> http::Response<Body> {
        let tail = Arc::new(Mutex::new(Some(self.tail)));
        self.head.extensions.insert(Deposit(tail));
        http::Response::from_parts(self.head, self.body)
    }

    /// A reply from a response, with the callbacks that it keeps.
    pub(crate) fn retrieve(mut response: http::Response<Body>) -> Self {
        let deposit = response.extensions_mut().remove::<Deposit>();
        let tail = deposit.and_then(|Deposit(tail)| tail.lock().take());
        let mut reply = Self::from_response(response);
        if let Some(tail) = tail {
            reply.tail = tail;
        }
        reply
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The headers, to be changed.
    pub fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.head.headers
    }

    /// Whether the body is a stream of events.
    pub fn is_event_stream(&self) -> bool {
        self.head
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("text/event-stream"))
    }

    /// The body, when it is complete already; `None` for streams.
    pub fn body_bytes(&self) -> Option<&[u8]> {
        self.body.as_bytes()
    }

    /// The same, sharing its memory.
    pub fn shared_bytes(&self) -> Option<Bytes> {
        self.body.to_bytes()
    }

    /// What tells the tokens that the reply uses.
    pub fn meter(&self) -> Meter {
        self.tail.meter()
    }

    /// What ends its stream early with an error, for those who look at its events; `dialect` is the caller's.
    pub fn ending(&self, dialect: Dialect) -> Ending {
        self.tail.ending(dialect)
    }

    /// Replaces the body of a complete reply, or wraps a streamed one.
    #[must_use]
    pub fn map_body(mut self, change: impl FnOnce(Body) -> Body) -> Self {
        self.body = change(self.body);
        self.head.headers.remove(http::header::CONTENT_LENGTH);
        self
    }

    /// Runs `callback` when the reply ends; see [`End`] for the endings.
    ///
    /// Callbacks run once, in the order in which they were added, on the thread that ends the body,
    /// and maybe inside `Drop`: they must neither block nor panic.
    pub fn on_end(&mut self, callback: impl FnOnce(&Outcome<'_>) + Send + 'static) {
        self.tail.push(Box::new(callback));
    }

    /// Puts `change` between the events of a stream and the client.
    ///
    /// Replies that are no event stream are left alone. Only a reply on which this is called pays for
    /// taking events apart; all others are passed through as bytes.
    #[must_use]
    pub fn map_events(mut self, change: impl FnOnce(EventStream) -> EventStream) -> Self {
        if self.is_event_stream() {
            self.body = events::map(self.body, change);
            self.head.headers.remove(http::header::CONTENT_LENGTH);
        }
        self
    }

    /// Whether it is a stream that has begun without anything being said: nothing but comments went out.
    pub(crate) fn is_silent(&self) -> bool {
        self.tail.progress().is_silent()
    }

    /// Says who stands behind a stream.
    pub(crate) fn stand(&self, behind: Behind) {
        self.tail.progress().update(|state| state.behind = behind);
    }

    /// Its head, and its body as a part of a greater one: what it comes to is added to `whole` when it ends. Its
    /// request began at `began`.
    pub(crate) fn into_part(mut self, whole: &SharedProgress, began: Instant) -> (Parts, Body) {
        let whole = whole.clone();
        self.on_end(move |outcome| whole.add(outcome, began));
        let body = self.tail.attach(self.body, self.head.status, began);
        (self.head, body)
    }

    /// Lets it end as one that has failed.
    pub(crate) fn fail(self, error: &Error) {
        self.tail.progress().update(|state| {
            state.failure = Some(error.duplicate());
            state.complete = true;
        });
    }

    /// Lets an answer that is here as a whole count as complete, whether or not anybody takes it.
    pub(crate) fn complete_if_whole(&self) {
        if self.body.as_bytes().is_some() {
            self.tail.complete();
        }
    }

    /// The finished HTTP response. From here on, dropping it means that the client left.
    pub fn into_response(self) -> http::Response<Body> {
        let started = Instant::now();
        self.into_response_since(started)
    }

    pub(crate) fn into_response_since(self, started: Instant) -> http::Response<Body> {
        let body = self.tail.attach(self.body, self.head.status, started);
        http::Response::from_parts(self.head, body)
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.head.status)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
