//! When to try again.

use std::time::Duration;

use super::Backoff;

/// Pauses between attempts.
#[derive(Debug)]
pub(super) struct Pace {
    backoff: Backoff,
    endpoints: u32,
    /// How often it failed since the last clean stretch.
    failures: u32,
    last: Duration,
}

// === impl Pace ===

impl Pace {
    pub(super) fn new(backoff: Backoff, endpoints: usize) -> Self {
        Self {
            backoff,
            endpoints: u32::try_from(endpoints).unwrap_or(u32::MAX).max(1),
            failures: 0,
            last: Duration::ZERO,
        }
    }

    /// The pause after a failure; `lasted` is for how long it went well before. `jitter` is in 0..1.
    pub(super) fn pause(&mut self, lasted: Duration, jitter: f64) -> Duration {
        if lasted > self.last {
            self.failures = 0;
        }
        let tried_all = self.failures % self.endpoints == self.endpoints - 1;
        let rounds = self.failures / self.endpoints;
        self.failures = self.failures.saturating_add(1);
        if !tried_all {
            // Another endpoint may do better; a tenth keeps a lost race from being a busy loop.
            return self.backoff.least.mul_f64(0.1 * jitter);
        }
        let full = self.backoff.least.saturating_mul(1 << rounds.min(20));
        let full = full.min(self.backoff.most);
        self.last = full.mul_f64(0.5 + 0.5 * jitter);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Duration = Duration::ZERO;

    #[test]
    fn pauses_double_and_start_over_after_a_clean_stretch() {
        let mut pace = Pace::new(Backoff::default(), 1);
        let seconds: Vec<u64> = (0..9).map(|_| pace.pause(NONE, 1.0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(pace.pause(Duration::from_secs(59), 0.0).as_secs(), 30);
        assert_eq!(pace.pause(Duration::from_secs(61), 1.0).as_secs(), 1);
    }

    #[test]
    fn all_endpoints_are_tried_before_a_long_pause() {
        let mut pace = Pace::new(Backoff::default(), 3);
        let millis: Vec<u128> = (0..6).map(|_| pace.pause(NONE, 1.0).as_millis()).collect();
        assert_eq!(millis, [100, 100, 1_000, 100, 100, 2_000]);
    }
}
