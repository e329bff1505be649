//! What goes on beside the calls: keeping the connection, and writing.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::{join_all, try_join_all};
use redis::{Cmd, RedisResult, Value};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use super::{Job, lose, record};
use crate::redis_access::{Connection, Connector, Link, Operation, silent};

/// Answers that are written at the same time.
const BATCH: usize = 32;
/// How often a silent connection is asked for a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The pauses between attempts to connect.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Keeps the connection of a [`SharedCache`](super::SharedCache) and writes its answers.
#[must_use = "without its driver, a cache in Redis keeps nothing"]
pub struct SharedCacheDriver {
    connector: Connector,
    link: Arc<Link>,
    prefix: String,
    jobs: mpsc::Receiver<Job>,
    answer_timeout: Duration,
}

// === impl SharedCacheDriver ===

impl SharedCacheDriver {
    pub(super) fn new(
        connector: Connector,
        link: Arc<Link>,
        prefix: String,
        jobs: mpsc::Receiver<Job>,
        answer_timeout: Duration,
    ) -> Self {
        Self {
            connector,
            link,
            prefix,
            jobs,
            answer_timeout,
        }
    }

    /// Runs until the last clone of the store is dropped.
    pub async fn run(mut self) {
        let mut pause = SHORTEST_PAUSE;
        while !self.jobs.is_closed() {
            match self.reach().await {
                Ok(connection) => {
                    let since = Instant::now();
                    let connection = self.link.establish(connection);
                    if self.serve(&connection).await.is_none() {
                        return;
                    }
                    // One that fails whenever it is reached is not tried again and again.
                    if since.elapsed() > LONGEST_PAUSE * 5 {
                        pause = SHORTEST_PAUSE;
                    }
                }
                Err(error) => self.link.unreachable(&error),
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// A connection on which answers can be found, wherever their keys are.
    async fn reach(&mut self) -> RedisResult<Connection> {
        let connection = self.connector.connect().await?;
        let probes = (0..connection.places()).map(async |place| {
            let mut get = Cmd::new();
            let key = format!("{}:probe:{place}", self.prefix);
            get.arg("GETRANGE").arg(key).arg(0).arg(0);
            let probe = connection.clone();
            self.answered(async { probe.query::<Value>(&get).await })
                .await
        });
        try_join_all(probes).await?;
        self.answered(connection.clone().ping()).await?;
        Ok(connection)
    }

    /// Writes until the connection is lost; `None` when there can be nothing more to write.
    async fn serve(&mut self, connection: &Arc<Connection>) -> Option<()> {
        let mut jobs = Vec::with_capacity(BATCH);
        loop {
            let lost = self.link.lost();
            tokio::select! {
                biased;
                () = lost => {}
                count = self.jobs.recv_many(&mut jobs, BATCH) => match count {
                    0 => return None,
                    _ => {
                        let jobs = jobs.drain(..);
                        join_all(jobs.map(|job| self.write(connection, job))).await;
                    }
                },
                () = sleep(HEARTBEAT) => {
                    let ping = Connection::clone(connection).ping();
                    if let Err(error) = self.answered(ping).await {
                        self.link.lose(connection, Operation::Connect, &error);
                    }
                }
            }
            let live = self.link.live();
            if !live.is_some_and(|live| Arc::ptr_eq(&live, connection)) {
                return Some(());
            }
        }
    }

    async fn write(&self, connection: &Arc<Connection>, job: Job) {
        let Some(kept) = record::write(&job.entry) else {
            return;
        };
        let ttl = u64::try_from(job.ttl.as_millis())
            .unwrap_or(u64::MAX)
            .max(1);
        let mut set = Cmd::new();
        set.arg("SET").arg(&job.key).arg(kept).arg("PX").arg(ttl);
        let set = async { Connection::clone(connection).query::<Value>(&set).await };
        if let Err(error) = self.answered(set).await {
            lose(&self.link, connection, Operation::CachePut, &error);
        }
    }

    async fn answered<T>(&self, asked: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        timeout(self.answer_timeout, asked)
            .await
            .unwrap_or_else(|_| Err(silent()))
    }
}

impl fmt::Debug for SharedCacheDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedCacheDriver")
    }
}
