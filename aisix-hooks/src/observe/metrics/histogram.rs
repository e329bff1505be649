//! Histograms of durations.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    cell::Cell,
    text::{Value, sample},
};

/// Counts durations between fixed bounds.
pub(super) struct Histogram {
    bounds: Arc<Bounds>,
    /// One for each bound, and one for what is above all of them. Not cumulative.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// The bounds of a family.
pub(super) struct Bounds {
    nanos: Box<[u64]>,
    /// `le="0.005"`, and `le="+Inf"` at the end.
    labels: Box<[String]>,
}

// === impl Bounds ===

impl Bounds {
    /// Bounds in seconds. They are sorted, and what is no positive number is left out.
    pub(super) fn new(seconds: &[f64]) -> Self {
        let mut seconds: Vec<f64> = seconds
            .iter()
            .copied()
            .filter(|bound| bound.is_finite() && *bound > 0.0)
            .collect();
        seconds.sort_by(f64::total_cmp);
        seconds.dedup();
        let labels = seconds.iter().map(|bound| format!("le=\"{bound}\""));
        Self {
            labels: labels.chain(["le=\"+Inf\"".to_owned()]).collect(),
            nanos: seconds.iter().map(|bound| (bound * 1e9) as u64).collect(),
        }
    }
}

// === impl Histogram ===

impl Histogram {
    pub(super) fn new(bounds: Arc<Bounds>) -> Self {
        Self {
            buckets: bounds.labels.iter().map(|_| AtomicU64::new(0)).collect(),
            bounds,
            sum: AtomicU64::new(0),
        }
    }

    pub(super) fn record(&self, value: Duration) {
        let nanos = nanos(value);
        let at = self.bounds.nanos.partition_point(|bound| *bound < nanos);
        self.buckets[at].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Cell for Histogram {
    const KIND: &'static str = "histogram";

    fn write(&self, out: &mut String, name: &str, labels: &str, _: u64) {
        let bucket = format!("{name}_bucket");
        let mut count = 0;
        for (cell, label) in self.buckets.iter().zip(&self.bounds.labels) {
            count += i128::from(cell.load(Ordering::Relaxed));
            sample(out, &bucket, labels, label, Value::Whole(count));
        }
        let sum = self.sum.load(Ordering::Relaxed) as f64 / 1e9;
        sample(out, &format!("{name}_sum"), labels, "", Value::Float(sum));
        sample(
            out,
            &format!("{name}_count"),
            labels,
            "",
            Value::Whole(count),
        );
    }
}

pub(super) fn nanos(value: Duration) -> u64 {
    value.as_nanos().try_into().unwrap_or(u64::MAX)
}
