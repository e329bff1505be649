//! Snapshots that were replaced while requests hold them.

use std::sync::Arc;

use super::Snapshot;

/// The most that are kept.
const MOST: usize = 1_024;

/// Keeps replaced snapshots for as long as somebody else does. So who changes the configuration frees what
/// is gone, which takes long when it is much, and never the last request that was served by it.
#[derive(Default)]
pub(super) struct Retired(Vec<Arc<Snapshot>>);

// === impl Retired ===

impl Retired {
    /// Takes a snapshot that was just replaced.
    pub(super) fn push(&mut self, old: Arc<Snapshot>) {
        // The newest of too many is left to whoever holds it.
        if self.0.len() < MOST {
            self.0.push(old);
        }
    }

    /// Gives back those that nobody else holds any more, to be dropped where that may take long.
    #[must_use]
    pub(super) fn free(&mut self) -> Vec<Arc<Snapshot>> {
        let is_free = |old: &mut Arc<Snapshot>| Arc::strong_count(old) == 1;
        self.0.extract_if(.., is_free).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::{MOST, Retired};
    use crate::config::{Change, Config, Entry, KeyHash, Kind};

    #[test]
    fn the_last_request_of_a_snapshot_does_not_free_it() {
        let hash = KeyHash::of("sk-me");
        let document = json!({"key_hash": hash.to_hex(), "allowed_models": []});
        let config = Config::builder().build();
        config.apply([Change::Put(Entry::new(Kind::ApiKey, "me", document))]);
        let request = config.current();
        let caller = Arc::downgrade(request.caller(&hash).unwrap());
        config.apply([Change::Reset(Vec::new())]);
        drop(request);
        assert!(caller.upgrade().is_some(), "not by the request");
        drop(config.status());
        assert!(caller.upgrade().is_none(), "but soon");
    }

    #[test]
    fn what_nobody_holds_is_freed_at_once() {
        let hash = KeyHash::of("sk-me");
        let document = json!({"key_hash": hash.to_hex(), "allowed_models": []});
        let config = Config::builder().build();
        config.apply([Change::Put(Entry::new(Kind::ApiKey, "me", document))]);
        let caller = Arc::downgrade(config.current().caller(&hash).unwrap());
        config.apply([Change::Reset(Vec::new())]);
        assert!(caller.upgrade().is_none());
    }

    #[test]
    fn they_are_bounded() {
        let mut retired = Retired::default();
        let held: Vec<_> = (0..MOST + 10).map(|_| Arc::default()).collect();
        held.iter().cloned().for_each(|old| retired.push(old));
        assert!(retired.free().is_empty());
        drop(held);
        assert_eq!(retired.free().len(), MOST);
    }
}
