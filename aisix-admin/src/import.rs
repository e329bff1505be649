//! Bringing resources into a store.
//!
//! ```
//! use aisix_admin::import::Plan;
//! use aisix_core::config::{ConfigStore, Entry};
//!
//! # async fn example(store: &dyn ConfigStore, entries: Vec<Entry>) -> Result<(), Box<dyn std::error::Error>> {
//! let plan = Plan::new(&store.list(None).await?, entries, false)?;
//! println!("{} resources change", plan.changes().len());
//! plan.commit(store, "import").await?;
//! # Ok(())
//! # }
//! ```

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashSet},
    fmt,
};

use aisix_core::config::{
    ConfigStore, Entry, Key, Kind,
    resource::{Strictness, decode, is_direct, normalize},
    store::{Changed, Edit, Listing, Revision, StoreError},
};
use jiff::Timestamp;
use serde_json::Value;

use crate::{catalog::Catalog, desk::change};

/// How much documents of one commit may come to where a store bounds its commits, in bytes. The history
/// holds them once more.
const BYTES: usize = 400 * 1024;

/// What is to be changed in a store so that it holds certain resources.
#[derive(Debug)]
pub struct Plan {
    revision: Revision,
    changes: Vec<Changed>,
    unchanged: usize,
}

/// Why resources cannot be brought into a store: everything that is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong, and with which resource.
    pub problems: Vec<(Key, String)>,
}

// === impl Plan ===

impl Plan {
    /// Plans to write these resources over what a store holds; with `prune`, what is not among them is to
    /// be deleted. A document that means the same as the one that is there is left alone.
    ///
    /// # Errors
    ///
    /// Documents that strict validation refuses, names that others have, references that would lead
    /// nowhere. All of them.
    pub fn new(
        held: &Listing,
        entries: impl IntoIterator<Item = Entry>,
        prune: bool,
    ) -> Result<Self, Refused> {
        let mut problems = Vec::new();
        let old: BTreeMap<&Key, &Value> = held
            .entries
            .iter()
            .map(|stored| (&stored.entry.key, &stored.entry.value))
            .collect();
        let (mut seen, mut changes, mut unchanged) = (HashSet::new(), Vec::new(), 0);
        for Entry { key, value, .. } in entries {
            for invalid in invalid(key.kind, &value) {
                problems.push((key.clone(), invalid));
            }
            let before = old.get(&key).copied();
            if !seen.insert(key.clone()) {
                problems.push((key, "is there twice".to_owned()));
            } else if before.is_some_and(|before| mean_the_same(key.kind, before, &value)) {
                unchanged += 1;
            } else {
                changes.push(Changed {
                    before: before.cloned(),
                    after: Some(value),
                    key,
                });
            }
        }
        let gone = old
            .into_iter()
            .filter(|(key, _)| prune && !seen.contains(key));
        changes.extend(gone.map(|(key, value)| Changed {
            key: key.clone(),
            before: Some(value.clone()),
            after: None,
        }));
        changes.sort_by(|a, b| order(a).cmp(&order(b)));
        let conflicts = Catalog::of(held).problems(&changes);
        problems.extend(
            conflicts
                .into_iter()
                .map(|(key, refusal)| (key.clone(), refusal.message)),
        );
        if !problems.is_empty() {
            return Err(Refused { problems });
        }
        Ok(Self {
            revision: held.revision,
            changes,
            unchanged,
        })
    }

    /// What is to be changed, in the order in which it is written: nothing refers to what is not there
    /// yet, or not any more.
    pub fn changes(&self) -> &[Changed] {
        &self.changes
    }

    /// How many of the resources are there already.
    pub fn unchanged(&self) -> usize {
        self.unchanged
    }

    /// How many commits it takes in a store: one, unless the store bounds them.
    pub fn commits(&self, store: &dyn ConfigStore) -> usize {
        parts(&self.changes, store.most_at_once()).len()
    }

    /// Writes it, in the name of `by`, and gives the revision that it made.
    ///
    /// # Errors
    ///
    /// Those of [`ConfigStore::commit`]. After a conflict it must be planned anew. When one of several commits
    /// fails, those before it are made.
    pub async fn commit(&self, store: &dyn ConfigStore, by: &str) -> Result<Revision, StoreError> {
        let mut revision = self.revision;
        for part in parts(&self.changes, store.most_at_once()) {
            let edit = Edit {
                changes: part.iter().map(change).collect(),
                by: by.to_owned(),
                at: Timestamp::now(),
            };
            revision = store.commit(Some(revision), vec![edit]).await?;
        }
        Ok(revision)
    }
}

fn invalid(kind: Kind, value: &Value) -> Vec<String> {
    match decode(kind, value.clone(), Strictness::Strict) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

fn mean_the_same(kind: Kind, one: &Value, other: &Value) -> bool {
    let normal = |value: &Value| {
        let mut value = value.clone();
        normalize(kind, &mut value);
        value
    };
    one == other || normal(one) == normal(other)
}

/// A kind, and whether it is a model that is made of others.
type Place = (Kind, bool);

/// What is referred to is written before what refers to it, and deleted after it.
fn order(changed: &Changed) -> (bool, Option<Place>, Option<Reverse<Place>>, &Key) {
    let (key, is_gone) = (&changed.key, changed.after.is_none());
    let document = changed.after.as_ref().or(changed.before.as_ref());
    let members = document.and_then(Value::as_object);
    let is_group = key.kind == Kind::Model && members.is_some_and(|it| !is_direct(it));
    let place = (key.kind, is_group);
    match is_gone {
        false => (is_gone, Some(place), None, key),
        true => (is_gone, None, Some(Reverse(place)), key),
    }
}

/// Changes as a store takes them at once.
fn parts(changes: &[Changed], most: usize) -> Vec<&[Changed]> {
    let mut parts = Vec::new();
    let (mut start, mut count, mut bytes) = (0, 0, 0);
    for (index, changed) in changes.iter().enumerate() {
        // A model of the first generation gives its provider key a row of its own.
        let is_model = changed.key.kind == Kind::Model && changed.before.is_some();
        let operations = 1 + usize::from(is_model);
        let size = |value: &Option<Value>| value.as_ref().map_or(0, |it| it.to_string().len());
        let size = size(&changed.before) + size(&changed.after);
        let is_full = most < usize::MAX && (count + operations > most || bytes + size > BYTES);
        if is_full && index > start {
            parts.push(&changes[start..index]);
            (start, count, bytes) = (index, 0, 0);
        }
        count += operations;
        bytes += size;
    }
    if start < changes.len() {
        parts.push(&changes[start..]);
    }
    parts
}

// === impl Refused ===

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} error(s):", self.problems.len())?;
        for (key, message) in &self.problems {
            write!(f, "\n  - {key}: {message}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}
