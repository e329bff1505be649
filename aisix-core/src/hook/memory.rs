//! What was combined once, remembered.

use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use imbl::HashMap;

/// How many combinations one of the things combined remembers.
const COMBINATIONS: usize = 1_024;

/// Combinations of things, by the serials of `N` of them; forgotten all at once when there are too many.
pub(super) struct Memory<const N: usize, T>(ArcSwap<HashMap<[u64; N], T>>);

/// A number that nothing else has.
pub(super) fn serial() -> u64 {
    static SERIAL: AtomicU64 = AtomicU64::new(1);
    SERIAL.fetch_add(1, Ordering::Relaxed)
}

// === impl Memory ===

impl<const N: usize, T: Clone> Memory<N, T> {
    /// What is known under a key; made when it is not. Several may make it at the same time.
    pub(super) fn get_or_make(&self, key: [u64; N], make: impl FnOnce() -> T) -> T {
        if let Some(known) = self.0.load().get(&key) {
            return known.clone();
        }
        let made = make();
        self.0.rcu(|known| {
            let mut known = match known.len() {
                COMBINATIONS.. => HashMap::new(),
                _ => HashMap::clone(known),
            };
            known.insert(key, made.clone());
            known
        });
        made
    }
}

impl<const N: usize, T> Default for Memory<N, T> {
    fn default() -> Self {
        Self(ArcSwap::default())
    }
}
