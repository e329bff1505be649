//! A place for each worker, so that workers do not wait for one another.

use std::{
    array,
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

use parking_lot::{Mutex, MutexGuard};

/// More threads than this share places, which costs them some waiting and nothing else.
const PLACES: usize = 64;

/// One `T` for each worker thread.
pub(super) struct PerWorker<T>([Place<T>; PLACES]);

/// A cache line of its own.
#[repr(align(128))]
struct Place<T>(Mutex<T>);

// === impl PerWorker ===

impl<T: Default> PerWorker<T> {
    pub(super) fn new() -> Self {
        Self(array::from_fn(|_| Place(Mutex::default())))
    }

    /// The place of this thread.
    pub(super) fn mine(&self) -> MutexGuard<'_, T> {
        self.0[place()].0.lock()
    }

    /// The places of all threads.
    pub(super) fn all(&self) -> impl Iterator<Item = &Mutex<T>> {
        self.0.iter().map(|place| &place.0)
    }
}

fn place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static PLACE: Cell<Option<usize>> = const { Cell::new(None) };
    }
    PLACE.with(|cell| {
        cell.get().unwrap_or_else(|| {
            let place = NEXT.fetch_add(1, Ordering::Relaxed) % PLACES;
            cell.set(Some(place));
            place
        })
    })
}
