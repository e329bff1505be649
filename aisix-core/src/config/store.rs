//! Where configuration is kept and written.

use std::{collections::BTreeMap, error::Error, fmt, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;

use super::{Change, Entry, Key, Kind};

/// How many records of its history a store keeps; the oldest go first.
pub const HISTORY: usize = 1_000;

/// Counts the edits of a store; 0 is the empty store.
pub type Revision = u64;

/// A store of resources that can be read, and written all or nothing.
///
/// It keeps documents as they are given: whoever writes has validated them. Writers that read first
/// name the revision they have read, and are told when somebody else was quicker.
///
/// A store is usually a source of configuration too: see [`ConfigSource`](super::ConfigSource).
#[async_trait]
pub trait ConfigStore: Send + Sync + 'static {
    /// The revision of this moment.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Unavailable`].
    async fn revision(&self) -> Result<Revision, StoreError>;

    /// All resources, or those of one kind, as they stood together at one revision; ordered by key.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Unavailable`].
    async fn list(&self, kind: Option<Kind>) -> Result<Listing, StoreError>;

    /// One resource.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Unavailable`].
    async fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError>;

    /// Writes these edits together, or none of them, and gives the revision of the last one. Each is
    /// a revision and a record of the history.
    ///
    /// What was acknowledged survives whatever happens to the process. A future that is dropped may
    /// have written, or not.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Conflict`] when `expected` is not the revision of the store, for instance
    /// because another writer was quicker; [`StoreErrorKind::TooLarge`]; [`StoreErrorKind::ReadOnly`];
    /// [`StoreErrorKind::Unavailable`].
    async fn commit(
        &self,
        expected: Option<Revision>,
        edits: Vec<Edit>,
    ) -> Result<Revision, StoreError>;

    /// The records of the edits after a revision, oldest first; at most [`HISTORY`].
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Unavailable`].
    async fn history(&self, after: Revision) -> Result<Vec<Record>, StoreError>;

    /// The number by which the source of this store tells a revision that was committed here, see
    /// [`Change::At`]. Default: the same.
    fn told_as(&self, revision: Revision) -> u64 {
        revision
    }

    /// A number that grows with all that changes in the store, and with what is written past it too, which
    /// its revisions do not count. Default: the revision.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Unavailable`].
    async fn moment(&self) -> Result<u64, StoreError> {
        self.revision().await
    }

    /// The moment after a commit that was made here, if nothing else has changed since the moment
    /// `before`; `None` when it may have. Default: the revision.
    fn moment_after(&self, before: u64, revision: Revision) -> Option<u64> {
        let _ = before;
        Some(revision)
    }

    /// How many resources one commit can write. Default: any number.
    fn most_at_once(&self) -> usize {
        usize::MAX
    }
}

/// A resource in a store.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The resource; its revision is that of its last change.
    pub entry: Entry,
    /// The revision that created it.
    pub created: Revision,
}

/// Resources as they stood together.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The revision of the store.
    pub revision: Revision,
    /// The resources, ordered by key.
    pub entries: Vec<Stored>,
}

/// Changes that belong together, and who makes them.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The changes, in order. The revisions of their entries do not matter.
    pub changes: Vec<Change>,
    /// Who makes them. Never a credential.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// An edit that was made. Documents are whole, with the secrets in them.
#[derive(Clone, Debug)]
pub struct Record {
    /// The revision that it made.
    pub revision: Revision,
    /// Who made it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What has changed, each resource once, ordered by key.
    pub changes: Vec<Changed>,
}

/// What became of a resource.
#[derive(Clone)]
pub struct Changed {
    /// The resource.
    pub key: Key,
    /// The document before, if it existed.
    pub before: Option<Value>,
    /// The document after, if it still exists.
    pub after: Option<Value>,
}

/// Why a store did not do what it was asked for.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What kind of trouble a store has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The store is at another revision than was expected. Reading again and retrying may help.
    Conflict,
    /// This store is written by somebody else.
    ReadOnly,
    /// It is more than the store takes at once, or at all. Less at a time may help.
    TooLarge,
    /// The store cannot be reached, or cannot keep what it is given.
    Unavailable,
}

/// A store that shows what a source has told, and is written there. A cheap clone.
#[derive(Clone, Debug)]
pub struct Mirror(Arc<Mirrored>);

#[derive(Debug)]
struct Mirrored {
    written_where: String,
    state: Mutex<(Revision, BTreeMap<Key, Stored>)>,
}

// === impl Mirror ===

impl Mirror {
    /// An empty mirror; the text says in a sentence where resources are written instead.
    pub fn new(written_where: impl Into<String>) -> Self {
        Self(Arc::new(Mirrored {
            written_where: written_where.into(),
            state: Mutex::default(),
        }))
    }

    /// Takes over what a source has told.
    pub fn apply(&self, change: &Change) {
        let mut state = self.0.state.lock();
        let (revision, rows) = &mut *state;
        *revision += 1;
        mirror(rows, change);
    }
}

fn mirror(rows: &mut BTreeMap<Key, Stored>, change: &Change) {
    match change {
        Change::Put(entry) => {
            let old = rows.get(&entry.key);
            let is_same = old.is_some_and(|old| old.entry.value == entry.value);
            if !is_same {
                let created = old.map_or(entry.revision, |old| old.created);
                let entry = entry.clone();
                rows.insert(entry.key.clone(), Stored { entry, created });
            }
        }
        Change::Delete(key) => drop(rows.remove(key)),
        Change::Together(changes) => changes.iter().for_each(|change| mirror(rows, change)),
        Change::At(_) => {}
        Change::Reset(entries) => {
            let kept: std::collections::HashSet<&Key> =
                entries.iter().map(|entry| &entry.key).collect();
            rows.retain(|key, _| kept.contains(key));
            for entry in entries {
                mirror(rows, &Change::Put(entry.clone()));
            }
        }
    }
}

#[async_trait]
impl ConfigStore for Mirror {
    async fn revision(&self) -> Result<Revision, StoreError> {
        Ok(self.0.state.lock().0)
    }

    async fn list(&self, kind: Option<Kind>) -> Result<Listing, StoreError> {
        let state = self.0.state.lock();
        let of_kind = |stored: &&Stored| kind.is_none_or(|kind| stored.entry.key.kind == kind);
        Ok(Listing {
            revision: state.0,
            entries: state.1.values().filter(of_kind).cloned().collect(),
        })
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        Ok(self.0.state.lock().1.get(key).cloned())
    }

    async fn commit(&self, _: Option<Revision>, _: Vec<Edit>) -> Result<Revision, StoreError> {
        let message = self.0.written_where.as_str();
        Err(StoreError::new(StoreErrorKind::ReadOnly, message))
    }

    async fn history(&self, _: Revision) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }
}

// === impl Changed ===

impl fmt::Debug for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

// === impl StoreError ===

impl StoreError {
    /// An error with a message, which must not hold secrets.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The store is at another revision than was expected.
    pub fn conflict(expected: Revision, found: Revision) -> Self {
        let message = format!("the store is at revision {found}, not at {expected}");
        Self::new(StoreErrorKind::Conflict, message)
    }

    /// What kind of trouble it is.
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
