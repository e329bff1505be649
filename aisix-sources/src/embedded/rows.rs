//! What the store holds, in memory.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use aisix_core::config::{
    Change, Entry, Key, Kind,
    store::{Changed, Edit, Record, Revision, StoreError, StoreErrorKind, Stored},
};
use imbl::OrdMap;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;

/// How much is kept of edits for readers that come a little late, in bytes of JSON.
const RECENT: usize = 4 * 1024 * 1024;
/// What a change takes besides its document.
const OVERHEAD: usize = 256;

/// A document, and when it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// Text takes a fraction of the memory of a tree.
    pub(super) json: Arc<str>,
    pub(super) created: Revision,
    pub(super) changed: Revision,
}

/// All rows at a revision. A cheap clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) revision: Revision,
    pub(super) rows: OrdMap<Key, Row>,
}

/// Edits that are applied to rows, and what is to be written for it.
pub(super) struct Draft {
    pub(super) rows: Rows,
    /// What becomes of a key on the disk.
    pub(super) writes: BTreeMap<Key, Option<Row>>,
    pub(super) records: Vec<Record>,
    told: Vec<Told>,
}

/// An edit for those who follow.
#[derive(Debug)]
struct Told {
    revision: Revision,
    change: Change,
    size: usize,
}

/// What the writer shares with everybody.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    revision: watch::Sender<Revision>,
}

#[derive(Debug)]
struct State {
    rows: Rows,
    /// The latest edits without a gap; together not more than [`RECENT`].
    recent: VecDeque<Told>,
    size: usize,
}

// === impl Rows ===

impl Rows {
    pub(super) fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        let row = self.rows.get(key);
        row.map(|row| row.stored(key)).transpose()
    }

    /// The rows of one kind, or of all.
    pub(super) fn stored(
        &self,
        kind: Option<Kind>,
    ) -> impl Iterator<Item = Result<Stored, StoreError>> + '_ {
        let first = Key {
            kind: kind.unwrap_or(Kind::ALL[0]),
            id: "".into(),
        };
        self.rows
            .range(first..)
            .take_while(move |(key, _)| kind.is_none_or(|kind| key.kind == kind))
            .map(|(key, row)| row.stored(key))
    }

    fn value(&self, key: &Key) -> Result<Option<Value>, StoreError> {
        self.rows.get(key).map(Row::value).transpose()
    }
}

// === impl Row ===

impl Row {
    fn value(&self) -> Result<Value, StoreError> {
        serde_json::from_str(&self.json).map_err(|error| {
            // The error says where, not what.
            let message = format!("a document of the store is not JSON: {error}");
            StoreError::new(StoreErrorKind::Unavailable, message)
        })
    }

    fn stored(&self, key: &Key) -> Result<Stored, StoreError> {
        let entry = Entry {
            key: key.clone(),
            value: self.value()?,
            revision: self.changed,
        };
        let created = self.created;
        Ok(Stored { entry, created })
    }
}

// === impl Draft ===

impl Draft {
    pub(super) fn new(rows: Rows) -> Self {
        Self {
            rows,
            writes: BTreeMap::new(),
            records: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Applies an edit as the next revision.
    pub(super) fn apply(&mut self, edit: Edit) -> Result<(), StoreError> {
        let before = self.rows.rows.clone();
        self.rows.revision += 1;
        let mut touched = Vec::new();
        for change in &edit.changes {
            self.change(change, &mut touched);
        }
        touched.sort();
        touched.dedup();

        let old = Rows {
            revision: 0,
            rows: before,
        };
        let mut changes = Vec::with_capacity(touched.len());
        for key in touched {
            let (before, after) = (old.value(&key)?, self.rows.value(&key)?);
            if before != after {
                changes.push(Changed { key, before, after });
            }
        }
        let revision = self.rows.revision;
        self.told.push(Told {
            revision,
            size: OVERHEAD + changes.iter().map(|it| self.size(&it.key)).sum::<usize>(),
            change: Change::Together(
                changes
                    .iter()
                    .map(|it| told(it, revision))
                    .chain([Change::At(revision)])
                    .collect(),
            ),
        });
        self.records.push(Record {
            revision,
            by: edit.by,
            at: edit.at,
            changes,
        });
        Ok(())
    }

    fn size(&self, key: &Key) -> usize {
        let row = self.rows.rows.get(key);
        OVERHEAD + row.map_or(0, |row| row.json.len())
    }

    fn change(&mut self, change: &Change, touched: &mut Vec<Key>) {
        match change {
            Change::Put(entry) => {
                let changed = self.rows.revision;
                let created = self.rows.rows.get(&entry.key).map(|row| row.created);
                let row = Row {
                    json: entry.value.to_string().into(),
                    created: created.unwrap_or(changed),
                    changed,
                };
                self.rows.rows.insert(entry.key.clone(), row.clone());
                self.writes.insert(entry.key.clone(), Some(row));
                touched.push(entry.key.clone());
            }
            Change::Delete(key) => {
                if self.rows.rows.remove(key).is_some() {
                    self.writes.insert(key.clone(), None);
                    touched.push(key.clone());
                }
            }
            Change::Together(changes) => {
                for change in changes {
                    self.change(change, touched);
                }
            }
            // The store counts by itself, and is given resources only.
            Change::At(_) | Change::Hash(_) | Change::Reject(_) | Change::Forget(_) => {}
            Change::Reset(entries) | Change::All { entries, .. } => {
                let kept: std::collections::HashSet<&Key> =
                    entries.iter().map(|entry| &entry.key).collect();
                let gone: Vec<Key> = self.rows.rows.keys().cloned().collect();
                for key in gone.into_iter().filter(|key| !kept.contains(key)) {
                    self.change(&Change::Delete(key), touched);
                }
                for entry in entries {
                    self.change(&Change::Put(entry.clone()), touched);
                }
            }
        }
    }
}

fn told(changed: &Changed, revision: Revision) -> Change {
    match &changed.after {
        Some(value) => Change::Put(Entry {
            key: changed.key.clone(),
            value: value.clone(),
            revision,
        }),
        None => Change::Delete(changed.key.clone()),
    }
}

// === impl Shared ===

impl Shared {
    pub(super) fn new(rows: Rows) -> Self {
        let revision = watch::Sender::new(rows.revision);
        let state = State {
            rows,
            recent: VecDeque::new(),
            size: 0,
        };
        Self {
            state: Mutex::new(state),
            revision,
        }
    }

    /// The rows of this moment.
    pub(super) fn rows(&self) -> Rows {
        self.state.lock().rows.clone()
    }

    /// What wakes those who follow.
    pub(super) fn subscribe(&self) -> watch::Receiver<Revision> {
        self.revision.subscribe()
    }

    /// Makes a draft, which is on the disk, what everybody sees.
    pub(super) fn publish(&self, draft: Draft) {
        let mut state = self.state.lock();
        state.rows = draft.rows;
        for told in draft.told {
            state.size += told.size;
            state.recent.push_back(told);
        }
        while state.size > RECENT
            && let Some(oldest) = state.recent.pop_front()
        {
            state.size -= oldest.size;
        }
        self.revision.send_replace(state.rows.revision);
    }

    /// Makes what was found on the disk what everybody sees.
    pub(super) fn replace(&self, rows: Rows) {
        let mut state = self.state.lock();
        if state.rows == rows {
            return;
        }
        state.rows = rows;
        state.recent.clear();
        state.size = 0;
        self.revision.send_replace(state.rows.revision);
    }

    /// What is new since a revision, and the revision then; `None` when there is nothing.
    ///
    /// Without a revision, or when too much has happened since, it is everything.
    pub(super) fn since(&self, seen: Option<Revision>) -> Option<(Revision, Since)> {
        let state = self.state.lock();
        let now = state.rows.revision;
        let Some(seen) = seen else {
            return Some((now, Since::All(state.rows.clone())));
        };
        if seen == now {
            return None;
        }
        let is_gapless = state
            .recent
            .front()
            .is_some_and(|oldest| oldest.revision <= seen + 1);
        if !is_gapless {
            return Some((now, Since::All(state.rows.clone())));
        }
        let new = state.recent.iter().filter(|told| told.revision > seen);
        let new = new.map(|told| told.change.clone()).collect();
        Some((now, Since::Edits(new)))
    }
}

/// What is new.
pub(super) enum Since {
    /// Everything there is.
    All(Rows),
    /// These edits, one after the other.
    Edits(VecDeque<Change>),
}
