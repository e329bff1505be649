//! One of those who share a call.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use aisix_core::{
    BoxError, Error, ErrorKind,
    body::Body,
    reply::Reply,
    wire::{Dialect, ErrorBody, write_error_event},
};
use bytes::Bytes;
use http::Response;
use http_body::Frame;

use super::{
    Flight,
    cabin::{End, Head, Next},
};

/// One of those who share a call.
pub(in super::super) struct Passenger {
    flight: Arc<Flight>,
    ticket: u64,
}

/// A shared stream, from its beginning, for one of those who share it.
struct Stream {
    passenger: Passenger,
    dialect: Dialect,
    /// How many pieces it has had.
    seen: usize,
    is_over: bool,
}

// === impl Passenger ===

impl Passenger {
    /// The ticket of whose call it is.
    pub(super) const FIRST: u64 = 0;

    pub(super) fn new(flight: Arc<Flight>) -> Self {
        let ticket = flight.ticket();
        Self { flight, ticket }
    }

    /// Whether it is its own call that is shared.
    pub(in super::super) fn is_first(&self) -> bool {
        self.ticket == Self::FIRST
    }

    pub(in super::super) fn flight(&self) -> &Arc<Flight> {
        &self.flight
    }

    /// Waits for the answer. A stream begins at its beginning, whenever one has joined.
    ///
    /// # Errors
    ///
    /// What the call was refused with, for all who waited.
    pub(in super::super) async fn reply(self, dialect: Dialect) -> Result<Reply, Error> {
        let head = poll_fn(|cx| {
            self.flight
                .poll(self.ticket, cx, |cabin| match cabin.head.as_ref()? {
                    Ok(head) => Some(Ok(head.clone())),
                    Err(error) => Some(Err(error.duplicate())),
                })
        });
        let head = head.await?;
        let own = match self.is_first() {
            true => self.flight.cabin.lock().reply.take(),
            false => None,
        };
        Ok(match (own, &head.whole) {
            (Some(reply), Some(_)) => reply,
            (Some(reply), None) => reply.map_body(|_| self.stream(dialect)),
            (None, Some(whole)) => joined(&head, whole.clone().into()),
            (None, None) => joined(&head, self.stream(dialect)),
        })
    }

    fn stream(self, dialect: Dialect) -> Body {
        Body::new(Stream {
            passenger: self,
            dialect,
            seen: 0,
            is_over: false,
        })
    }
}

impl Drop for Passenger {
    fn drop(&mut self) {
        self.flight.leave(self.ticket);
    }
}

/// The reply for one who has joined.
fn joined(head: &Head, body: Body) -> Reply {
    let mut response = Response::new(body);
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers.clone();
    Reply::from_response(response)
}

// === impl Stream ===

impl Stream {
    /// What becomes of a piece, or the end.
    fn take(&mut self, next: Next) -> Option<Result<Frame<Bytes>, BoxError>> {
        self.is_over = !matches!(next, Next::Piece(_));
        match next {
            Next::Piece(piece) => {
                self.seen += 1;
                Some(Ok(Frame::data(piece)))
            }
            Next::End(End::Complete) => None,
            Next::End(End::Broken) => {
                let broken = Error::new(ErrorKind::Aborted, "the shared stream broke off");
                Some(Err(broken.into()))
            }
            Next::Missed => {
                let said = ErrorBody {
                    status: 502,
                    message: "the stream is shared and was read too slowly",
                    kind: "upstream_error",
                    code: None,
                    param: None,
                };
                Some(Ok(Frame::data(write_error_event(self.dialect, &said))))
            }
        }
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if this.is_over {
            return Poll::Ready(None);
        }
        let (flight, ticket, seen) = (&this.passenger.flight, this.passenger.ticket, this.seen);
        let next = ready!(flight.poll(ticket, cx, |cabin| cabin.next(seen)));
        Poll::Ready(this.take(next))
    }
}
