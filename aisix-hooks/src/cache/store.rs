//! Where answers are kept.

use std::{sync::Arc, time::Duration};

#[cfg(feature = "redis")]
use super::shared::SharedCache;
use super::{entry::Entry, key::Key, memory::Memory};

/// Where answers are kept. A cheap clone.
#[derive(Clone)]
pub(super) enum Store {
    Memory(Memory),
    #[cfg(feature = "redis")]
    Shared(SharedCache),
}

// === impl Store ===

impl Store {
    /// The first of these answers that is there, younger than `max_age` and not longer than `max_length`; and which one
    /// it is.
    #[cfg_attr(
        not(feature = "redis"),
        expect(clippy::unused_async, reason = "memory answers at once")
    )]
    pub(super) async fn first(
        &self,
        keys: &[Key],
        max_age: Duration,
        max_length: usize,
    ) -> Option<(Key, Arc<Entry>)> {
        let is_fit = |entry: &Entry| entry.age() < max_age && entry.body.len() <= max_length;
        match self {
            Self::Memory(memory) => keys.iter().find_map(|key| {
                let entry = memory.get(key).filter(|entry| is_fit(entry))?;
                Some((*key, entry))
            }),
            #[cfg(feature = "redis")]
            Self::Shared(shared) => {
                let found = shared.get(keys, max_length).await.into_iter();
                let found = keys.iter().zip(found);
                let fit =
                    found.filter_map(|(key, entry)| Some((*key, entry.filter(|it| is_fit(it))?)));
                fit.map(|(key, entry)| (key, Arc::new(entry))).next()
            }
        }
    }

    /// Whether what is alike can be found here.
    pub(super) fn finds_alike(&self) -> bool {
        matches!(self, Self::Memory(_))
    }

    /// Whether one of these answers is there. What is elsewhere is taken to be.
    pub(super) fn has(&self, keys: &[Key]) -> bool {
        match self {
            Self::Memory(memory) => keys.iter().any(|key| memory.get(key).is_some()),
            #[cfg(feature = "redis")]
            Self::Shared(_) => true,
        }
    }

    /// Keeps an answer for `ttl`.
    pub(super) fn put(&self, key: Key, entry: Arc<Entry>, ttl: Duration) {
        match self {
            Self::Memory(memory) => memory.put(key, entry, ttl),
            #[cfg(feature = "redis")]
            Self::Shared(shared) => shared.put(key, entry, ttl),
        }
    }
}
