//! Summaries of durations: count and sum of all time, quantiles of the last minutes.

use std::{
    array,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use super::{
    cell::Cell,
    histogram::nanos,
    text::{Value, sample},
};

const QUANTILES: [(f64, &str); 4] = [
    (0.5, "quantile=\"0.5\""),
    (0.9, "quantile=\"0.9\""),
    (0.95, "quantile=\"0.95\""),
    (0.99, "quantile=\"0.99\""),
];

/// Buckets for each doubling.
const STEPS: u64 = 4;
/// Values are told apart from 2^17 ns (131 µs) …
const LOWEST: u64 = 17;
/// … to 2^40 ns (18 minutes).
const HIGHEST: u64 = 40;
const BUCKETS: usize = ((HIGHEST - LOWEST) * STEPS) as usize;

/// Durations in buckets that grow by a fifth: quantiles are right within a tenth, and the size is
/// fixed (750 bytes), whatever is recorded.
///
/// Quantiles cover the minute that runs and the one before it.
pub(super) struct Summary {
    count: AtomicU64,
    sum: AtomicU64,
    windows: [Window; 2],
}

struct Window {
    minute: AtomicU64,
    buckets: [AtomicU32; BUCKETS],
}

// === impl Summary ===

impl Summary {
    pub(super) fn record(&self, value: Duration, minute: u64) {
        let nanos = nanos(value);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(nanos, Ordering::Relaxed);
        let window = &self.windows[(minute % 2) as usize];
        if window.is_open(minute) {
            window.buckets[bucket(nanos)].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counts of the windows that are not too old.
    fn recent(&self, minute: u64) -> [u64; BUCKETS] {
        let windows = self.windows.iter();
        let recent: Vec<&Window> = windows
            .filter(|window| window.minute.load(Ordering::Relaxed) + 1 >= minute)
            .collect();
        array::from_fn(|at| {
            let counts = recent.iter().map(|window| &window.buckets[at]);
            counts.map(|c| u64::from(c.load(Ordering::Relaxed))).sum()
        })
    }
}

impl Default for Summary {
    fn default() -> Self {
        let window = || Window {
            minute: AtomicU64::new(0),
            buckets: array::from_fn(|_| AtomicU32::new(0)),
        };
        Self {
            count: AtomicU64::new(0),
            sum: AtomicU64::new(0),
            windows: [window(), window()],
        }
    }
}

impl Cell for Summary {
    const KIND: &'static str = "summary";

    fn write(&self, out: &mut String, name: &str, labels: &str, minute: u64) {
        let recent = self.recent(minute);
        for (rank, label) in QUANTILES {
            let value = Value::Float(quantile(&recent, rank));
            sample(out, name, labels, label, value);
        }
        let sum = self.sum.load(Ordering::Relaxed) as f64 / 1e9;
        let count = self.count.load(Ordering::Relaxed);
        sample(out, &format!("{name}_sum"), labels, "", Value::Float(sum));
        let count = Value::Whole(count.into());
        sample(out, &format!("{name}_count"), labels, "", count);
    }
}

// === impl Window ===

impl Window {
    /// Empties the window when it is an older minute's. What others add at that very moment may be
    /// lost, from quantiles only.
    fn is_open(&self, minute: u64) -> bool {
        let held = self.minute.load(Ordering::Relaxed);
        if held >= minute {
            return held == minute;
        }
        let taken =
            self.minute
                .compare_exchange(held, minute, Ordering::Relaxed, Ordering::Relaxed);
        if taken.is_ok() {
            for bucket in &self.buckets {
                bucket.store(0, Ordering::Relaxed);
            }
        }
        true
    }
}

fn bucket(nanos: u64) -> usize {
    let nanos = nanos.clamp(1 << LOWEST, (1 << HIGHEST) - 1);
    let octave = u64::from(nanos.ilog2());
    let step = ((nanos - (1 << octave)) * STEPS) >> octave;
    ((octave - LOWEST) * STEPS + step) as usize
}

/// The lower bound of a bucket in seconds.
fn lower(bucket: usize) -> f64 {
    let (octave, step) = (bucket as u64 / STEPS + LOWEST, bucket as u64 % STEPS);
    let base = (octave as f64).exp2() / 1e9;
    base * (1.0 + step as f64 / STEPS as f64)
}

fn quantile(counts: &[u64; BUCKETS], rank: f64) -> f64 {
    let total: u64 = counts.iter().sum();
    if total == 0 {
        return f64::NAN;
    }
    let wanted = rank * total as f64;
    let mut seen = 0.0;
    for (at, count) in counts.iter().enumerate() {
        let count = *count as f64;
        if count > 0.0 && seen + count >= wanted {
            let (low, high) = (lower(at), lower(at + 1));
            return low + (high - low) * (wanted - seen) / count;
        }
        seen += count;
    }
    lower(BUCKETS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p50(summary: &Summary, minute: u64) -> f64 {
        quantile(&summary.recent(minute), 0.5)
    }

    #[test]
    fn quantiles_are_right_within_a_tenth() {
        for millis in [1, 3, 17, 250, 1_000, 45_000, 600_000] {
            let summary = Summary::default();
            for part in 1..=1_000 {
                summary.record(Duration::from_millis(millis) * part / 500, 0);
            }
            let (found, real) = (p50(&summary, 0), millis as f64 / 1e3);
            assert!((found / real - 1.0).abs() < 0.1, "{found} for {real}");
        }
    }

    #[test]
    fn quantiles_forget_after_two_minutes() {
        let summary = Summary::default();
        summary.record(Duration::from_secs(8), 5);
        assert!(p50(&summary, 6) > 7.0);
        assert!(p50(&summary, 7).is_nan());
        summary.record(Duration::from_millis(1), 7);
        assert!(p50(&summary, 7) < 0.1);
        assert_eq!(summary.count.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn any_duration_has_a_bucket() {
        for value in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            Summary::default().record(value, u64::MAX);
        }
        for at in 0..BUCKETS {
            assert_eq!(bucket((lower(at) * 1e9) as u64 + 1), at);
        }
    }
}
