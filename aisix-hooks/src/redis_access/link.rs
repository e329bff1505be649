//! The circuit: whoever uses it asks Redis while it answers, and not from the first silence until the driver has
//! reached it again.

use std::{sync::Arc, time::SystemTime};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use redis::RedisError;
use tokio::sync::Notify;

use super::connect::Connection;

/// What was asked of Redis when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// To connect, or to show that it is still there.
    Connect,
    /// To take a limit.
    Acquire,
    /// To settle a call, which includes calls that found the queue full.
    Settle,
    /// To find an answer that is kept.
    CacheGet,
    /// To keep an answer, which includes answers that found the queue full.
    CachePut,
}

/// How a process stands to Redis.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Whether it is there; otherwise this process is alone.
    pub connected: bool,
    /// Since when.
    pub since: SystemTime,
    /// What was wrong last, while it is away.
    pub error: Option<String>,
}

/// The connection that is in use, if there is one.
pub(crate) struct Link {
    live: ArcSwapOption<Connection>,
    lost: Notify,
    standing: Mutex<Standing>,
    failed: Box<dyn Fn(Operation) + Send + Sync>,
    words: Words,
}

/// What is logged.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    /// When Redis was reached.
    pub(crate) found: &'static str,
    /// When it was lost, or could not be reached at first.
    pub(crate) away: &'static str,
}

// === impl Operation ===

impl Operation {
    /// One word for it, as a label of metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Acquire => "acquire",
            Self::Settle => "settle",
            Self::CacheGet => "cache_get",
            Self::CachePut => "cache_put",
        }
    }
}

// === impl Link ===

impl Link {
    pub(crate) fn new(words: Words, failed: impl Fn(Operation) + Send + Sync + 'static) -> Self {
        Self {
            live: ArcSwapOption::empty(),
            lost: Notify::new(),
            standing: Mutex::new(Standing {
                connected: false,
                since: SystemTime::now(),
                error: None,
            }),
            failed: Box::new(failed),
            words,
        }
    }

    pub(crate) fn live(&self) -> Option<Arc<Connection>> {
        self.live.load_full()
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing.lock().clone()
    }

    /// Counts a failure.
    pub(crate) fn failed(&self, operation: Operation) {
        (self.failed)(operation);
    }

    /// From now on, calls ask this connection.
    pub(crate) fn establish(&self, connection: Connection) -> Arc<Connection> {
        let live = Arc::new(connection);
        self.live.store(Some(live.clone()));
        self.stand(None);
        tracing::info!("{}", self.words.found);
        live
    }

    /// From now on, calls do not ask this connection, if they still do.
    pub(crate) fn lose(
        &self,
        connection: &Arc<Connection>,
        operation: Operation,
        why: &RedisError,
    ) {
        self.failed(operation);
        let before = self.live.compare_and_swap(connection, None);
        if before
            .as_ref()
            .is_some_and(|before| Arc::ptr_eq(before, connection))
        {
            self.away(why);
            self.lost.notify_one();
        }
    }

    /// Redis could not be reached.
    pub(crate) fn unreachable(&self, why: &RedisError) {
        self.failed(Operation::Connect);
        let is_news = self.standing.lock().error.is_none();
        if is_news {
            self.away(why);
        }
    }

    /// Waits until the connection in use is lost.
    pub(crate) async fn lost(&self) {
        self.lost.notified().await;
    }

    fn away(&self, why: &RedisError) {
        let error = why.to_string();
        tracing::warn!(error, "{}", self.words.away);
        self.stand(Some(error));
    }

    fn stand(&self, error: Option<String>) {
        *self.standing.lock() = Standing {
            connected: error.is_none(),
            since: SystemTime::now(),
            error,
        };
    }
}
