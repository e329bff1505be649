//! The Redis in which caches keep answers, if there is one.

use std::pin::pin;

use aisix_core::hook::Hooks;
use aisix_hooks::{Cache, SharedCache, SharedCacheDriver, observe::Metrics};
use anyhow::Context;

use crate::{
    redis::{access, prefix},
    settings::Settings,
};

/// The Redis in which caches keep answers, and what goes on beside the calls for it.
pub(crate) struct Caches(Option<(SharedCache, SharedCacheDriver)>);

// === impl Caches ===

impl Caches {
    /// What the settings want. Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// Says which settings cannot be used.
    pub(crate) fn new(settings: &Settings, metrics: &Metrics) -> anyhow::Result<Self> {
        let Some(redis) = &settings.cache.redis else {
            return Ok(Self(None));
        };
        let metrics = metrics.clone();
        let prefix = prefix("aisix:cache", settings);
        let made = SharedCache::new(&access(redis), &prefix, move |operation| {
            metrics.redis_failed(operation.name());
        });
        Ok(Self(Some(made.context("`cache.redis`")?)))
    }

    /// The hooks that configuration can name, of which caches can keep answers here.
    pub(crate) fn hooks(&self) -> Hooks {
        let hooks = aisix_hooks::hooks();
        match &self.0 {
            None => hooks,
            Some((shared, _)) => hooks.plugin(Cache::over(shared.clone())),
        }
    }

    /// Does what goes on beside the calls until `serving` ends.
    pub(crate) async fn beside<T>(self, serving: impl Future<Output = T>) -> T {
        let Some((shared, driver)) = self.0 else {
            return serving.await;
        };
        let mut driving = pin!(driver.run());
        let ended = tokio::select! {
            ended = serving => ended,
            () = &mut driving => unreachable!("the store is held"),
        };
        drop(shared);
        ended
    }
}
