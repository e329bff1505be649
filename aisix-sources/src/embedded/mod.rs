//! A store in a directory of this machine: one file, one process, nothing to install.
//!
//! ```text
//! commit ──▶ writer (a thread): checks, writes what has queued up as one transaction, syncs ──▶ told
//!                                                                  │
//! list, get ◀── the rows in memory ◀───────────────────────────────┴──▶ changes
//! ```
//!
//! ```
//! use aisix_core::config::{Change, ConfigStore, Entry, Kind, store::Edit};
//! use aisix_sources::embedded::Embedded;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store = Embedded::open("aisix-data")?;
//! let key = Entry::new(Kind::ProviderKey, "mock", serde_json::json!({
//!     "display_name": "mock", "provider": "mock", "api_key": "none"}));
//! let edit = Edit { changes: vec![Change::Put(key)], by: "me".to_owned(), at: jiff::Timestamp::now() };
//! store.commit(None, vec![edit]).await?;
//! # let config = aisix_core::config::Config::builder().build();
//! config.follow(store.changes()).await; // to be spawned
//! # Ok(())
//! # }
//! ```

mod changes;
mod disk;
mod rows;
mod writer;

#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc};

use aisix_core::config::{
    ConfigSource, ConfigStore, Key, Kind,
    store::{Edit, Listing, Record, Revision, StoreError, StoreErrorKind, Stored},
};
use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use self::{disk::Disk, rows::Shared, writer::Job};

/// How many commits wait for the writer; more wait to be queued.
const QUEUE: usize = 1_024;

/// A store in a directory of this machine. A cheap clone.
///
/// Documents lie in one file there, `store.redb`, which only its owner can read. A commit is
/// acknowledged once it is on the disk; commits that come while another one is written are written
/// together. It can be killed at any moment.
///
/// Only one process has a directory open at a time. The directory is given back when the last clone
/// is dropped and what was queued is written.
#[derive(Clone, Debug)]
pub struct Embedded {
    shared: Arc<Shared>,
    jobs: mpsc::Sender<Job>,
}

// === impl Embedded ===

impl Embedded {
    /// Opens the store in this directory, which is made if need be. Reads all of it, so call it where
    /// blocking does no harm.
    ///
    /// # Errors
    ///
    /// [`StoreErrorKind::Unavailable`] when another process has it open, when the directory or file
    /// cannot be written, or when the file is not a store.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self, StoreError> {
        let disk = Disk::open(directory.as_ref())?;
        let shared = Arc::new(Shared::new(disk.load()?));
        let (jobs, queue) = mpsc::channel(QUEUE);
        writer::start(disk, queue, shared.clone())?;
        Ok(Self { shared, jobs })
    }

    /// Whether there is a store in this directory.
    pub fn is_at(directory: impl AsRef<Path>) -> bool {
        Disk::is_at(directory.as_ref())
    }

    /// A source of what the store holds: a `Reset` first, then each edit as it is committed, all of
    /// its changes together. Ends when the last clone of the store is dropped.
    ///
    /// A reader that falls far behind is told a `Reset` again.
    pub fn changes(&self) -> impl ConfigSource + Send + use<> {
        changes::follow(&self.shared)
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let gone = || StoreError::new(StoreErrorKind::Unavailable, "the store was closed");
        self.jobs.send(job(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

#[async_trait]
impl ConfigStore for Embedded {
    async fn revision(&self) -> Result<Revision, StoreError> {
        Ok(self.shared.rows().revision)
    }

    async fn list(&self, kind: Option<Kind>) -> Result<Listing, StoreError> {
        let rows = self.shared.rows();
        Ok(Listing {
            revision: rows.revision,
            entries: rows.stored(kind).collect::<Result<_, _>>()?,
        })
    }

    async fn get(&self, key: &Key) -> Result<Option<Stored>, StoreError> {
        self.shared.rows().get(key)
    }

    async fn commit(
        &self,
        expected: Option<Revision>,
        edits: Vec<Edit>,
    ) -> Result<Revision, StoreError> {
        let commit = |reply| Job::Commit {
            expected,
            edits,
            reply,
        };
        self.ask(commit).await?
    }

    async fn history(&self, after: Revision) -> Result<Vec<Record>, StoreError> {
        self.ask(|reply| Job::History { after, reply }).await?
    }
}
