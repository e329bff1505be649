//! What was served last, kept in a file, so that this gateway can start while etcd is away.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use aisix_core::config::Config;
use aisix_hooks::observe::metrics::ConfigMetrics;
use aisix_sources::last_known;

/// The shortest time between two writes.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest time until a failed write is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// After a write nothing is written for this many times as long as it took.
const REST: u32 = 9;

/// Keeps a file up to date with the configuration. A cheap clone.
#[derive(Clone)]
pub(crate) struct Keeper(Arc<Inner>);

struct Inner {
    path: PathBuf,
    /// What all keys in the file begin with.
    root: String,
    config: Config,
    metrics: ConfigMetrics,
    /// The snapshot that the file holds. Locked while it is written.
    written: Mutex<u64>,
}

// === impl Keeper ===

impl Keeper {
    /// Whether anything is served, and so the source need not be waited for.
    #[cfg_attr(
        not(feature = "etcd"),
        allow(dead_code, reason = "only etcd can be away")
    )]
    pub(crate) fn serves(&self) -> bool {
        self.0.config.current().is_loaded()
    }

    /// Serves what the file holds, unless that cannot be read, which is only logged.
    #[cfg_attr(
        not(feature = "etcd"),
        allow(dead_code, reason = "only etcd can be away")
    )]
    pub(crate) fn restore(
        path: PathBuf,
        root: String,
        config: &Config,
        metrics: &ConfigMetrics,
    ) -> Self {
        let place = path.display();
        match last_known::load(&path, &root) {
            Ok(known) => {
                let (resources, revision) = (known.rows.len(), known.revision);
                config.restore(known).log();
                tracing::info!(%place, resources, revision, "last known configuration read");
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(%place, "last known configuration ignored: the file {error}");
            }
        }
        Self(Arc::new(Inner {
            written: Mutex::new(config.current().sequence()),
            config: config.clone(),
            metrics: metrics.clone(),
            path,
            root,
        }))
    }

    /// Writes after changes, but never for more than about a tenth of the time. What cannot be written
    /// is tried again. Never ends.
    pub(crate) async fn run(&self) {
        let mut failures = 0;
        loop {
            let written = *self.written();
            self.0.config.changed_since(written).await;
            let keeper = self.clone();
            let began = Instant::now();
            let is_written = tokio::task::spawn_blocking(move || keeper.write()).await;
            failures = match is_written {
                Ok(true) => 0,
                _ => failures + 1,
            };
            tokio::time::sleep(pause(began.elapsed(), failures)).await;
        }
    }

    /// Writes what is not written yet. Blocks.
    pub(crate) fn finish(&self) {
        self.write();
    }

    /// Whether the file holds what is served.
    fn write(&self) -> bool {
        let keeper = &*self.0;
        // One at a time, for each writes to the same place first.
        let mut written = self.written();
        // Looked at first: what changes meanwhile is written once more.
        let sequence = keeper.config.current().sequence();
        if *written == sequence {
            return true;
        }
        let known = keeper.config.last_known();
        match last_known::save(&keeper.path, &keeper.root, &known) {
            Ok(()) => {
                *written = sequence;
                keeper.metrics.snapshot_written();
                true
            }
            Err(error) => {
                keeper.metrics.snapshot_failed();
                let place = keeper.path.display();
                tracing::warn!(%place, %error, "last known configuration not written");
                false
            }
        }
    }

    fn written(&self) -> std::sync::MutexGuard<'_, u64> {
        // It is a number: a panic elsewhere leaves nothing half done.
        self.0
            .written
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long nothing is written after a write that took so long, the n-th failure in a row.
fn pause(took: Duration, failures: u32) -> Duration {
    let again = PAUSE * (1 << failures.saturating_sub(1).min(6));
    (took * REST).max(again.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_takes_a_tenth_of_the_time_at_most() {
        let millis = Duration::from_millis;
        assert_eq!(pause(millis(5), 0), millis(1_000));
        assert_eq!(pause(millis(500), 0), millis(4_500));
    }

    #[test]
    fn failures_are_tried_again_after_longer_and_longer_pauses() {
        let seconds = (1..9).map(|failures| pause(Duration::ZERO, failures).as_secs());
        assert_eq!(seconds.collect::<Vec<_>>(), [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
