//! Taking limits.

use std::{
    fmt,
    future::Future,
    hash::{BuildHasher, RandomState},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aisix_core::limit::{Claim, Exceeded, Limit, LimitStore, Look, Memory, Permit, Reading};
use futures_util::future::{join_all, try_join_all};
use redis::RedisResult;
use tokio::sync::{mpsc, oneshot};

use super::{
    driver::Driver,
    hold::{Holding, Job},
    script::{Answer, Scripts, levels},
    settings::Settings,
};
use crate::redis_access::{
    Connection, Connector, Invalid, Link, Operation, Standing, Words, silent,
};

/// What is logged.
const WORDS: Words = Words {
    found: "limits are counted in Redis",
    away: "Redis is away: limits are counted by this process alone",
};
/// Calls that may wait to be settled.
const QUEUE: usize = 16_384;

/// The store that counts in Redis, and in memory while Redis is away. A cheap clone.
#[derive(Clone)]
pub struct Redis(Arc<Shared>);

struct Shared {
    link: Arc<Link>,
    scripts: Arc<Scripts>,
    queue: mpsc::Sender<Job>,
    alone: Memory,
    answer_timeout: Duration,
    /// Tells the calls of this process from those of others.
    node: u64,
    next: AtomicU64,
}

// === impl Redis ===

impl Redis {
    /// The store, and the driver that keeps the connection and settles calls. The driver is to be
    /// polled for as long as the store is used, in a Tokio runtime with time and I/O; without it, this
    /// process counts alone.
    ///
    /// `failed` is told of every failure, from wherever it happens: it must not block.
    ///
    /// # Errors
    ///
    /// [`Invalid`] when an address or a certificate cannot be used. Nothing is connected yet.
    pub fn new(
        settings: Settings,
        failed: impl Fn(Operation) + Send + Sync + 'static,
    ) -> Result<(Self, Driver), Invalid> {
        let connector = Connector::new(&settings.access)?;
        let link = Arc::new(Link::new(WORDS, failed));
        let scripts = Arc::new(Scripts::new(&settings.prefix, settings.slot_ttl));
        let (queue, jobs) = mpsc::channel(QUEUE);
        let shared = Shared {
            link: link.clone(),
            scripts: scripts.clone(),
            queue,
            alone: Memory::new(),
            answer_timeout: settings.access.answer_timeout,
            node: RandomState::new().hash_one("node"),
            next: AtomicU64::new(0),
        };
        let node = format!("{:x}", shared.node);
        let driver = Driver::new(
            connector,
            link,
            scripts,
            jobs,
            settings.access.answer_timeout,
            node,
        );
        Ok((Self(Arc::new(shared)), driver))
    }

    /// How this process stands to Redis now.
    pub fn standing(&self) -> Standing {
        self.0.link.standing()
    }

    /// Waits until every call that has ended by now is settled in Redis. While Redis is away, that is
    /// when it is back: bound it by a time. For the end of a process, and for tests.
    pub async fn settled(&self) {
        let (done, told) = oneshot::channel();
        if self.0.queue.send(Job::Done(done)).await.is_ok() {
            let _ = told.await;
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("limit_redis::Redis")
    }
}

impl LimitStore for Redis {
    fn acquire<'a>(
        &'a self,
        claim: &'a Claim,
    ) -> Pin<Box<dyn Future<Output = Result<Permit, Exceeded>> + Send + 'a>> {
        let shared = &self.0;
        Box::pin(async move {
            if let Some(connection) = shared.link.live()
                && let Some(verdict) = shared.acquire(&connection, claim).await
            {
                return verdict;
            }
            shared.alone.try_acquire(claim)
        })
    }

    fn look<'a>(
        &'a self,
        claim: &'a Claim,
    ) -> Pin<Box<dyn Future<Output = Option<Look>> + Send + 'a>> {
        let shared = &self.0;
        Box::pin(async move {
            if let Some(connection) = shared.link.live()
                && let Some(look) = shared.look(&connection, claim).await
            {
                return Some(look);
            }
            Some(shared.alone.peek(claim))
        })
    }
}

// === impl Shared ===

impl Shared {
    /// What Redis says; `None` when it says nothing.
    async fn acquire(
        &self,
        connection: &Arc<Connection>,
        claim: &Claim,
    ) -> Option<Result<Permit, Exceeded>> {
        // Dropped early, for whatever reason, it gives back what may have been taken.
        let mut holding = self.holding(claim);
        let asked = self.ask(connection, &holding, claim.tokens);
        let answers = match tokio::time::timeout(self.answer_timeout, asked).await {
            Ok(Ok(answers)) => answers,
            Ok(Err(error)) => {
                self.link.lose(connection, Operation::Acquire, &error);
                return None;
            }
            Err(_) => {
                self.link.lose(connection, Operation::Acquire, &silent());
                return None;
            }
        };
        let (mut exceeded, mut standings, mut taken) = (None, None, Vec::new());
        for (limit, answer) in holding.limits.drain(..).zip(answers) {
            match answer {
                Answer::Taken(told) => {
                    standings.get_or_insert(told);
                    taken.push(limit);
                }
                Answer::Full(rate, retry_after) if exceeded.is_none() => {
                    exceeded = Some(Exceeded {
                        limit,
                        rate,
                        retry_after,
                    });
                }
                Answer::Full(..) | Answer::Odd => {}
            }
        }
        holding.limits = taken;
        Some(match exceeded {
            Some(exceeded) => Err(exceeded),
            None => Ok(Permit::new(holding, standings.unwrap_or_default())),
        })
    }

    /// How limits stand in Redis; `None` when it says nothing. Only a call that fails makes this process count
    /// alone: whoever looks changes nothing.
    async fn look(&self, connection: &Connection, claim: &Claim) -> Option<Look> {
        let asked = distinct(claim).into_iter().map(|limit| async {
            let script = self.scripts.look(&limit, claim.tokens);
            let numbers: Vec<u64> = connection.clone().run(script).await.ok()?;
            let levels = levels(&limit, &numbers)?;
            Some(Reading { limit, levels })
        });
        let told = tokio::time::timeout(self.answer_timeout, join_all(asked)).await;
        let limits: Vec<Reading> = told.ok()?.into_iter().collect::<Option<_>>()?;
        let outcome = limits.iter().try_for_each(passes);
        Some(Look { limits, outcome })
    }

    fn holding(&self, claim: &Claim) -> Holding {
        let limits = distinct(claim);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let call = format!("{:x}-{number:x}", self.node);
        Holding::new(limits, call, self.queue.clone(), self.link.clone())
    }

    /// Asks about all limits at the same time.
    async fn ask(
        &self,
        connection: &Connection,
        holding: &Holding,
        tokens: u64,
    ) -> RedisResult<Vec<Answer>> {
        let asked = holding.limits.iter().map(|limit| async {
            let script = self.scripts.acquire(limit, &holding.call, tokens);
            let numbers: Vec<u64> = connection.clone().run(script).await?;
            match Answer::read(limit, &numbers) {
                Answer::Odd => {
                    Err((redis::ErrorKind::UnexpectedReturnType, "an odd answer").into())
                }
                answer => Ok(answer),
            }
        });
        try_join_all(asked).await
    }
}

/// The limits of a claim. One that is named twice is there once.
fn distinct(claim: &Claim) -> Vec<Arc<Limit>> {
    let mut limits: Vec<Arc<Limit>> = Vec::with_capacity(claim.limits.len());
    for limit in &claim.limits {
        if limits.iter().all(|seen| seen.key() != limit.key()) {
            limits.push(limit.clone());
        }
    }
    limits
}

/// Whether a claim would pass this limit, or the first rate that it would not pass.
fn passes(reading: &Reading) -> Result<(), Exceeded> {
    match reading.levels.iter().find(|level| !level.has_room) {
        Some(level) => Err(Exceeded {
            limit: reading.limit.clone(),
            rate: level.rate,
            retry_after: level.rate.window().map(|_| level.reset),
        }),
        None => Ok(()),
    }
}
