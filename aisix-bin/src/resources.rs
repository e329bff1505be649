//! Following the resources while the process runs.

use std::{path::Path, time::SystemTime};

use aisix_core::config::{Change, Config};
use aisix_hooks::observe::metrics::{ConfigMetrics, ReloadFailure};
use aisix_sources::file::{Reloader, Watch};
use anyhow::Context;
use futures_util::StreamExt;

/// What is followed after the start.
pub(crate) enum Follow {
    /// Nothing will change.
    Nothing,
    /// A file.
    File(Watch, Reloader),
}

// === impl Follow ===

impl Follow {
    /// Reads a file for the first time, to be followed from there on.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file.
    pub(crate) async fn file(path: &Path) -> anyhow::Result<(Change, Self)> {
        let mut watch = Watch::new(path, variable)?;
        let reloader = watch.reloader();
        let first = watch.next().await.context("the file is not read")?;
        // The message is the whole report; its source would say it once more.
        let first = first.map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok((first, Self::File(watch, reloader)))
    }

    /// What a SIGHUP does.
    pub(crate) fn reload(&self) -> impl FnMut() + use<> {
        let reloader = match self {
            Self::Nothing => None,
            Self::File(_, reloader) => Some(reloader.clone()),
        };
        move || match &reloader {
            Some(reloader) => reloader.reload(),
            None => tracing::info!("there is nothing to reload"),
        }
    }

    /// Applies changes as they come, each in one swap, and says so. Never ends.
    pub(crate) async fn run(self, config: &Config, metrics: &ConfigMetrics) {
        if let Self::File(mut watch, _) = self {
            while let Some(item) = watch.next().await {
                match item {
                    Ok(change) => {
                        apply(config, metrics, change);
                        tracing::info!("resources file reloaded");
                    }
                    Err(error) => {
                        metrics.reload_failed(ReloadFailure::Validate);
                        tracing::warn!("{error}");
                    }
                }
            }
        }
        std::future::pending::<()>().await;
    }
}

/// Applies a change and counts it.
pub(crate) fn apply(config: &Config, metrics: &ConfigMetrics, change: Change) {
    config.apply([change]).log();
    metrics.reloaded(SystemTime::now());
    metrics.applied_revision(config.current().sequence());
}

/// What an environment variable holds.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
