//! What a connection is doing, so that each kind of silence has its own limit.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use aisix_core::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// Counts a connection's requests. Written by whoever reads and serves them, read by its driver.
#[derive(Debug)]
pub(super) struct Pulse {
    begun: AtomicUsize,
    ended: AtomicUsize,
    /// Bytes came since the last request began.
    heard: AtomicBool,
    /// How often bytes were sent.
    sent: AtomicUsize,
}

/// What a connection is doing. Two that are equal are the same piece of waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Waits for a request, after this many.
    Idle(usize),
    /// Reads the head of a request, after this many.
    Head(usize),
    /// Serves a request.
    Busy,
}

/// Lasts as long as a request: until the last byte of its response was taken, or it was dropped.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Pulse>);

/// A response's body that keeps its request in flight.
#[derive(Debug)]
pub(super) struct Held {
    body: Body,
    _request: InFlight,
}

// === impl Pulse ===

impl Pulse {
    /// The pulse of a new connection. `reading`: the first head is on its way already.
    pub(super) fn new(reading: bool) -> Arc<Self> {
        Arc::new(Self {
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            heard: AtomicBool::new(reading),
            sent: AtomicUsize::new(0),
        })
    }

    /// Bytes came. During a request they are its body's.
    pub(super) fn hear(&self) {
        if self.begun.load(Relaxed) == self.ended.load(Relaxed) {
            self.heard.store(true, Relaxed);
        }
    }

    /// Bytes were sent.
    pub(super) fn send(&self) {
        self.sent.fetch_add(1, Relaxed);
    }

    /// How often bytes were sent: a number that changes when the client takes some.
    pub(super) fn sent(&self) -> usize {
        self.sent.load(Relaxed)
    }

    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.heard.store(false, Relaxed);
        self.begun.fetch_add(1, Relaxed);
        InFlight(self.clone())
    }

    /// What the connection is doing.
    pub(super) fn pace(&self) -> Pace {
        let begun = self.begun.load(Relaxed);
        if begun != self.ended.load(Relaxed) {
            Pace::Busy
        } else if self.heard.load(Relaxed) {
            Pace::Head(begun)
        } else {
            Pace::Idle(begun)
        }
    }
}

// === impl InFlight ===

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Relaxed);
    }
}

// === impl Held ===

impl Held {
    /// Ties `body` to its request.
    pub(super) fn new(body: Body, request: InFlight) -> Self {
        Self {
            body,
            _request: request,
        }
    }
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = aisix_core::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
