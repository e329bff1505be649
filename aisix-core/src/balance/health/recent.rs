//! How long answers took of late.

use std::time::Duration;

use parking_lot::Mutex;
use sketches_ddsketch::{Config, DDSketch};

/// How far a quantile may be from what it was, in parts of itself.
const ACCURACY: f64 = 0.01;
/// With this accuracy, enough for any time between [`SHORTEST`] and [`LONGEST`].
const MOST_BUCKETS: u32 = 2_048;
/// Shorter times count as none, in seconds.
const SHORTEST: f64 = 1e-6;
/// Longer times count as this, in seconds.
const LONGEST: f64 = 1e6;
/// How many times are remembered at most.
const MOST: usize = 256;
/// How many it takes to tell what is usual.
const ENOUGH: usize = 20;

/// The last times, between 128 and 256 of them, and their quantiles: DDSketch, by C. Masson et al., "DDSketch: A Fast
/// and Fully-Mergeable Quantile Sketch with Relative-Error Guarantees" (VLDB 2019).
///
/// Such a sketch does not forget. So there are two: when the older one is full, the younger one, which has the later half of what
/// that has, takes its place.
pub(super) struct Recent(Mutex<Sketches>);

struct Sketches {
    older: DDSketch,
    younger: DDSketch,
}

// === impl Recent ===

impl Recent {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Sketches {
            older: empty(),
            younger: empty(),
        }))
    }

    pub(super) fn add(&self, time: Duration) {
        let time = time.as_secs_f64().min(LONGEST);
        let mut sketches = self.0.lock();
        sketches.older.add(time);
        if sketches.older.count() > MOST / 2 {
            sketches.younger.add(time);
        }
        if sketches.older.count() == MOST {
            sketches.older = std::mem::replace(&mut sketches.younger, empty());
        }
    }

    /// The time within which this share of the answers came; `None` if that cannot be told of so few.
    pub(super) fn quantile(&self, share: f64) -> Option<Duration> {
        quantile(&self.0.lock().older, share)
    }

    /// The same of several together.
    pub(super) fn quantile_of<'r>(
        all: impl Iterator<Item = &'r Self>,
        share: f64,
    ) -> Option<Duration> {
        let mut together = empty();
        for recent in all {
            // All have the same buckets.
            together.merge(&recent.0.lock().older).ok()?;
        }
        quantile(&together, share)
    }
}

fn empty() -> DDSketch {
    DDSketch::new(Config::new(ACCURACY, MOST_BUCKETS, SHORTEST))
}

fn quantile(sketch: &DDSketch, share: f64) -> Option<Duration> {
    if sketch.count() < ENOUGH {
        return None;
    }
    let seconds = sketch.quantile(share).ok()??;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(recent: &Recent, millis: impl Iterator<Item = u64>) {
        millis.for_each(|millis| recent.add(Duration::from_millis(millis)));
    }

    fn millis(found: Option<Duration>) -> Option<u128> {
        found.map(|found| found.as_millis())
    }

    #[test]
    fn quantiles_are_within_a_hundredth_of_what_was_seen() {
        let recent = Recent::new();
        add(&recent, 1..=200);
        for (share, exact) in [(0.5, 100.0), (0.95, 190.0), (0.99, 198.0)] {
            let found = recent.quantile(share).unwrap().as_secs_f64() * 1e3;
            assert!((found / exact - 1.0).abs() < 0.02, "{share}: {found}");
        }
    }

    #[test]
    fn of_few_nothing_is_told() {
        let (recent, other) = (Recent::new(), Recent::new());
        add(&recent, std::iter::repeat_n(100, ENOUGH - 1));
        assert_eq!(recent.quantile(0.95), None);
        assert_eq!(
            Recent::quantile_of([&recent, &other].into_iter(), 0.95),
            None
        );
        add(&other, [900].into_iter());
        let together = Recent::quantile_of([&recent, &other].into_iter(), 0.5);
        assert!(matches!(millis(together), Some(99..=101)), "{together:?}");
        add(&recent, [100].into_iter());
        assert!(matches!(millis(recent.quantile(0.95)), Some(99..=101)));
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let recent = Recent::new();
        add(&recent, std::iter::repeat_n(10_000, MOST));
        assert!(recent.quantile(0.5).unwrap() > Duration::from_secs(9));
        add(&recent, std::iter::repeat_n(100, MOST));
        assert!(matches!(millis(recent.quantile(0.999)), Some(99..=101)));
        for _ in 0..10 * MOST {
            add(&recent, [100].into_iter());
            let count = recent.0.lock().older.count();
            assert!((MOST / 2..MOST).contains(&count), "{count}");
        }
    }

    #[test]
    fn any_time_has_its_bucket() {
        let recent = Recent::new();
        let extremes = [Duration::ZERO, Duration::from_nanos(1), Duration::MAX];
        for _ in 0..ENOUGH {
            extremes.iter().for_each(|time| recent.add(*time));
            add(&recent, [1, 6_000_000].into_iter());
        }
        assert_eq!(recent.quantile(0.3), Some(Duration::ZERO));
        assert!(recent.quantile(0.99).unwrap() > Duration::from_secs(900_000));
        assert!(recent.0.lock().older.length() < MOST_BUCKETS as usize);
    }
}
