//! The store as a source.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};

use aisix_core::config::{Change, ConfigSource, SourceError, store::Revision};
use futures_util::stream;
use tokio::sync::watch;

use super::rows::{Shared, Since};

struct Follower {
    /// Weak, so that whoever follows does not keep the store open.
    shared: Weak<Shared>,
    told: watch::Receiver<Revision>,
    seen: Option<Revision>,
    ready: VecDeque<Change>,
}

/// Follows what is published.
pub(super) fn follow(shared: &Arc<Shared>) -> impl ConfigSource + Send + use<> {
    let follower = Follower {
        shared: Arc::downgrade(shared),
        told: shared.subscribe(),
        seen: None,
        ready: VecDeque::new(),
    };
    stream::unfold(follower, |mut follower| async move {
        let item = follower.next().await?;
        Some((item, follower))
    })
}

// === impl Follower ===

impl Follower {
    async fn next(&mut self) -> Option<Result<Change, SourceError>> {
        loop {
            if let Some(change) = self.ready.pop_front() {
                return Some(Ok(change));
            }
            // Marked as seen before it is looked at, so that nothing falls between.
            self.told.borrow_and_update();
            let since = self.shared.upgrade()?.since(self.seen);
            match since {
                Some((revision, Since::Edits(edits))) => {
                    self.seen = Some(revision);
                    self.ready = edits;
                }
                Some((revision, Since::All(rows))) => {
                    self.seen = Some(revision);
                    let entries = rows.stored(None).map(|stored| Ok(stored?.entry));
                    let entries: Result<_, aisix_core::config::store::StoreError> =
                        entries.collect();
                    self.ready.push_back(Change::At(revision));
                    return Some(match entries {
                        Ok(entries) => Ok(Change::Reset(entries)),
                        Err(error) => Err(SourceError::new(error.to_string())),
                    });
                }
                None => self.told.changed().await.ok()?,
            }
        }
    }
}
