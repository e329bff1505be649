//! What can be written.

use std::{collections::BTreeMap, sync::Arc};

use aisix_core::config::{
    Change, Entry, Key, Kind,
    resource::own_provider_key,
    store::{HISTORY, Revision},
};
use async_trait::async_trait;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    answer::Refusal,
    desk::{Operation, Plan, View},
    document::{self, Mode},
    request::Conditions,
};

/// Makes a resource, or changes one.
pub(crate) struct Put {
    pub(crate) key: Key,
    pub(crate) body: Map<String, Value>,
    pub(crate) mode: Mode,
    pub(crate) conditions: Conditions,
    fresh: String,
}

/// Deletes a resource.
pub(crate) struct Delete {
    pub(crate) key: Key,
    pub(crate) conditions: Conditions,
}

/// Gives an API key a new credential, beside which the old one works for a while.
pub(crate) struct Rotate {
    key: Key,
    conditions: Conditions,
    grace: SignedDuration,
    /// A hash, or the credential itself.
    new: Result<String, String>,
}

/// Brings the configuration of a revision back.
pub(crate) struct Rollback {
    pub(crate) revision: Revision,
}

/// How long the old credential of a rotated key works if nobody says.
const GRACE: SignedDuration = SignedDuration::from_hours(1);
/// How long it may.
const MAX_GRACE: u64 = 90 * 24 * 60 * 60;

/// When the old credential stops to work, by the clock of now. Whole seconds.
fn end_of_grace(now: Timestamp, grace: SignedDuration) -> Result<Timestamp, Refusal> {
    let end = now.checked_add(grace);
    let end = end.and_then(|end| end.round(jiff::Unit::Second));
    end.map_err(|_| {
        let message = "the clock of this machine is at the end of time";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    })
}

/// A credential that nobody can guess.
fn fresh_key() -> String {
    format!("sk-{}", Uuid::new_v4().simple())
}

// === impl Put ===

impl Put {
    pub(crate) fn new(
        key: Key,
        body: Map<String, Value>,
        mode: Mode,
        conditions: Conditions,
    ) -> Self {
        let fresh = fresh_key();
        Self {
            key,
            body,
            mode,
            conditions,
            fresh,
        }
    }

    /// A new resource with an id that nobody has.
    pub(crate) fn create(kind: Kind, body: Map<String, Value>) -> Self {
        let id = Uuid::new_v4().to_string().into();
        Self::new(Key { kind, id }, body, Mode::Whole, Conditions::default())
    }
}

#[async_trait]
impl Operation for Put {
    async fn plan(&self, view: &View<'_>) -> Result<Plan, Refusal> {
        let stored = view.get(&self.key).await?;
        if self.mode == Mode::Merge && stored.is_none() {
            return Err(Refusal::not_found(&self.key));
        }
        self.conditions.check(stored.as_ref())?;
        if stored.is_none() {
            document::check_id(&self.key.id)?;
        }
        let body = self.body.clone();
        let stored = stored.as_ref();
        let draft = document::draft(view, &self.key, body, stored, self.mode, &self.fresh).await?;
        Ok(Plan {
            changes: draft.changes,
            key: Some(self.key.clone()),
            plaintext: draft.plaintext,
        })
    }
}

// === impl Delete ===

#[async_trait]
impl Operation for Delete {
    async fn plan(&self, view: &View<'_>) -> Result<Plan, Refusal> {
        let stored = view.get(&self.key).await?;
        if stored.is_none() {
            return Err(Refusal::not_found(&self.key));
        }
        self.conditions.check(stored.as_ref())?;
        let mut changes = vec![Change::Delete(self.key.clone())];
        // What came in one document goes in one.
        if self.key.kind == Kind::Model {
            let own = own_provider_key(&self.key);
            let is_free = view.catalog.users(&own).all(|user| *user == self.key);
            if is_free && view.get(&own).await?.is_some() {
                changes.push(Change::Delete(own));
            }
        }
        Ok(Plan {
            changes,
            key: Some(self.key.clone()),
            plaintext: None,
        })
    }
}

// === impl Rotate ===

impl Rotate {
    /// Reads `{grace_seconds?, key?, key_hash?}`.
    pub(crate) fn new(
        id: Arc<str>,
        mut body: Map<String, Value>,
        conditions: Conditions,
    ) -> Result<Self, Refusal> {
        let grace = match body.shift_remove("grace_seconds") {
            None | Some(Value::Null) => GRACE,
            Some(seconds) => {
                let seconds = seconds.as_u64().filter(|seconds| *seconds <= MAX_GRACE);
                let wrong = || {
                    let message = format!("must be a number of seconds, at most {MAX_GRACE}");
                    Refusal::field("grace_seconds", &message)
                };
                SignedDuration::from_secs(seconds.ok_or_else(wrong)?.cast_signed())
            }
        };
        let mut text = |name: &str| match body.shift_remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::field(name, "must be a string")),
        };
        let new = match (text("key")?, text("key_hash")?) {
            (Some(_), Some(_)) => {
                return Err(Refusal::field("key", "is given besides `key_hash`"));
            }
            (None, Some(hash)) => Ok(hash),
            (Some(key), None) => Err(key),
            (None, None) => Err(fresh_key()),
        };
        if let Some(name) = body.keys().next() {
            let name: String = name.chars().take(64).collect();
            return Err(Refusal::field(&name, "is not a known field"));
        }
        Ok(Self {
            key: Key {
                kind: Kind::ApiKey,
                id,
            },
            conditions,
            grace,
            new,
        })
    }
}

#[async_trait]
impl Operation for Rotate {
    async fn plan(&self, view: &View<'_>) -> Result<Plan, Refusal> {
        let stored = view.get(&self.key).await?;
        let Some(stored) = stored else {
            return Err(Refusal::not_found(&self.key));
        };
        self.conditions.check(Some(&stored))?;
        let (name, text) = match &self.new {
            Ok(hash) => ("key_hash", hash),
            Err(key) => ("key", key),
        };
        let mut patch = Map::new();
        patch.insert(name.to_owned(), text.as_str().into());
        let old = match self.grace.is_zero() {
            true => [Value::Null, Value::Null],
            false => {
                let end = end_of_grace(Timestamp::now(), self.grace)?.to_string();
                [stored.entry.value["key_hash"].clone(), end.into()]
            }
        };
        let names = ["previous_key_hash", "previous_expires_at"].map(str::to_owned);
        patch.extend(names.into_iter().zip(old));
        let draft = document::draft(view, &self.key, patch, Some(&stored), Mode::Merge, "").await?;
        Ok(Plan {
            changes: draft.changes,
            key: Some(self.key.clone()),
            plaintext: draft.plaintext,
        })
    }
}

// === impl Rollback ===

impl Rollback {
    /// Reads `{revision}`.
    pub(crate) fn new(mut body: Map<String, Value>) -> Result<Self, Refusal> {
        let revision = body.shift_remove("revision");
        if let Some(name) = body.keys().next() {
            let name: String = name.chars().take(64).collect();
            return Err(Refusal::field(&name, "is not a known field"));
        }
        let revision = revision.as_ref().and_then(Value::as_u64);
        let wrong = || Refusal::field("revision", "must be the number of a revision");
        Ok(Self {
            revision: revision.ok_or_else(wrong)?,
        })
    }
}

#[async_trait]
impl Operation for Rollback {
    async fn plan(&self, view: &View<'_>) -> Result<Plan, Refusal> {
        let (wanted, now) = (self.revision, view.catalog.revision);
        if wanted > now {
            let message = format!("there is no revision {wanted} yet: the last one is {now}");
            return Err(Refusal::new(StatusCode::NOT_FOUND, message));
        }
        let records = view.store().history(wanted).await?;
        let reaches = match records.first() {
            Some(first) => first.revision == wanted + 1,
            None => wanted == now,
        };
        if !reaches {
            let message = format!("revision {wanted} is gone: the last {HISTORY} changes are kept");
            return Err(Refusal::new(StatusCode::NOT_FOUND, message));
        }
        // The oldest change after the revision knows what was there.
        let mut before = BTreeMap::new();
        for changed in records.into_iter().rev().flat_map(|record| record.changes) {
            before.insert(changed.key, changed.before);
        }
        let changes = before.into_iter().map(|(key, value)| match value {
            Some(value) => Change::Put(Entry::new(key.kind, key.id, value)),
            None => Change::Delete(key),
        });
        Ok(Plan {
            changes: changes.collect(),
            key: None,
            plaintext: None,
        })
    }

    fn is_alone(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grace_ends_after_now_whatever_the_clock_says_and_a_broken_clock_is_no_panic() {
        for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::now()] {
            let end = end_of_grace(now, GRACE);
            let end = end.unwrap_or_else(|refusal| panic!("{}", refusal.message));
            assert!((end - now).get_seconds().abs_diff(3_600) <= 1);
        }
        let refused = end_of_grace(Timestamp::MAX, GRACE);
        assert!(refused.is_err_and(|refusal| refusal.status == 500));
    }
}
