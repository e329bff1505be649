//! What goes on beside the calls: keeping the connection, and settling.

use std::{fmt, sync::Arc, time::Duration};

use futures_util::future::{join_all, try_join_all};
use redis::{RedisResult, Value};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use super::{hold::Job, script::Scripts};
use crate::redis_access::{Connection, Connector, Link, Operation, silent};

/// Calls that are settled at the same time.
const BATCH: usize = 128;
/// How often a silent connection is asked for a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The pauses between attempts to connect.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Keeps the connection of a [`Redis`](super::Redis) and settles its calls.
#[must_use = "without its driver, a process counts alone"]
pub struct Driver {
    connector: Connector,
    link: Arc<Link>,
    scripts: Arc<Scripts>,
    jobs: mpsc::Receiver<Job>,
    answer_timeout: Duration,
    node: String,
}

// === impl Driver ===

impl Driver {
    pub(super) fn new(
        connector: Connector,
        link: Arc<Link>,
        scripts: Arc<Scripts>,
        jobs: mpsc::Receiver<Job>,
        answer_timeout: Duration,
        node: String,
    ) -> Self {
        Self {
            connector,
            link,
            scripts,
            jobs,
            answer_timeout,
            node,
        }
    }

    /// Tries to connect, once; whether that succeeded. Before the first call, so that it is counted
    /// together with those of other processes. Whether or not, [`run`](Self::run) goes on from there.
    pub async fn connect(&mut self) -> bool {
        match self.reach().await {
            Ok(connection) => {
                self.link.establish(connection);
                true
            }
            Err(error) => {
                self.link.unreachable(&error);
                false
            }
        }
    }

    /// Runs until the last clone of the store is dropped.
    pub async fn run(mut self) {
        let mut pause = SHORTEST_PAUSE;
        loop {
            if let Some(connection) = self.link.live() {
                let since = Instant::now();
                if self.serve(&connection).await.is_none() {
                    return;
                }
                // One that fails whenever it is reached is not tried again and again.
                if since.elapsed() > LONGEST_PAUSE * 5 {
                    pause = SHORTEST_PAUSE;
                }
            }
            if self.jobs.is_closed() && self.jobs.is_empty() {
                return;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            self.connect().await;
        }
    }

    /// A connection on which scripts can write, wherever their keys are.
    async fn reach(&mut self) -> RedisResult<Connection> {
        let connection = self.connector.connect().await?;
        let probes = (0..connection.places()).map(async |place| {
            for script in self.scripts.probe(&self.node, place) {
                let probe = connection.clone().run::<Value>(script);
                self.answered(probe).await?;
            }
            RedisResult::Ok(())
        });
        try_join_all(probes).await?;
        self.answered(connection.clone().ping()).await?;
        Ok(connection)
    }

    /// Settles calls until the connection is lost; `None` when there can be no more calls.
    async fn serve(&mut self, connection: &Arc<Connection>) -> Option<()> {
        let mut jobs = Vec::with_capacity(BATCH);
        loop {
            let lost = self.link.lost();
            tokio::select! {
                biased;
                () = lost => {}
                count = self.jobs.recv_many(&mut jobs, BATCH) => match count {
                    0 => return None,
                    _ => self.settle(connection, std::mem::take(&mut jobs)).await,
                },
                () = sleep(HEARTBEAT) => {
                    let ping = Connection::clone(connection).ping();
                    if let Err(error) = self.answered(ping).await {
                        self.link.lose(connection, Operation::Connect, &error);
                    }
                }
            }
            let is_live = self
                .link
                .live()
                .is_some_and(|live| Arc::ptr_eq(&live, connection));
            if !is_live {
                return Some(());
            }
        }
    }

    /// What fails here is not tried again: it may have been done.
    async fn settle(&self, connection: &Arc<Connection>, jobs: Vec<Job>) {
        let (mut done, mut asked) = (Vec::new(), Vec::new());
        for job in jobs {
            match job {
                Job::Done(told) => done.push(told),
                Job::Settle {
                    limits,
                    call,
                    settlement,
                } => asked.extend(limits.into_iter().map(|limit| {
                    let call = call.clone();
                    async move {
                        let script = self.scripts.settle(&limit, &call, settlement);
                        let asked = Connection::clone(connection).run::<Value>(script);
                        if let Err(error) = self.answered(asked).await {
                            self.link.lose(connection, Operation::Settle, &error);
                        }
                    }
                })),
            }
        }
        join_all(asked).await;
        for told in done {
            let _ = told.send(());
        }
    }

    async fn answered<T>(&self, asked: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        timeout(self.answer_timeout, asked)
            .await
            .unwrap_or_else(|_| Err(silent()))
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("limit_redis::Driver")
    }
}
