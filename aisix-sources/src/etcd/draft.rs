//! Edits that are applied to what was read, and what is to be written for it.

use std::collections::{BTreeMap, BTreeSet};

use aisix_core::config::{
    Change, Entry, Key,
    store::{Changed, Edit, Record, Revision, Stored},
};
use serde_json::Value;

/// Edits that are applied to what was read.
pub(super) struct Draft {
    pub(super) revision: Revision,
    pub(super) rows: BTreeMap<Key, Stored>,
    /// What becomes of a resource; of those that are to be as they were nothing is said.
    pub(super) writes: BTreeSet<Key>,
    pub(super) records: Vec<Record>,
}

/// The resources that edits touch; `None` when it may be any.
pub(super) fn touched(edits: &[Edit]) -> Option<BTreeSet<Key>> {
    fn add(change: &Change, keys: &mut BTreeSet<Key>) -> Option<()> {
        match change {
            Change::Put(entry) => {
                keys.insert(entry.key.clone());
            }
            Change::Delete(key) => {
                keys.insert(key.clone());
            }
            Change::Together(changes) => changes.iter().try_for_each(|it| add(it, keys))?,
            Change::At(_) | Change::Hash(_) | Change::Reject(_) | Change::Forget(_) => {}
            Change::Reset(_) | Change::All { .. } => return None,
        }
        Some(())
    }
    let mut keys = BTreeSet::new();
    let changes = edits.iter().flat_map(|edit| &edit.changes);
    changes
        .into_iter()
        .try_for_each(|change| add(change, &mut keys))?;
    Some(keys)
}

// === impl Draft ===

impl Draft {
    /// Starts with what was read: at least all that edits touch.
    pub(super) fn new(revision: Revision, rows: BTreeMap<Key, Stored>) -> Self {
        Self {
            revision,
            rows,
            writes: BTreeSet::new(),
            records: Vec::new(),
        }
    }

    /// Applies an edit as the next revision.
    pub(super) fn apply(&mut self, edit: &Edit) {
        self.revision += 1;
        let mut before = BTreeMap::new();
        for change in &edit.changes {
            self.change(change, &mut before);
        }
        let mut changes = Vec::with_capacity(before.len());
        for (key, before) in before {
            let after = self.rows.get(&key).map(|row| row.entry.value.clone());
            let before = before.map(|row: Stored| row.entry.value);
            if before != after {
                self.writes.insert(key.clone());
                changes.push(Changed { key, before, after });
            }
        }
        self.records.push(Record {
            revision: self.revision,
            by: edit.by.clone(),
            at: edit.at,
            changes,
        });
    }

    /// `before` takes what an edit finds.
    fn change(&mut self, change: &Change, before: &mut BTreeMap<Key, Option<Stored>>) {
        match change {
            Change::Put(entry) => self.set(&entry.key, Some(&entry.value), before),
            Change::Delete(key) => self.set(key, None, before),
            Change::Together(changes) => {
                for change in changes {
                    self.change(change, before);
                }
            }
            // The store counts by itself, and is given resources only.
            Change::At(_) | Change::Hash(_) | Change::Reject(_) | Change::Forget(_) => {}
            Change::Reset(entries) | Change::All { entries, .. } => {
                let kept: BTreeSet<&Key> = entries.iter().map(|entry| &entry.key).collect();
                let gone: Vec<Key> = self.rows.keys().cloned().collect();
                for key in gone.iter().filter(|key| !kept.contains(key)) {
                    self.set(key, None, before);
                }
                for entry in entries {
                    self.set(&entry.key, Some(&entry.value), before);
                }
            }
        }
    }

    fn set(
        &mut self,
        key: &Key,
        value: Option<&Value>,
        before: &mut BTreeMap<Key, Option<Stored>>,
    ) {
        let old = self.rows.get(key);
        if old.map(|row| &row.entry.value) == value {
            return;
        }
        before.entry(key.clone()).or_insert_with(|| old.cloned());
        let created = old.map_or(self.revision, |row| row.created);
        match value {
            None => drop(self.rows.remove(key)),
            Some(value) => {
                let entry = Entry {
                    key: key.clone(),
                    value: value.clone(),
                    revision: self.revision,
                };
                self.rows.insert(key.clone(), Stored { entry, created });
            }
        }
    }
}
