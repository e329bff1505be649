//! The thread that writes.

use std::{sync::Arc, thread};

use aisix_core::config::store::{Edit, Record, Revision, StoreError, StoreErrorKind};
use tokio::sync::{mpsc, oneshot};

use super::{
    disk::Disk,
    rows::{Draft, Shared},
};

/// How many commits are one transaction at most.
const TOGETHER: usize = 256;

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked for.
pub(super) enum Job {
    Commit {
        expected: Option<Revision>,
        edits: Vec<Edit>,
        reply: Reply<Revision>,
    },
    History {
        after: Revision,
        reply: Reply<Vec<Record>>,
    },
}

/// Starts the thread. It ends when nobody can ask any more, after everything that was asked for.
pub(super) fn start(
    disk: Disk,
    queue: mpsc::Receiver<Job>,
    shared: Arc<Shared>,
) -> Result<(), StoreError> {
    let writer = Writer { disk, shared };
    thread::Builder::new()
        .name("embedded-store".to_owned())
        .spawn(|| writer.run(queue))
        .map_err(|error| {
            StoreError::new(StoreErrorKind::Unavailable, "cannot start a thread").with_source(error)
        })?;
    Ok(())
}

struct Writer {
    disk: Disk,
    shared: Arc<Shared>,
}

// === impl Writer ===

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(first) = queue.blocking_recv() {
            let mut jobs = vec![first];
            while jobs.len() < TOGETHER
                && let Ok(next) = queue.try_recv()
            {
                jobs.push(next);
            }
            self.work(jobs);
        }
    }

    /// Does what has queued up: all commits are one transaction, then questions are answered.
    fn work(&mut self, jobs: Vec<Job>) {
        // It may work again by now. Before anything is based on what was known of it.
        if self.disk.is_closed() {
            self.recover();
        }
        let mut draft = Draft::new(self.shared.rows());
        let (mut written, mut questions) = (Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::History { after, reply } => questions.push((after, reply)),
                Job::Commit {
                    expected,
                    edits,
                    reply,
                } => match commit(&mut draft, expected, edits) {
                    Ok(revision) => written.push((revision, reply)),
                    Err(error) => answer(reply, Err(error)),
                },
            }
        }
        if !written.is_empty() {
            match self.disk.write(&draft) {
                Ok(()) => {
                    self.shared.publish(draft);
                    for (revision, reply) in written {
                        answer(reply, Ok(revision));
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the embedded store cannot be written");
                    self.recover();
                    for (_, reply) in written {
                        let same = StoreError::new(error.kind(), error.to_string());
                        answer(reply, Err(same));
                    }
                }
            }
        }
        for (after, reply) in questions {
            answer(reply, self.disk.history(after));
        }
    }

    /// After a failure the file decides what was written.
    fn recover(&mut self) {
        match self.disk.reopen().and_then(|()| self.disk.load()) {
            Ok(rows) => self.shared.replace(rows),
            Err(error) => tracing::error!(%error, "the embedded store cannot be read again"),
        }
    }
}

fn commit(
    draft: &mut Draft,
    expected: Option<Revision>,
    edits: Vec<Edit>,
) -> Result<Revision, StoreError> {
    let found = draft.rows.revision;
    if let Some(expected) = expected
        && expected != found
    {
        return Err(StoreError::conflict(expected, found));
    }
    for edit in edits {
        draft.apply(edit)?;
    }
    Ok(draft.rows.revision)
}

fn answer<T>(reply: Reply<T>, result: Result<T, StoreError>) {
    // Whoever asked may have left.
    let _ = reply.send(result);
}
