//! What was served last, to be kept somewhere and served again.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

use super::Key;

/// All that was served at a moment.
///
/// [`Config::last_known`](super::Config::last_known) takes it, whoever likes keeps it anywhere, and
/// [`Config::restore`](super::Config::restore) serves it again, while the source is out of reach.
#[derive(Clone, Debug, Default)]
pub struct LastKnown {
    /// The revision of the source up to which everything was served, if it counts them.
    pub revision: Option<u64>,
    /// The resources, in no order.
    pub rows: Vec<Known>,
}

/// A resource as it was served, with the secrets in it.
#[derive(Clone)]
pub struct Known {
    /// The name.
    pub key: Key,
    /// The document as JSON.
    pub json: Arc<str>,
    /// The revision of the source that has brought it.
    pub revision: u64,
    /// Since when it was served in the place of a newer version that is not good, if it was.
    pub stale_since: Option<Timestamp>,
}

// === impl Known ===

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known")
            .field("key", &self.key)
            .field("revision", &self.revision)
            .field("stale_since", &self.stale_since)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::config::{Change, Config, Entry, KeyHash, Kind};

    fn document(text: &str) -> Value {
        json!({"key_hash": KeyHash::of(text).to_hex(), "allowed_models": [], "colour": "red"})
    }

    fn put(id: &str, text: &str, revision: u64) -> Change {
        let entry = Entry::new(Kind::ApiKey, id, document(text));
        Change::Put(Entry { revision, ..entry })
    }

    fn serves(config: &Config, text: &str) -> bool {
        config.current().caller(&KeyHash::of(text)).is_some()
    }

    /// Kept, and served again by another process.
    fn restarted(config: &Config) -> Config {
        let again = Config::builder().build();
        let report = again.restore(config.last_known());
        assert!(report.rejected.is_empty(), "{report}");
        again
    }

    #[test]
    fn what_was_known_is_served_again() {
        let config = Config::builder().build();
        config.apply([put("a", "a", 3), put("b", "b", 5), Change::At(7)]);
        let again = restarted(&config);
        assert!(again.current().is_loaded());
        assert!(serves(&again, "a") && serves(&again, "b"));
        let (was, is) = (config.status(), again.status());
        let (was, is) = (was.applied.unwrap(), is.applied.unwrap());
        assert_eq!((is.revision, is.hash), (Some(7), was.hash));
        assert_eq!(again.status().partial, config.status().partial);
        let mut rows = again.last_known().rows;
        rows.sort_by_key(|row| row.revision);
        let revisions: Vec<_> = rows.iter().map(|row| row.revision).collect();
        assert_eq!(revisions, [3, 5]);
        assert!(!format!("{rows:?}").contains(&KeyHash::of("a").to_hex()));
    }

    #[test]
    fn whoever_is_heard_wins_over_what_was_known() {
        let config = Config::builder().build();
        config.apply([put("revoked", "revoked", 1), put("kept", "kept", 2)]);
        let again = restarted(&config);
        let kept = Entry::new(Kind::ApiKey, "kept", document("kept"));
        let kept = Entry {
            revision: 9,
            ..kept
        };
        again.apply([Change::Reset(vec![kept])]);
        assert!(serves(&again, "kept") && !serves(&again, "revoked"));
        assert_eq!(
            again.last_known().rows[0].revision,
            9,
            "the same again, later"
        );
    }

    #[test]
    fn what_is_stale_stays_so_since_then() {
        let config = Config::builder().build();
        config.apply([put("a", "a", 1)]);
        let bad = || Change::Put(Entry::new(Kind::ApiKey, "a", json!({})));
        config.apply([bad()]);
        let mut known = config.last_known();
        assert!(known.rows[0].stale_since.is_some());
        let since = Timestamp::now() - Duration::from_secs(1_000);
        known.rows[0].stale_since = Some(since);

        let again = Config::builder().build();
        again.restore(known);
        assert!(serves(&again, "a"));
        let stale = |config: &Config| {
            let status = config.status();
            let stale_since = status.rejected.first().and_then(|it| it.stale_since);
            (status.state(), stale_since, status.stale)
        };
        let expected = ("degraded", Some(since), vec![(Kind::ApiKey, 1)]);
        assert_eq!(stale(&again), expected, "nobody was heard yet");
        again.apply([bad()]);
        assert_eq!(stale(&again), expected, "it is as bad as ever");
        assert_eq!(again.last_known().rows[0].stale_since, Some(since));
        again.apply([put("a", "a", 3)]);
        assert_eq!(stale(&again), ("synced", None, vec![]));
        assert_eq!(again.last_known().rows[0].stale_since, None);
    }

    #[test]
    fn what_makes_no_sense_is_left_out_and_told() {
        let row = |id: &str, json: &str| Known {
            key: Key {
                kind: Kind::ApiKey,
                id: id.into(),
            },
            json: json.into(),
            revision: 1,
            stale_since: None,
        };
        let config = Config::builder().build();
        let good = document("good").to_string();
        let rows = vec![row("text", "{"), row("bad", "[]"), row("good", &good)];
        let known = LastKnown {
            revision: None,
            rows,
        };
        let report = config.restore(known);
        assert_eq!(report.rejected.len(), 2, "{report}");
        assert!(serves(&config, "good"));
    }

    #[tokio::test]
    async fn whoever_keeps_it_is_told_of_changes() {
        let config = Config::builder().build();
        let changed = config.changed_since(0);
        config.apply([put("a", "a", 1)]);
        assert_eq!(changed.await, 1);
        let changed = config.changed_since(1);
        config.apply([put("b", "b", 1), put("c", "c", 1)]);
        assert_eq!(changed.await, 2);
    }
}
