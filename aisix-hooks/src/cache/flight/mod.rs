//! One call for all who ask for the same at the same time.
//!
//! Nothing runs on its own: the call is driven by whoever waits for it and is polled first. When the one who drives leaves,
//! all others are woken, and one of them goes on; when the last one leaves, the call is dropped, and so the upstream
//! is hung up on.

mod bell;
mod cabin;
mod passenger;

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use aisix_core::{Error, ErrorKind, body::Body, reply::Reply, wire::Usage};
use bytes::Bytes;
use foldhash::fast::RandomState;
use http_body::Body as _;
use parking_lot::Mutex;

use self::passenger::Passenger;
use self::{
    bell::Bell,
    cabin::{Cabin, End, Head},
};
use super::{entry::Entry, keep::Answer, key::Key};

/// Calls that are under way, by what they ask for. There are never more than callers who wait.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Key, Weak<Flight>, RandomState>>);

/// A call that several share.
pub(super) struct Flight {
    key: Key,
    flights: Weak<Flights>,
    /// Who drives it holds this; nobody waits for it.
    engine: Mutex<Option<Engine>>,
    cabin: Mutex<Cabin>,
    bell: Arc<Bell>,
    tickets: AtomicU64,
    max_held: usize,
}

/// What is still to come; gone when everything has, or when it panicked.
enum Engine {
    Head(Departure),
    Body(Body),
}

/// A call that has not been made yet.
pub(super) type Departure = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;

// === impl Flights ===

impl Flights {
    /// Joins the call under way for `key`, or makes it. Of a stream no more than `max_held` bytes are kept for
    /// those who are slower than the fastest, or come late.
    pub(super) fn board(
        self: &Arc<Self>,
        key: Key,
        max_held: usize,
        depart: impl FnOnce() -> Departure,
    ) -> Passenger {
        let mut flights = self.0.lock();
        if let Some(flight) = flights.get(&key).and_then(Weak::upgrade) {
            return Passenger::new(flight);
        }
        let flight = Arc::new(Flight {
            key,
            flights: Arc::downgrade(self),
            engine: Mutex::new(Some(Engine::Head(depart()))),
            cabin: Mutex::default(),
            bell: Arc::default(),
            tickets: AtomicU64::new(0),
            max_held,
        });
        flights.insert(key, Arc::downgrade(&flight));
        Passenger::new(flight)
    }

    /// Lets nobody join a call any more.
    fn close(&self, key: &Key, flight: *const Flight) {
        let mut flights = self.0.lock();
        let is_known = flights.get(key).map(Weak::as_ptr) == Some(flight);
        if is_known {
            flights.remove(key);
        }
    }

    fn has(&self, key: &Key, flight: *const Flight) -> bool {
        self.0.lock().get(key).map(Weak::as_ptr) == Some(flight)
    }
}

// === impl Flight ===

impl Flight {
    /// Lets nobody join any more.
    pub(super) fn close(&self) {
        if let Some(flights) = self.flights.upgrade() {
            flights.close(&self.key, self);
        }
    }

    /// Whether somebody may still join.
    pub(super) fn is_open(&self) -> bool {
        let flights = self.flights.upgrade();
        flights.is_some_and(|flights| flights.has(&self.key, self))
    }

    /// The answer and what it used, if all of it has come and nothing was let go of.
    pub(super) fn answer(&self) -> Option<(Answer, Option<Usage>)> {
        let cabin = self.cabin.lock();
        let Some(Ok(head)) = &cabin.head else {
            return None;
        };
        let answer = match &head.whole {
            Some(whole) => Answer::Whole(whole.clone()),
            None => Answer::Stream(cabin.stream()?),
        };
        Some((answer, head.meter.usage()))
    }

    /// Waits until `look` finds something, and drives the call meanwhile.
    fn poll<T>(
        &self,
        ticket: u64,
        cx: &mut Context<'_>,
        mut look: impl FnMut(&mut Cabin) -> Option<T>,
    ) -> Poll<T> {
        loop {
            // Before looking, so that nothing comes unheard in between.
            self.bell.hear(ticket, cx.waker());
            if let Some(found) = look(&mut self.cabin.lock()) {
                return Poll::Ready(found);
            }
            // Whoever drives rings when something has come, and when it leaves.
            let Some(mut engine) = self.engine.try_lock() else {
                return Poll::Pending;
            };
            if self.drive(&mut engine).is_pending() {
                return Poll::Pending;
            }
            drop(engine);
            self.bell.ring();
        }
    }

    /// Goes on with the call until something has come.
    fn drive(&self, engine: &mut Option<Engine>) -> Poll<()> {
        let waker = Waker::from(self.bell.clone());
        let mut cx = Context::from_waker(&waker);
        // Taken out while it is polled: what has panicked is not polled again.
        match engine.take() {
            None => self.stop(),
            Some(Engine::Head(mut departure)) => match departure.as_mut().poll(&mut cx) {
                Poll::Pending => {
                    *engine = Some(Engine::Head(departure));
                    return Poll::Pending;
                }
                Poll::Ready(Ok(reply)) => *engine = self.arrive(reply),
                Poll::Ready(Err(error)) => {
                    self.close();
                    self.cabin.lock().head = Some(Err(error));
                }
            },
            Some(Engine::Body(mut body)) => match Pin::new(&mut body).poll_frame(&mut cx) {
                Poll::Pending => {
                    *engine = Some(Engine::Body(body));
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(piece) = frame.into_data() {
                        self.push(piece);
                    }
                    match body.is_end_stream() {
                        true => self.cabin.lock().end(End::Complete),
                        false => *engine = Some(Engine::Body(body)),
                    }
                }
                Poll::Ready(None) => self.cabin.lock().end(End::Complete),
                Poll::Ready(Some(Err(_))) => self.stop(),
            },
        }
        Poll::Ready(())
    }

    /// Takes the head of the answer; what is left is its body.
    fn arrive(&self, reply: Reply) -> Option<Engine> {
        let is_stream = reply.is_event_stream();
        let whole = reply.shared_bytes().filter(|_| !is_stream);
        let head = Head {
            status: reply.status(),
            headers: Entry::headers_of(&reply),
            meter: reply.meter(),
            whole,
        };
        let mut rest = None;
        let reply = match head.whole {
            Some(_) => reply,
            None => reply.map_body(|body| {
                rest = Some(Engine::Body(body));
                Body::empty()
            }),
        };
        let mut cabin = self.cabin.lock();
        cabin.head = Some(Ok(head));
        // Without the first caller, its callbacks hear that it has left.
        let unwanted = match cabin.first_left {
            true => Some(reply),
            false => cabin.reply.replace(reply),
        };
        drop(cabin);
        drop(unwanted);
        rest
    }

    fn push(&self, piece: Bytes) {
        if self.cabin.lock().push(piece, self.max_held) {
            self.close();
        }
    }

    /// Nothing more will come.
    fn stop(&self) {
        self.close();
        let mut cabin = self.cabin.lock();
        match cabin.head {
            None => cabin.head = Some(Err(Error::new(ErrorKind::Internal, "a hook failed"))),
            Some(_) => cabin.end(End::Broken),
        }
    }

    fn ticket(&self) -> u64 {
        self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    /// A caller leaves.
    fn leave(&self, ticket: u64) {
        let unwanted = match ticket {
            Passenger::FIRST => {
                let mut cabin = self.cabin.lock();
                cabin.first_left = true;
                cabin.reply.take()
            }
            _ => None,
        };
        drop(unwanted);
        // Who was woken while this one drove has found the engine taken, and waits for another ring.
        self.bell.ring();
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.close();
    }
}
