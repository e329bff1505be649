//! How the configuration stands: what is served, what is not, and why.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{Timestamp, Unit};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Key, Kind, Rejection};

/// The most rejections that are kept; the newest win.
pub(super) const MAX_REJECTED: usize = 256;
/// The most resources with unknown fields that are kept.
const MAX_PARTIAL: usize = 1_024;

/// How the configuration of a process stands.
#[derive(Clone, Debug)]
pub struct Status {
    /// Where it comes from, as far as that was told.
    pub source: Source,
    /// What is served; `None` before anything was applied.
    pub applied: Option<Applied>,
    /// Whether the last reload was taken, and when it was.
    pub last_reload: Option<(bool, Timestamp)>,
    /// The last reload that was not taken.
    pub last_failure: Option<Failure>,
    /// Resources that are not served as they are at the source.
    pub rejected: Vec<Rejected>,
    /// How many resources of each kind are served in an older version; kinds without any are left out.
    pub stale: Vec<(Kind, usize)>,
    /// Fields that are ignored because they are unknown here, and in how many resources.
    pub partial: Vec<(Kind, String, usize)>,
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// `file`, `embedded`, `etcd`; empty if nobody said it.
    pub name: &'static str,
    /// Whether it can be reached, for sources that can be out of reach.
    pub connected: Option<bool>,
    /// The revision that it was seen at last, if it counts them.
    pub observed_revision: Option<u64>,
    /// When something was heard of it last.
    pub observed_at: Option<Timestamp>,
    /// A hash of all that it holds, if it is known.
    pub hash: Option<String>,
}

/// What is served.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The revision of the source up to which everything is served, if it counts them.
    pub revision: Option<u64>,
    /// Counts the snapshots.
    pub sequence: u64,
    /// Since when.
    pub at: Timestamp,
    /// A hash of all documents that are served.
    pub hash: String,
    /// How many resources of each kind there are; kinds without any are left out.
    pub counts: Vec<(Kind, usize)>,
}

/// A reload that was not taken.
#[derive(Clone, Debug)]
pub struct Failure {
    /// `fetch`, `parse` or `validate`.
    pub reason: &'static str,
    /// What was wrong.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// A resource that is not served as it is at the source.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// The resource.
    pub key: Key,
    /// What is wrong with it.
    pub message: String,
    /// Since when.
    pub first_seen: Timestamp,
    /// When it was seen last.
    pub last_seen: Timestamp,
    /// Since when an older version is served in its place, if one is.
    pub stale_since: Option<Timestamp>,
}

/// What is remembered about resources that were not, or not wholly, applied.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    rejected: BTreeMap<Key, Rejected>,
    partial: BTreeMap<Key, Vec<String>>,
}

// === impl Troubles ===

impl Troubles {
    /// A resource is served as it is, but for these fields.
    pub(super) fn applied(&mut self, key: &Key, unknown: &[String]) {
        self.rejected.remove(key);
        self.partial.remove(key);
        if !unknown.is_empty() && self.partial.len() < MAX_PARTIAL {
            self.partial.insert(key.clone(), unknown.to_vec());
        }
    }

    /// A resource is not served as it is; `stale_since` if its older version goes on.
    pub(super) fn rejected(
        &mut self,
        rejection: &Rejection,
        stale_since: Option<Timestamp>,
        now: Timestamp,
    ) {
        let errors: Vec<String> = rejection.errors.iter().map(ToString::to_string).collect();
        let known = self.rejected.get(&rejection.key);
        self.keep(Rejected {
            key: rejection.key.clone(),
            message: errors.join("; "),
            first_seen: known.map_or(now, |known| known.first_seen),
            last_seen: now,
            stale_since,
        });
    }

    /// A resource is served again as it was when its newer version had not been good.
    pub(super) fn restored(&mut self, key: &Key, since: Timestamp) {
        self.keep(Rejected {
            key: key.clone(),
            message:
                "an older version is served, as before the start; the source was not heard yet"
                    .to_owned(),
            first_seen: since,
            last_seen: since,
            stale_since: Some(since),
        });
    }

    fn keep(&mut self, rejected: Rejected) {
        self.rejected.insert(rejected.key.clone(), rejected);
        if self.rejected.len() > MAX_REJECTED {
            let oldest = self.rejected.values().min_by_key(|it| it.last_seen);
            if let Some(key) = oldest.map(|it| it.key.clone()) {
                self.rejected.remove(&key);
            }
        }
    }

    /// A resource is gone.
    pub(super) fn gone(&mut self, key: &Key) {
        self.rejected.remove(key);
        self.partial.remove(key);
    }

    /// Only these are left.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&Key) -> bool) {
        self.rejected.retain(|key, _| is_kept(key));
        self.partial.retain(|key, _| is_kept(key));
    }

    pub(super) fn all_rejected(&self) -> Vec<Rejected> {
        self.rejected.values().cloned().collect()
    }

    /// How many resources of a kind have each unknown field.
    pub(super) fn fields(&self) -> Vec<(Kind, String, usize)> {
        let mut counts: BTreeMap<(Kind, &str), usize> = BTreeMap::new();
        for (key, fields) in &self.partial {
            for field in fields {
                *counts.entry((key.kind, field)).or_default() += 1;
            }
        }
        let counts = counts.into_iter();
        counts
            .map(|((kind, field), count)| (kind, field.to_owned(), count))
            .collect()
    }
}

// === impl Status ===

impl Status {
    /// One word for it: `never_loaded`, `out_of_sync`, `degraded`, `empty` or `synced`.
    pub fn state(&self) -> &'static str {
        let Some(applied) = &self.applied else {
            return "never_loaded";
        };
        let is_refused = matches!(self.last_reload, Some((false, _)));
        match (
            is_refused,
            self.rejected.is_empty(),
            applied.counts.is_empty(),
        ) {
            (true, _, _) | (false, false, true) => "out_of_sync",
            (false, false, false) => "degraded",
            (false, true, true) => "empty",
            (false, true, false) => "synced",
        }
    }

    /// How many resources of each kind are rejected.
    pub fn rejected_by_kind(&self) -> Vec<(Kind, usize)> {
        by_kind(self.rejected.iter().map(|rejected| rejected.key.kind))
    }

    /// The whole of it, as `/status/config` tells it.
    pub fn to_json(&self) -> Value {
        let now = Timestamp::now();
        let source = object([
            ("type", Some(self.source.name.into())),
            ("connected", self.source.connected.map(Value::from)),
            (
                "observed_revision",
                self.source.observed_revision.map(Value::from),
            ),
            ("source_hash", self.source.hash.clone().map(Value::from)),
            ("observed_at", self.source.observed_at.map(time)),
        ]);
        let applied = self.applied.as_ref().map(|applied| {
            let counts = applied.counts.iter();
            let counts = counts.map(|(kind, count)| (kind.to_string(), Value::from(*count)));
            object([
                ("applied_revision", applied.revision.map(Value::from)),
                ("config_hash", Some(applied.hash.as_str().into())),
                ("apply_seq", Some(applied.sequence.into())),
                ("applied_at", Some(time(applied.at))),
                ("resource_counts", Some(Value::Object(counts.collect()))),
            ])
        });
        let rejected = self.rejected.iter().map(|rejected| {
            let age = |since: Timestamp| (now - since).total(Unit::Second).unwrap_or_default();
            object([
                ("resource_kind", Some(rejected.key.kind.as_str().into())),
                ("resource_id", Some(rejected.key.id.as_ref().into())),
                ("last_error_kind", Some("schema_failed".into())),
                ("last_error", Some(rejected.message.as_str().into())),
                ("first_seen_at", Some(time(rejected.first_seen))),
                ("last_seen_at", Some(time(rejected.last_seen))),
                ("serving_stale_since", rejected.stale_since.map(time)),
                (
                    "serving_stale_age_seconds",
                    rejected
                        .stale_since
                        .map(|since| (age(since).max(0.0) as u64).into()),
                ),
            ])
        });
        let partial = self.partial.iter().map(|(kind, field, count)| {
            json!({"resource_kind": kind.as_str(), "field": field, "count": count})
        });
        let reload = self.last_reload;
        let failure = self.last_failure.as_ref();
        json!({
            "state": self.state(),
            "source": source,
            "applied": applied,
            "last_reload": reload.map(|(ok, at)| json!({"successful": ok, "at": time(at)})),
            "last_failure": failure.map(|it| {
                json!({"reason": it.reason, "error": it.message, "at": time(it.at)})
            }),
            "rejected": rejected.collect::<Vec<_>>(),
            "partially_compatible": partial.collect::<Vec<_>>(),
        })
    }
}

fn by_kind(kinds: impl Iterator<Item = Kind>) -> Vec<(Kind, usize)> {
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    for kind in kinds {
        *counts.entry(kind).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// The members that have a value.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let members = members.into_iter();
    let members: Map<_, _> = members
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    Value::Object(members)
}

/// RFC 3339 with whole seconds.
fn time(at: Timestamp) -> Value {
    at.round(Unit::Second).unwrap_or(at).to_string().into()
}

/// The SHA-256 over `key \0 canonical JSON \n` of all documents, ordered by key.
pub(super) fn hash<'v>(documents: impl Iterator<Item = (&'v Key, &'v str)>) -> String {
    let mut documents: Vec<_> = documents
        .map(|(key, json)| (key.to_string(), json))
        .collect();
    documents.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut hasher = Sha256::new();
    for (key, json) in documents {
        hasher.update(key.as_bytes());
        hasher.update([0]);
        hasher.update(json.as_bytes());
        hasher.update(b"\n");
    }
    hex::encode(hasher.finalize())
}

/// Compact JSON with the members of objects in order.
pub(super) fn canonical(value: &Value) -> Arc<str> {
    let mut text = String::new();
    write(value, &mut text);
    text.into()
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(&Value::from(name.as_str()), text);
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Change, Config, Entry, KeyHash};

    fn key(id: &str, document: Value) -> Entry {
        Entry::new(Kind::ApiKey, id, document)
    }

    fn good(text: &str) -> Value {
        json!({"key_hash": KeyHash::of(text).to_hex(), "allowed_models": []})
    }

    #[test]
    fn state_follows_what_is_served_and_what_is_not() {
        let config = Config::builder().build();
        assert_eq!(config.status().state(), "never_loaded");
        config.apply([Change::Reset(vec![])]);
        assert_eq!(config.status().state(), "empty");
        config.apply([Change::Put(key("a", json!({"key_hash": "x"})))]);
        assert_eq!(config.status().state(), "out_of_sync", "nothing is served");
        config.apply([Change::Put(key("b", good("b")))]);
        assert_eq!(config.status().state(), "degraded");
        config.apply([Change::Put(key("a", good("a")))]);
        assert_eq!(config.status().state(), "synced");
        config.failed("validate", "the file is bad");
        assert_eq!(config.status().state(), "out_of_sync");
        config.apply([Change::Reset(vec![key("b", good("b"))])]);
        assert_eq!(config.status().state(), "synced");
        let failure = config.status().last_failure.expect("it is remembered");
        assert_eq!(
            (failure.reason, failure.message.as_str()),
            ("validate", "the file is bad")
        );
    }

    #[test]
    fn a_rejected_resource_is_told_until_it_is_good_or_gone() {
        let config = Config::builder().build();
        config.apply([Change::Put(key("a", good("a")))]);
        let bad = || json!({"key_hash": KeyHash::of("top-secret").to_hex(), "allowed_models": "*"});
        config.apply([Change::Put(key("a", bad())), Change::Put(key("new", bad()))]);
        let status = config.status();
        let [a, new] = status.rejected.as_slice() else {
            panic!("{status:?}")
        };
        assert!(a.stale_since.is_some() && new.stale_since.is_none());
        assert_eq!(a.message, "`allowed_models` must be a list, not a string");
        assert!(
            config.current().caller(&KeyHash::of("a")).is_some(),
            "the last good one serves"
        );
        assert_eq!(status.stale, [(Kind::ApiKey, 1)]);
        assert_eq!(status.rejected_by_kind(), [(Kind::ApiKey, 2)]);
        let json = status.to_json();
        assert_eq!(json["rejected"][0]["resource_id"], "a");
        assert_eq!(json["rejected"][0]["serving_stale_age_seconds"], 0);

        config.apply([Change::Put(key("a", good("a")))]);
        assert_eq!(
            config.status().rejected.len(),
            1,
            "the same good version again is good"
        );
        config.apply([Change::Delete(new.key.clone())]);
        assert!(config.status().rejected.is_empty());
        config.apply([Change::Put(key("new", bad()))]);
        config.apply([Change::Reset(vec![])]);
        assert!(
            config.status().rejected.is_empty(),
            "what is gone is not rejected"
        );
    }

    #[test]
    fn unknown_fields_are_counted() {
        let config = Config::builder().build();
        for id in ["a", "b"] {
            let mut document = good(id);
            document["colour"] = "red".into();
            config.apply([Change::Put(key(id, document))]);
        }
        assert_eq!(
            config.status().partial,
            [(Kind::ApiKey, "colour".to_owned(), 2)]
        );
        assert_eq!(config.status().state(), "synced");
        config.apply([Change::Put(key("a", good("a")))]);
        assert_eq!(
            config.status().partial,
            [(Kind::ApiKey, "colour".to_owned(), 1)]
        );
    }

    #[test]
    fn rejections_are_bounded() {
        let config = Config::builder().build();
        config.apply((0..400).map(|n| Change::Put(key(&n.to_string(), json!({})))));
        assert_eq!(config.status().rejected.len(), 256);
    }

    #[test]
    fn the_hash_is_that_of_the_contract() {
        let entry = key("a", json!({"b": [1, {"d": null, "c": "ü"}], "a": 1.5}));
        let expected =
            Sha256::digest("api_keys/a\0{\"a\":1.5,\"b\":[1,{\"c\":\"ü\",\"d\":null}]}\n");
        assert_eq!(
            hash([(&entry.key, &*canonical(&entry.value))].into_iter()),
            hex::encode(expected)
        );
    }

    #[tokio::test]
    async fn the_revision_of_the_source_is_known_when_everything_up_to_it_is_served() {
        let config = Config::builder().build();
        assert!(config.status().applied.is_none());
        let waiting = config.until(7);
        config.apply([Change::Put(key("a", good("a"))), Change::At(7)]);
        waiting.await;
        config.until(6).await;
        assert_eq!(config.status().applied.and_then(|it| it.revision), Some(7));
    }
}
