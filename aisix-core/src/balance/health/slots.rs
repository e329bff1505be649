//! A limit of connections, and a queue before it.

use std::{collections::VecDeque, fmt, num::NonZeroU32, sync::Arc, time::Duration};

use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

use super::settings::bounded;
use crate::error::{Error, ErrorKind, Retry};

/// How many calls a target takes at a time, and how many may wait for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotLimits {
    /// How many calls are under way at a time.
    pub max_connections: NonZeroU32,
    /// How many more may wait. `0`: none.
    pub max_queue: u32,
    /// How long each may wait.
    pub queue_timeout: Duration,
}

/// The slots of a target, taken first come, first served.
///
/// The limits come with each call, and the latest ones apply: with fewer slots, those that are held stay so, and
/// there is none until enough were given back; with more, those that wait get them with the next call that comes or
/// ends.
pub struct Slots(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    limit: u32,
    held: u32,
    queue: VecDeque<Waiter>,
    last_ticket: u64,
}

struct Waiter {
    ticket: u64,
    sender: oneshot::Sender<Slot>,
}

/// One slot of [`Slots`], given back when dropped.
#[must_use = "the slot is given back when this is dropped"]
pub struct Slot(Arc<Slots>);

/// Why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSlot {
    /// As many are waiting as may.
    QueueFull,
    /// None was given back in time.
    TimedOut,
}

/// A place in the queue, left when dropped.
struct Place<'a> {
    slots: &'a Slots,
    ticket: u64,
    receiver: oneshot::Receiver<Slot>,
}

enum Entrance<'a> {
    Now(Slot),
    Later(Place<'a>),
}

/// Waiters that get a slot. They are told when the lock is open again.
type Granted = SmallVec<[oneshot::Sender<Slot>; 1]>;

// === impl Slots ===

impl Slots {
    /// All of them free.
    pub fn new() -> Self {
        Self(Mutex::default())
    }

    /// Takes a slot, waiting for it if there is none.
    ///
    /// Dropping the future leaves the queue; a slot that was on its way goes to the next in it.
    ///
    /// # Errors
    ///
    /// When the queue is full, or when the time to wait, from `now`, has passed.
    pub async fn acquire(
        self: &Arc<Self>,
        now: Instant,
        limits: &SlotLimits,
    ) -> Result<Slot, NoSlot> {
        let mut place = match self.enter(limits)? {
            Entrance::Now(slot) => return Ok(slot),
            Entrance::Later(place) => place,
        };
        let end = now + bounded(limits.queue_timeout);
        match timeout_at(end, &mut place.receiver).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => Err(NoSlot::TimedOut),
        }
    }

    /// How many slots are held.
    pub fn held(&self) -> u32 {
        self.0.lock().held
    }

    /// How many calls wait.
    pub fn waiting(&self) -> usize {
        self.0.lock().queue.len()
    }

    fn enter<'a>(self: &'a Arc<Self>, limits: &SlotLimits) -> Result<Entrance<'a>, NoSlot> {
        let mut inner = self.0.lock();
        inner.limit = limits.max_connections.get();
        let granted = inner.grant();
        let entrance = if inner.held < inner.limit {
            inner.held += 1;
            Ok(Entrance::Now(Slot(self.clone())))
        } else if inner.queue.len() < limits.max_queue as usize {
            let (ticket, receiver) = inner.wait();
            Ok(Entrance::Later(Place {
                slots: self,
                ticket,
                receiver,
            }))
        } else {
            Err(NoSlot::QueueFull)
        };
        drop(inner);
        self.tell(granted);
        entrance
    }

    fn give_back(self: &Arc<Self>) {
        let granted = {
            let mut inner = self.0.lock();
            inner.held -= 1;
            inner.grant()
        };
        self.tell(granted);
    }

    fn tell(self: &Arc<Self>, granted: Granted) {
        for sender in granted {
            // Whoever has left in the meantime gives the slot back by dropping it.
            drop(sender.send(Slot(self.clone())));
        }
    }
}

impl Default for Slots {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.0.lock();
        f.debug_struct("Slots")
            .field("limit", &inner.limit)
            .field("held", &inner.held)
            .field("waiting", &inner.queue.len())
            .finish()
    }
}

// === impl Inner ===

impl Inner {
    /// Gives the slots that are free to those that wait.
    fn grant(&mut self) -> Granted {
        let mut granted = Granted::new();
        while self.held < self.limit
            && let Some(waiter) = self.queue.pop_front()
        {
            self.held += 1;
            granted.push(waiter.sender);
        }
        granted
    }

    fn wait(&mut self) -> (u64, oneshot::Receiver<Slot>) {
        let (sender, receiver) = oneshot::channel();
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        self.queue.push_back(Waiter { ticket, sender });
        (ticket, receiver)
    }
}

// === impl Place ===

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut inner = self.slots.0.lock();
        // Tickets stand in order. One that is not there has been granted.
        let found = inner
            .queue
            .binary_search_by_key(&self.ticket, |waiter| waiter.ticket);
        if let Ok(index) = found {
            inner.queue.remove(index);
        }
    }
}

// === impl Slot ===

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

// === impl NoSlot ===

impl fmt::Display for NoSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QueueFull => "the upstream is busy, and so is the queue before it",
            Self::TimedOut => "the upstream was busy for too long",
        })
    }
}

impl std::error::Error for NoSlot {}

impl From<NoSlot> for Error {
    fn from(no_slot: NoSlot) -> Self {
        let message = match no_slot {
            NoSlot::QueueFull => "the upstream is busy, and so is the queue before it",
            NoSlot::TimedOut => "the upstream was busy for too long",
        };
        Self::new(ErrorKind::Unavailable, message).with_retry(Retry::Elsewhere)
    }
}
