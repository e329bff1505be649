//! Leaving a target alone after several failures.

use std::time::Duration;

use tokio::time::Instant;

use super::settings::bounded;

/// Leaves a target alone after several failures in a row, however the [`Cooldown`](super::Cooldown) times one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passive {
    /// How many it takes; 0 counts as 1.
    pub threshold: u32,
    /// How long a failure counts after the one before it, and how long the target is left alone.
    pub interval: Duration,
}

// === impl Passive ===

impl Passive {
    /// Whether a failure at `last` still counts.
    pub(super) fn counts(&self, last: Instant, now: Instant) -> bool {
        now.saturating_duration_since(last) <= bounded(self.interval)
    }

    /// For how long a target is left alone that has failed so often in a row.
    pub(super) fn time(&self, failures: u32) -> Option<Duration> {
        (failures >= self.threshold).then(|| bounded(self.interval))
    }
}
