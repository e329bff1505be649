//! Wakes all who wait for the same.

use std::{
    sync::Arc,
    task::{Wake, Waker},
};

use parking_lot::Mutex;
use smallvec::SmallVec;

/// Wakes all who wait for the same. It is a waker itself, which rings.
#[derive(Default)]
pub(super) struct Bell(Mutex<SmallVec<[(u64, Waker); 4]>>);

// === impl Bell ===

impl Bell {
    /// Lets `waiter` hear the next ring.
    pub(super) fn hear(&self, waiter: u64, waker: &Waker) {
        let mut waiting = self.0.lock();
        match waiting.iter_mut().find(|(other, _)| *other == waiter) {
            Some((_, known)) => known.clone_from(waker),
            None => waiting.push((waiter, waker.clone())),
        }
    }

    /// Wakes everybody once.
    pub(super) fn ring(&self) {
        let waiting = std::mem::take(&mut *self.0.lock());
        for (_, waker) in waiting {
            waker.wake();
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
