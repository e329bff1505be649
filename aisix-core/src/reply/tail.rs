//! The body wrapper that fires every callback exactly once.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use aisix_wire::Dialect;
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body as _, Frame, SizeHint};

use super::{End, Ending, Meter, Outcome, SharedProgress};
use crate::{
    BoxError,
    body::Body,
    error::{Error, ErrorKind},
};

type OnEnd = Box<dyn FnOnce(&Outcome<'_>) + Send>;

/// Callbacks that wait for the end of a reply.
///
/// Dropped without having been attached, it reports [`End::Cancelled`]: the reply never reached a
/// client.
pub(crate) struct Tail {
    callbacks: Vec<OnEnd>,
    progress: SharedProgress,
    refusal: Option<Error>,
    status: Option<StatusCode>,
    started: Instant,
}

struct TailBody {
    body: Body,
    tail: Tail,
}

// === impl Tail ===

impl Tail {
    pub(crate) fn new(progress: SharedProgress) -> Self {
        Self {
            callbacks: Vec::new(),
            progress,
            refusal: None,
            status: None,
            started: Instant::now(),
        }
    }

    pub(crate) fn refused(mut self, error: Error) -> Self {
        self.refusal = Some(error);
        self
    }

    pub(super) fn progress(&self) -> &SharedProgress {
        &self.progress
    }

    pub(super) fn meter(&self) -> Meter {
        Meter::new(self.progress.clone())
    }

    pub(super) fn ending(&self, dialect: Dialect) -> Ending {
        Ending::new(dialect, self.progress.clone())
    }

    pub(super) fn complete(&self) {
        self.progress.update(|state| state.complete = true);
    }

    pub(crate) fn push(&mut self, callback: OnEnd) {
        self.callbacks.push(callback);
    }

    /// Lets the end of `body` be the end of the reply.
    pub(crate) fn attach(mut self, body: Body, status: StatusCode, started: Instant) -> Body {
        if self.callbacks.is_empty() {
            return body;
        }
        self.status = Some(status);
        self.started = started;
        Body::stream(TailBody { body, tail: self })
    }

    fn fire(&mut self, how: How<'_>) {
        if self.callbacks.is_empty() {
            return;
        }
        let callbacks = std::mem::take(&mut self.callbacks);
        let state = self.progress.take();
        let how = match how {
            How::Dropped if state.complete => How::Complete,
            how => how,
        };
        let end = match (how, &state.failure, &self.refusal) {
            (How::Dropped, ..) => End::Cancelled,
            // What the body has noted says more than that it broke.
            (How::Complete | How::Failed(_), Some(failure), _) => End::Failed(failure),
            (How::Failed(error), None, _) => End::Failed(error),
            (How::Complete, None, Some(refusal)) => End::Refused(refusal),
            (How::Complete, None, None) => End::Complete,
        };
        let outcome = Outcome {
            end,
            status: self.status,
            usage: state.usage,
            usage_estimated: state.usage_estimated,
            first_token: state.first_token.map(|at| at - self.started),
            elapsed: self.started.elapsed(),
        };
        for callback in callbacks {
            callback(&outcome);
        }
    }
}

enum How<'a> {
    Complete,
    Failed(&'a Error),
    Dropped,
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.fire(How::Dropped);
    }
}

// === impl TailBody ===

impl http_body::Body for TailBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        match &frame {
            None => this.tail.fire(How::Complete),
            Some(Err(error)) => {
                let error = Error::new(ErrorKind::Transport, "the reply broke")
                    .with_source(error.to_string());
                this.tail.fire(How::Failed(&error));
            }
            // A server that knows the length does not ask for the end.
            Some(Ok(_)) if this.body.is_end_stream() => this.tail.fire(How::Complete),
            Some(Ok(_)) => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TailBody {
    fn drop(&mut self) {
        // An empty body is never polled, and yet complete.
        if self.body.is_end_stream() {
            self.tail.fire(How::Complete);
        }
    }
}

#[cfg(test)]
mod tests;
