//! The circuit: calls ask Redis while it answers, and not from the first silence until the driver has
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
}

/// How a process stands to Redis.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Whether limits are counted in Redis; otherwise this process counts alone.
    pub connected: bool,
    /// Since when.
    pub since: SystemTime,
    /// What was wrong last, while it is away.
    pub error: Option<String>,
}

/// The connection that is in use, if there is one.
pub(super) struct Link {
    live: ArcSwapOption<Connection>,
    lost: Notify,
    standing: Mutex<Standing>,
    failed: Box<dyn Fn(Operation) + Send + Sync>,
}

// === impl Operation ===

impl Operation {
    /// One word for it, as a label of metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Acquire => "acquire",
            Self::Settle => "settle",
        }
    }
}

// === impl Link ===

impl Link {
    pub(super) fn new(failed: impl Fn(Operation) + Send + Sync + 'static) -> Self {
        Self {
            live: ArcSwapOption::empty(),
            lost: Notify::new(),
            standing: Mutex::new(Standing {
                connected: false,
                since: SystemTime::now(),
                error: None,
            }),
            failed: Box::new(failed),
        }
    }

    pub(super) fn live(&self) -> Option<Arc<Connection>> {
        self.live.load_full()
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing.lock().clone()
    }

    /// Counts a failure.
    pub(super) fn failed(&self, operation: Operation) {
        (self.failed)(operation);
    }

    /// From now on, calls ask this connection.
    pub(super) fn establish(&self, connection: Connection) -> Arc<Connection> {
        let live = Arc::new(connection);
        self.live.store(Some(live.clone()));
        self.stand(None);
        tracing::info!("limits are counted in Redis");
        live
    }

    /// From now on, calls do not ask this connection, if they still do.
    pub(super) fn lose(
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
    pub(super) fn unreachable(&self, why: &RedisError) {
        self.failed(Operation::Connect);
        let is_news = self.standing.lock().error.is_none();
        if is_news {
            self.away(why);
        }
    }

    /// Waits until the connection in use is lost.
    pub(super) async fn lost(&self) {
        self.lost.notified().await;
    }

    fn away(&self, why: &RedisError) {
        let error = why.to_string();
        tracing::warn!(
            error,
            "Redis is away: limits are counted by this process alone"
        );
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
