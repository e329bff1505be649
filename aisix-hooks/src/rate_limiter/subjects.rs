//! The counters of all subjects of a kind.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hash},
    time::Duration,
};

use foldhash::quality::RandomState;
use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::{
    count::{Count, Left},
    settings::Rate,
};

/// Counters by the hash of their subject, in shards, so that workers seldom meet. At most 65536: when a
/// shard is full, what has run out is forgotten, and if that is not enough, all of the shard.
pub(super) struct Subjects<C> {
    shards: Box<[Mutex<Shard<C>>]>,
    hasher: RandomState,
    began: Instant,
}

/// A counter that is held. No other thread gets at its shard until it is dropped.
pub(super) struct Place<'a, C> {
    shard: MutexGuard<'a, Shard<C>>,
    subject: u64,
    now: Duration,
}

type Shard<C> = HashMap<u64, C, foldhash::fast::FixedState>;

const SHARDS: usize = 64;
const SHARD_LENGTH: usize = 1024;

// === impl Subjects ===

impl<C> Default for Subjects<C> {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::default(),
            began: Instant::now(),
        }
    }
}

impl<C: Count> Subjects<C> {
    /// What a subject is known by. A name of any length takes as much memory.
    pub(super) fn hash(&self, subject: impl Hash) -> u64 {
        self.hasher.hash_one(subject)
    }

    /// Holds a subject's counter.
    pub(super) fn lock(&self, subject: u64) -> Place<'_, C> {
        let shard = usize::try_from(subject % SHARDS as u64).unwrap_or_default();
        let mut shard = self.shards[shard].lock();
        // Read under the lock, so that slots are in the order of time.
        let now = self.began.elapsed();
        if shard.len() >= SHARD_LENGTH && !shard.contains_key(&subject) {
            shard.retain(|_, counter| counter.ends() > now);
            if shard.len() >= SHARD_LENGTH {
                shard.clear();
            }
        }
        Place {
            shard,
            subject,
            now,
        }
    }
}

// === impl Place ===

impl<C: Count> Place<'_, C> {
    /// What is left.
    pub(super) fn left(&mut self, rate: Rate) -> Left {
        match self.shard.get_mut(&self.subject) {
            Some(counter) => counter.left(rate, self.now),
            None => C::default().left(rate, self.now),
        }
    }

    /// Counts a call.
    pub(super) fn take(&mut self, rate: Rate) {
        let counter = self.shard.entry(self.subject).or_default();
        counter.take(rate, self.now);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::{super::counter::Counter, *};

    #[test]
    fn many_subjects_take_bounded_memory() {
        let subjects = Subjects::<Counter>::default();
        let rate = serde_json::from_value(json!({"limit": 1, "window": "1d"})).unwrap();
        for subject in 0..100_000_u64 {
            subjects.lock(subjects.hash(subject)).take(rate);
        }
        let held: usize = subjects.shards.iter().map(|shard| shard.lock().len()).sum();
        assert!(held <= SHARDS * SHARD_LENGTH, "{held}");
    }
}
