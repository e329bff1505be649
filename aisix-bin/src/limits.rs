//! Where limits are counted: in the memory of this process, or in Redis.

use std::{future, pin::pin, time::Duration};

use aisix_core::{GatewayBuilder, limit};
use aisix_hooks::{
    limit_redis::{self, Driver, Redis},
    observe::Metrics,
};
use anyhow::Context;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    redis::{access, prefix},
    settings::Settings,
};

/// How long the end of the process waits for its last calls to be settled.
const LAST_CALLS: Duration = Duration::from_secs(1);

/// Where limits are counted, and what goes on beside the calls for it.
pub(crate) struct Limits(Option<(Redis, Driver)>);

// === impl Limits ===

impl Limits {
    /// Where the settings want limits to be counted. Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// Says which settings cannot be used.
    pub(crate) fn new(settings: &Settings, metrics: &Metrics) -> anyhow::Result<Self> {
        let ratelimit = &settings.ratelimit;
        let Some(redis) = &ratelimit.redis else {
            return Ok(Self(None));
        };
        let metrics = metrics.clone();
        let mut shared = limit_redis::Settings::of(access(redis));
        shared.slot_ttl = ratelimit.concurrency_ttl;
        shared.prefix = prefix(&shared.prefix, settings);
        let made = Redis::new(shared, move |operation| {
            metrics.redis_failed(operation.name());
        });
        Ok(Self(Some(made.context("`ratelimit.redis`")?)))
    }

    /// Tries to connect, so that the first calls are counted together with those of other processes.
    pub(crate) async fn connect(&mut self) {
        if let Some((_, driver)) = &mut self.0 {
            driver.connect().await;
        }
    }

    /// Lets a gateway count here.
    pub(crate) fn count(&self, gateway: GatewayBuilder) -> GatewayBuilder {
        match &self.0 {
            None => gateway.limits(limit::Memory::new()),
            Some((redis, _)) => gateway.limits(redis.clone()),
        }
    }

    /// What tells administrators where limits are counted now.
    pub(crate) fn status(&self) -> impl Fn() -> Value + Send + Sync + 'static {
        let redis = self.0.as_ref().map(|(redis, _)| redis.clone());
        move || match &redis {
            None => json!({"backend": "memory"}),
            Some(redis) => {
                let standing = redis.standing();
                let since = Timestamp::try_from(standing.since).unwrap_or_default();
                json!({
                    "backend": "redis",
                    "connected": standing.connected,
                    "since": since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                    "error": standing.error,
                })
            }
        }
    }

    /// Does what goes on beside the calls until `serving` ends, and what is left to do then.
    pub(crate) async fn beside<T>(self, serving: impl Future<Output = T>) -> T {
        let Some((redis, driver)) = self.0 else {
            return serving.await;
        };
        let mut driving = pin!(async {
            driver.run().await;
            future::pending::<()>().await;
        });
        let ended = tokio::select! {
            ended = serving => ended,
            () = &mut driving => unreachable!("it is pending at its end"),
        };
        tokio::select! {
            _ = tokio::time::timeout(LAST_CALLS, redis.settled()) => {}
            () = driving => {}
        }
        ended
    }
}
