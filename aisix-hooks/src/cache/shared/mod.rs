//! Answers that several processes share, in Redis.

mod driver;
mod record;

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::try_join_all;
use redis::{Cmd, RedisError, RedisResult};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};

pub use self::driver::SharedCacheDriver;
use super::{entry::Entry, key::Key};
use crate::redis_access::{
    Access, Connection, Connector, Invalid, Link, Operation, Standing, Words, silent,
};

/// What is logged.
const WORDS: Words = Words {
    found: "answers are kept in Redis",
    away: "Redis is away: answers are not kept",
};
/// Answers that may wait to be kept, by their number and, in KiB, by their size.
const QUEUE: usize = 1_024;
const WAITING: usize = 64 * 1_024;

/// Answers in Redis, for all processes that use the same. A cheap clone.
///
/// While Redis is away nothing is found and nothing is kept, and no call waits for it but the one that notices.
#[derive(Clone)]
pub struct SharedCache(Arc<Shared>);

struct Shared {
    link: Arc<Link>,
    prefix: String,
    queue: mpsc::Sender<Job>,
    room: Arc<Semaphore>,
    answer_timeout: Duration,
}

/// An answer that is to be kept.
struct Job {
    key: String,
    entry: Arc<Entry>,
    ttl: Duration,
    /// Its place in the queue.
    _room: OwnedSemaphorePermit,
}

// === impl SharedCache ===

impl SharedCache {
    /// The store, and the driver that keeps the connection and writes. The driver is to be polled for as long as the
    /// store is used, in a Tokio runtime with time and I/O; without it, nothing is kept.
    ///
    /// All keys begin with `prefix`, such as `aisix:cache`. `failed` is told of every failure, from wherever it
    /// happens: it must not block.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when an address or a certificate cannot be used. Nothing is connected yet.
    pub fn new(
        access: &Access,
        prefix: &str,
        failed: impl Fn(Operation) + Send + Sync + 'static,
    ) -> Result<(Self, SharedCacheDriver), Invalid> {
        let connector = Connector::new(access)?;
        let link = Arc::new(Link::new(WORDS, failed));
        let (queue, jobs) = mpsc::channel(QUEUE);
        let driver = SharedCacheDriver::new(
            connector,
            link.clone(),
            prefix.to_owned(),
            jobs,
            access.answer_timeout,
        );
        let shared = Shared {
            link,
            prefix: prefix.to_owned(),
            queue,
            room: Arc::new(Semaphore::new(WAITING)),
            answer_timeout: access.answer_timeout,
        };
        Ok((Self(Arc::new(shared)), driver))
    }

    /// How this process stands to Redis now.
    pub fn standing(&self) -> Standing {
        self.0.link.standing()
    }

    /// What is kept under these keys; nothing when Redis does not answer in time.
    pub(super) async fn get(&self, keys: &[Key], max_length: usize) -> Vec<Option<Entry>> {
        let shared = &self.0;
        let Some(connection) = shared.link.live() else {
            return Vec::new();
        };
        let asked = keys.iter().map(|key| {
            let mut get = Cmd::new();
            // No more than that is taken from whoever can write there.
            let end = record::most(max_length);
            get.arg("GETRANGE").arg(shared.name(*key)).arg(0).arg(end);
            let connection = Connection::clone(&connection);
            async move { connection.query::<Vec<u8>>(&get).await }
        });
        let asked: Result<RedisResult<_>, _> =
            timeout(shared.answer_timeout, try_join_all(asked)).await;
        match asked.unwrap_or_else(|_| Err(silent())) {
            Ok(kept) => kept.into_iter().map(record::read).collect(),
            Err(error) => {
                lose(&shared.link, &connection, Operation::CacheGet, &error);
                Vec::new()
            }
        }
    }

    /// Lets the driver keep an answer, if there is room for it in the queue.
    pub(super) fn put(&self, key: Key, entry: Arc<Entry>, ttl: Duration) {
        let shared = &self.0;
        if shared.link.live().is_none() {
            return;
        }
        let room = shared.room.clone();
        let job = room.try_acquire_many_owned(entry.weight() / 1_024).ok();
        let job = job.map(|room| Job {
            key: shared.name(key),
            entry,
            ttl,
            _room: room,
        });
        let is_queued = job.is_some_and(|job| shared.queue.try_send(job).is_ok());
        if !is_queued {
            shared.link.failed(Operation::CachePut);
        }
    }
}

impl fmt::Debug for SharedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedCache")
    }
}

// === impl Shared ===

impl Shared {
    fn name(&self, key: Key) -> String {
        let form = key.form.suffix();
        format!("{}:{}{form}", self.prefix, key.fingerprint)
    }
}

/// Counts a failure, and does without the connection from now on unless the failure is that of one key.
fn lose(link: &Link, connection: &Arc<Connection>, operation: Operation, error: &RedisError) {
    match error.code() {
        Some("WRONGTYPE" | "OOM") => link.failed(operation),
        _ => link.lose(connection, operation, error),
    }
}
