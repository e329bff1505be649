//! An average that forgets.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How much a new sample weighs.
const ALPHA: f64 = 0.3;
/// The bits of a number that no average can be.
const UNKNOWN: u64 = u64::MAX;

/// An exponentially weighted moving average of times: each sample moves it by three tenths of the way. Lock-free.
pub(super) struct Average(AtomicU64);

// === impl Average ===

impl Average {
    /// One without samples.
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(UNKNOWN))
    }

    /// Adds a sample. The first one is the average.
    pub(super) fn add(&self, sample: Duration) {
        let sample = sample.as_secs_f64();
        let moved = |bits| {
            let average = match bits {
                UNKNOWN => sample,
                bits => {
                    let average = f64::from_bits(bits);
                    average + ALPHA * (sample - average)
                }
            };
            Some(average.to_bits())
        };
        // It cannot fail: there always is a next value.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, moved);
    }

    /// The average; `None` before the first sample.
    pub(super) fn get(&self) -> Option<Duration> {
        match self.0.load(Ordering::Relaxed) {
            UNKNOWN => None,
            bits => Duration::try_from_secs_f64(f64::from_bits(bits)).ok(),
        }
    }
}

impl fmt::Debug for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_moves_the_average_by_three_tenths_of_the_way() {
        let average = Average::new();
        assert_eq!(average.get(), None);
        let mut seen = Vec::new();
        for sample in [1_000, 2_000, 1_300, 0] {
            average.add(Duration::from_millis(sample));
            seen.push(average.get().unwrap().as_secs_f64());
        }
        for (seen, expected) in seen.into_iter().zip([1.0, 1.3, 1.3, 0.91]) {
            assert!((seen - expected).abs() < 1e-9, "{seen} is {expected}");
        }
    }

    #[test]
    fn no_sample_is_lost_between_threads() {
        let (together, alone) = (Average::new(), Average::new());
        together.add(Duration::from_secs(1));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..400).for_each(|_| together.add(Duration::ZERO)));
            }
        });
        alone.add(Duration::from_secs(1));
        (0..1_600).for_each(|_| alone.add(Duration::ZERO));
        assert_eq!(
            together.0.load(Ordering::Relaxed),
            alone.0.load(Ordering::Relaxed)
        );
    }
}
