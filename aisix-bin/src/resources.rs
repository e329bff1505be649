//! Following the resources while the process runs.

use std::{path::Path, pin::Pin, time::SystemTime};

use aisix_core::config::{Change, Config, ConfigSource, store::Mirror};
use aisix_hooks::observe::metrics::{ConfigMetrics, ReloadFailure};
use aisix_sources::{
    embedded::Embedded,
    file::{Reloader, Watch},
};
use anyhow::Context;
use futures_util::StreamExt;

/// How many changes are one swap at most.
const TOGETHER: usize = 1_024;

/// What is followed after the start.
pub(crate) enum Follow {
    /// Nothing will change.
    Nothing,
    /// A file, and what shows it to administrators.
    File(Watch, Reloader, Mirror),
    /// The edits of a store.
    Store(Pin<Box<dyn ConfigSource + Send>>),
}

// === impl Follow ===

impl Follow {
    /// Reads a file for the first time, to be followed from there on.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file.
    pub(crate) async fn file(path: &Path, mirror: Mirror) -> anyhow::Result<(Change, Self)> {
        let mut watch = Watch::new(path, variable)?;
        let reloader = watch.reloader();
        let first = watch.next().await.context("the file is not read")?;
        // The message is the whole report; its source would say it once more.
        let first = first.map_err(|error| anyhow::anyhow!("{error}"))?;
        mirror.apply(&first);
        Ok((first, Self::File(watch, reloader, mirror)))
    }

    /// Reads a store for the first time, to be followed from there on.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(crate) async fn store(store: &Embedded) -> anyhow::Result<(Change, Self)> {
        let mut changes = Box::pin(store.changes());
        let first = changes.next().await.context("the store was closed")?;
        Ok((first?, Self::Store(changes)))
    }

    /// What a SIGHUP does.
    pub(crate) fn reload(&self) -> impl FnMut() + use<> {
        let reloader = match self {
            Self::Nothing | Self::Store(_) => None,
            Self::File(_, reloader, _) => Some(reloader.clone()),
        };
        move || match &reloader {
            Some(reloader) => reloader.reload(),
            None => tracing::info!("there is nothing to reload"),
        }
    }

    /// Applies changes as they come, those that are ready together in one swap. Never ends.
    pub(crate) async fn run(self, config: &Config, metrics: &ConfigMetrics) {
        match self {
            Self::Nothing => {}
            Self::File(mut watch, _, mirror) => {
                while let Some(item) = watch.next().await {
                    match item {
                        Ok(change) => {
                            mirror.apply(&change);
                            apply(config, metrics, [change]);
                            tracing::info!("resources file reloaded");
                        }
                        Err(error) => {
                            metrics.reload_failed(ReloadFailure::Validate);
                            tracing::warn!("{error}");
                        }
                    }
                }
            }
            Self::Store(changes) => {
                let mut batches = changes.ready_chunks(TOGETHER);
                while let Some(batch) = batches.next().await {
                    let mut changes = Vec::with_capacity(batch.len());
                    for item in batch {
                        match item {
                            Ok(change) => changes.push(change),
                            Err(error) => {
                                metrics.reload_failed(ReloadFailure::Fetch);
                                tracing::error!("the store cannot be read: {error}");
                            }
                        }
                    }
                    if !changes.is_empty() {
                        apply(config, metrics, changes);
                    }
                }
            }
        }
        std::future::pending::<()>().await;
    }
}

/// Applies changes and counts them.
pub(crate) fn apply(
    config: &Config,
    metrics: &ConfigMetrics,
    changes: impl IntoIterator<Item = Change>,
) {
    config.apply(changes).log();
    metrics.reloaded(SystemTime::now());
    metrics.applied_revision(config.current().sequence());
}

/// What an environment variable holds.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
