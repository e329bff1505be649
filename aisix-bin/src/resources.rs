//! Following the resources while the process runs.

#[cfg(feature = "etcd")]
use std::time::Duration;
use std::{collections::BTreeMap, path::Path, pin::Pin, sync::Arc, time::SystemTime};

use aisix_core::{
    config::{
        Change, Config, ConfigSource, Entry, Kind,
        resource::{Invalid, Strictness, decode},
        status::Source,
        store::Mirror,
    },
    models,
};
use aisix_hooks::observe::metrics::{ConfigMetrics, ReloadFailure};
use aisix_sources::file::{Reloader, Watch};
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
    Store(Pin<Box<dyn ConfigSource + Send>>, Named),
}

/// Tells what the status says of a store.
pub(crate) type Named = Arc<dyn Fn() -> Source + Send + Sync>;

// === impl Follow ===

impl Follow {
    /// Reads a file for the first time, to be followed from there on.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file.
    pub(crate) async fn file(
        path: &Path,
        mirror: Mirror,
        config: &Config,
    ) -> anyhow::Result<(Change, Self)> {
        let mut watch = Watch::checked(path, variable, chains(config))?;
        let reloader = watch.reloader();
        let first = watch.next().await.context("the file is not read")?;
        // The message is the whole report; its source would say it once more.
        let first = first.map_err(|error| anyhow::anyhow!("{error}"))?;
        mirror.apply(&first);
        Ok((first, Self::File(watch, reloader, mirror)))
    }

    /// Reads a store for the first time, to be followed from there on. One that is elsewhere may fail
    /// a few times before.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub(crate) async fn store(
        changes: impl ConfigSource + Send + 'static,
        named: Named,
        attempts: usize,
    ) -> anyhow::Result<(Change, Self)> {
        let mut changes: Pin<Box<dyn ConfigSource + Send>> = Box::pin(changes);
        let mut attempt = 1;
        loop {
            match changes.next().await.context("the store was closed")? {
                Ok(first) => return Ok((first, Self::Store(changes, named))),
                Err(error) if attempt == attempts => return Err(error.into()),
                Err(error) => tracing::warn!("the store cannot be read: {error}"),
            }
            attempt += 1;
        }
    }

    /// The same for a store that may be away, because there is something to serve already. It is not waited for
    /// when it is silent for this long, or has failed this often: instead of the change it is said why.
    ///
    /// # Errors
    ///
    /// When it was closed.
    #[cfg(feature = "etcd")]
    pub(crate) async fn store_or_later(
        changes: impl ConfigSource + Send + 'static,
        named: Named,
        attempts: usize,
        silence: Duration,
    ) -> anyhow::Result<(Result<Change, String>, Self)> {
        let mut changes: Pin<Box<dyn ConfigSource + Send>> = Box::pin(changes);
        let (mut attempt, mut heard) = (1, None);
        loop {
            let why = match tokio::time::timeout(silence, changes.next()).await {
                Ok(None) => anyhow::bail!("the store was closed"),
                Ok(Some(Ok(first))) => return Ok((Ok(first), Self::Store(changes, named))),
                Ok(Some(Err(error))) if attempt >= attempts => error.to_string(),
                Ok(Some(Err(error))) => {
                    tracing::warn!("the store cannot be read: {error}");
                    attempt += 1;
                    continue;
                }
                // There may be much to read.
                Err(_) if named().observed_at > heard => {
                    heard = named().observed_at;
                    continue;
                }
                Err(_) => format!("etcd: no answer within {silence:?}"),
            };
            return Ok((Err(why), Self::Store(changes, named)));
        }
    }

    /// What the status calls it.
    pub(crate) fn source(&self) -> Named {
        let (name, reloader) = match self {
            Self::Nothing => ("memory", None),
            Self::File(_, reloader, _) => ("file", Some(reloader.clone())),
            Self::Store(_, named) => return named.clone(),
        };
        Arc::new(move || Source {
            name,
            hash: reloader.as_ref().and_then(Reloader::hash),
            ..Source::default()
        })
    }

    /// What a SIGHUP does.
    pub(crate) fn reload(&self) -> impl FnMut() + use<> {
        let reloader = match self {
            Self::Nothing | Self::Store(..) => None,
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
                            let message = error.to_string();
                            config.failed("validate", bounded(&message));
                            tracing::warn!("{message}");
                        }
                    }
                }
            }
            Self::Store(changes, _) => {
                let mut batches = changes.ready_chunks(TOGETHER);
                while let Some(batch) = batches.next().await {
                    let mut changes = Vec::with_capacity(batch.len());
                    for item in batch {
                        match item {
                            Ok(change) => changes.push(change),
                            Err(error) => failed(config, metrics, &error.to_string()),
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
}

/// Says that a store cannot be read.
pub(crate) fn failed(config: &Config, metrics: &ConfigMetrics, why: &str) {
    metrics.reload_failed(ReloadFailure::Fetch);
    config.failed("fetch", why);
    tracing::error!("the store cannot be read: {why}");
}

/// Brings the metrics up to date. Called when somebody reads them, since it looks at everything.
pub(crate) fn measure(config: &Config, metrics: &ConfigMetrics) {
    let status = config.status();
    let models: Vec<_> = models::health::all(&config.current()).collect();
    metrics.health(&models);
    metrics.rejected(&counts(status.rejected_by_kind()));
    metrics.stale_served(&counts(named(status.stale)));
    let mut partial: Vec<(Kind, usize)> = Vec::new();
    for (kind, _, count) in &status.partial {
        match partial.last_mut() {
            Some((last, sum)) if last == kind => *sum += count,
            _ => partial.push((*kind, *count)),
        }
    }
    metrics.partially_compatible(&counts(named(partial)));
    // What is on this machine is always there, and seen when it is served.
    metrics.source_connected(status.source.connected.unwrap_or(true));
    let mut observed = status.source.observed_revision;
    if let Some(applied) = &status.applied {
        let revision = applied.revision.unwrap_or(applied.sequence);
        metrics.applied_revision(revision);
        metrics.served_hash(&applied.hash);
        if status.source.connected.is_none() {
            observed = observed.or(Some(revision));
        }
    }
    if let Some(observed) = observed {
        metrics.observed_revision(observed);
    }
}

fn named(counts: Vec<(Kind, usize)>) -> Vec<(&'static str, usize)> {
    let counts = counts.into_iter();
    counts.map(|(kind, count)| (kind.as_str(), count)).collect()
}

/// The counts, and 0 for kinds of which there are none.
fn counts(counts: Vec<(&'static str, usize)>) -> Vec<(&'static str, u64)> {
    let mut all: BTreeMap<_, _> = Kind::ALL.map(|kind| (kind.as_str(), 0)).into();
    all.extend(counts.into_iter().map(|(kind, count)| (kind, count as u64)));
    all.into_iter().collect()
}

/// What is wrong with the hooks that an entry names.
pub(crate) fn chains(config: &Config) -> impl Fn(&Entry) -> Vec<Invalid> + Send + use<> {
    let config = config.clone();
    move |Entry { key, value, .. }| {
        // What is no resource of its kind is told elsewhere.
        let decoded = decode(key.kind, value.clone(), Strictness::Lenient);
        let checked = decoded.map(|decoded| config.check(key, &decoded.resource));
        checked.ok().and_then(Result::err).unwrap_or_default()
    }
}

/// The beginning of a message that may be a long list.
fn bounded(message: &str) -> String {
    message.chars().take(4_096).collect()
}

/// What an environment variable holds.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
