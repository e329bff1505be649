//! How many attempts a call has taken.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// The most attempts of one call, whatever is configured: beyond that, nothing is tried again.
const MAX_ATTEMPTS: u32 = 16;

/// How many attempts a call has taken, shared by all that it asks at the same time.
#[derive(Clone, Default)]
pub(super) struct Attempts(Arc<AtomicU32>);

// === impl Attempts ===

impl Attempts {
    /// The number of an attempt that begins, from 1.
    pub(super) fn begin(&self) -> u32 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// How many have begun.
    pub(super) fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether nothing is tried again.
    pub(super) fn are_used_up(&self) -> bool {
        self.count() >= MAX_ATTEMPTS
    }
}
