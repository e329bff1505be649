//! Answers in memory.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use foldhash::fast::RandomState;
use moka::{Expiry, sync::Cache};
use parking_lot::Mutex;

use super::{entry::Entry, key::Key};

/// The answers of one cache. Whoever uses them holds it, so that they outlive changes of the configuration.
#[derive(Default)]
pub(super) struct Shelf(Mutex<Option<Memory>>);

/// Answers in memory. A cheap clone.
///
/// At most `max_bytes` of them; when it is full, what is asked for most often stays, so that a newcomer may have
/// to be asked for twice.
#[derive(Clone)]
pub(super) struct Memory {
    entries: Cache<Key, Kept, RandomState>,
    max_bytes: u64,
}

#[derive(Clone)]
struct Kept {
    entry: Arc<Entry>,
    ttl: Duration,
}

/// Frees memory when the time of an entry is over.
struct ByTtl;

// === impl Shelf ===

impl Shelf {
    /// The memory of this size. Of another size, it begins empty.
    pub(super) fn sized(&self, max_bytes: u64) -> Memory {
        let mut shelf = self.0.lock();
        match &*shelf {
            Some(memory) if memory.max_bytes == max_bytes => memory.clone(),
            _ => shelf.insert(Memory::new(max_bytes)).clone(),
        }
    }
}

// === impl Memory ===

impl Memory {
    fn new(max_bytes: u64) -> Self {
        let entries = Cache::builder()
            .max_capacity(max_bytes)
            .weigher(|_, kept: &Kept| kept.entry.weight())
            .expire_after(ByTtl)
            .build_with_hasher(RandomState::default());
        Self { entries, max_bytes }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<Entry>> {
        self.entries.get(key).map(|kept| kept.entry)
    }

    pub(super) fn put(&self, key: Key, entry: Arc<Entry>, ttl: Duration) {
        self.entries.insert(key, Kept { entry, ttl });
    }
}

// === impl ByTtl ===

impl Expiry<Key, Kept> for ByTtl {
    fn expire_after_create(&self, _: &Key, kept: &Kept, _: Instant) -> Option<Duration> {
        Some(kept.ttl)
    }

    fn expire_after_update(
        &self,
        _: &Key,
        kept: &Kept,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(kept.ttl)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use bytes::Bytes;
    use http::HeaderMap;

    use super::*;
    use crate::cache::{form::Form, key::Fingerprint};

    #[test]
    fn memory_is_bounded_by_bytes() {
        let memory = Shelf::default().sized(1 << 20);
        let body = Bytes::from(vec![0; 10_000]);
        for number in 0..1_000_u32 {
            let key = Key {
                fingerprint: Fingerprint::of(&number.to_le_bytes()),
                form: Form::Whole,
            };
            let entry = Entry::new(HeaderMap::new(), body.clone(), None);
            memory.put(key, Arc::new(entry), Duration::from_secs(60));
        }
        memory.entries.run_pending_tasks();
        let held = memory.entries.weighted_size();
        assert!(held <= 1 << 20, "{held}");
        assert!(held > 1 << 19, "{held}");
    }

    #[test]
    fn another_size_begins_empty_and_the_same_does_not() {
        let (shelf, key) = (
            Shelf::default(),
            Key {
                fingerprint: Fingerprint::of(b"a"),
                form: Form::Whole,
            },
        );
        let entry = Arc::new(Entry::new(HeaderMap::new(), Bytes::new(), None));
        shelf
            .sized(1 << 20)
            .put(key, entry, Duration::from_secs(60));
        assert!(shelf.sized(1 << 20).get(&key).is_some());
        assert!(shelf.sized(1 << 21).get(&key).is_none());
    }
}
