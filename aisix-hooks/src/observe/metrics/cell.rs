//! Numbers that many threads add to.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::text::{Value, sample};

/// What one series of a family holds.
pub(super) trait Cell: Send + Sync {
    /// The type, as the format names it.
    const KIND: &'static str;

    /// Writes the samples of the series. `minute` is the present one.
    fn write(&self, out: &mut String, name: &str, labels: &str, minute: u64);
}

/// A number that only grows.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

/// Dollars, counted in billionths and told in millionths.
#[derive(Default)]
pub(super) struct Spend(AtomicU64);

/// A number that goes up and down.
#[derive(Default)]
pub(super) struct Gauge(AtomicI64);

// === impl Counter ===

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}

impl Cell for Counter {
    const KIND: &'static str = "counter";

    fn write(&self, out: &mut String, name: &str, labels: &str, _: u64) {
        let value = self.0.load(Ordering::Relaxed).into();
        sample(out, name, labels, "", Value::Whole(value));
    }
}

// === impl Spend ===

impl Spend {
    /// Adds dollars; what is no amount of money is left out.
    pub(super) fn add(&self, dollars: f64) {
        // Saturates, and takes NaN and what is negative for 0.
        self.0
            .fetch_add((dollars * 1e9).round() as u64, Ordering::Relaxed);
    }
}

impl Cell for Spend {
    const KIND: &'static str = "counter";

    fn write(&self, out: &mut String, name: &str, labels: &str, _: u64) {
        let micros = self.0.load(Ordering::Relaxed) as f64 / 1e3;
        sample(out, name, labels, "", Value::Float(micros));
    }
}

// === impl Gauge ===

impl Gauge {
    pub(super) fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }

    pub(super) fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

impl Cell for Gauge {
    const KIND: &'static str = "gauge";

    fn write(&self, out: &mut String, name: &str, labels: &str, _: u64) {
        let value = self.0.load(Ordering::Relaxed).into();
        sample(out, name, labels, "", Value::Whole(value));
    }
}
