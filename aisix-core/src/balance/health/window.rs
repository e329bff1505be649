//! Successes and failures of late.

use std::time::Duration;

use tokio::time::Instant;

/// In how many steps the window moves on.
const BUCKETS: usize = 10;

/// Counts of the last so many seconds, in buckets: what is counted falls out in steps of a tenth of the window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// The time that a bucket stands for.
    width: Duration,
    /// When the current bucket began.
    start: Instant,
    current: usize,
    buckets: [Counts; BUCKETS],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) total: u32,
    pub(super) failed: u32,
}

// === impl Window ===

impl Window {
    /// An empty window of this length, which must not be zero.
    pub(super) fn new(now: Instant, length: Duration) -> Self {
        Self {
            width: length / BUCKETS as u32,
            start: now,
            current: 0,
            buckets: [Counts::default(); BUCKETS],
        }
    }

    /// Whether the window has this length.
    pub(super) fn has_length(&self, length: Duration) -> bool {
        self.width == length / BUCKETS as u32
    }

    /// Counts a result, and tells how many there are in the window.
    pub(super) fn record(&mut self, now: Instant, is_failure: bool) -> Counts {
        self.advance(now);
        let bucket = &mut self.buckets[self.current];
        bucket.total = bucket.total.saturating_add(1);
        bucket.failed = bucket.failed.saturating_add(u32::from(is_failure));
        let sum = |sum: Counts, bucket: &Counts| Counts {
            total: sum.total.saturating_add(bucket.total),
            failed: sum.failed.saturating_add(bucket.failed),
        };
        self.buckets.iter().fold(Counts::default(), sum)
    }

    /// Empties the buckets whose time has come. A time before the current bucket belongs to it.
    fn advance(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.start).as_nanos();
        let steps = passed / self.width.as_nanos().max(1);
        if steps >= BUCKETS as u128 {
            *self = Self {
                width: self.width,
                ..Self::new(now, self.width * BUCKETS as u32)
            };
            return;
        }
        for _ in 0..steps {
            self.current = (self.current + 1) % BUCKETS;
            self.buckets[self.current] = Counts::default();
            self.start += self.width;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_fall_out_of_the_window_in_steps() {
        let start = Instant::now();
        let mut window = Window::new(start, Duration::from_secs(10));
        let mut at = |seconds: f64, is_failure| {
            let Counts { total, failed } =
                window.record(start + Duration::from_secs_f64(seconds), is_failure);
            (total, failed)
        };
        assert_eq!(at(0.0, true), (1, 1));
        assert_eq!(at(0.9, true), (2, 2));
        assert_eq!(at(5.5, false), (3, 2));
        assert_eq!(at(9.9, false), (4, 2), "all of it is in the window");
        assert_eq!(at(10.1, true), (3, 1), "the first second is not");
        assert_eq!(at(9.0, false), (4, 1), "late, and counted");
        assert_eq!(at(19.95, false), (3, 1), "what 10.1 and 9.0 were");
        assert_eq!(at(60.0, false), (1, 0), "everything is long ago");
    }
}
