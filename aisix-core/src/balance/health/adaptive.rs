//! A limit of concurrency that finds out by itself what a target can take.

use std::{fmt, num::NonZeroU32, sync::Arc, time::Duration};

use http::StatusCode;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Verdict, verdict::Cause};

/// What is left of the limit after a sign of overload.
const DECREASE: f64 = 0.7;
/// How much a new latency weighs in the average of late, and in the long one.
const LATELY: f64 = 0.1;
const LONG: f64 = 0.01;
/// By how much of the difference the least long average rises with each answer, so that a target may become slower
/// for good.
const DRIFT: f64 = 0.001;
/// Averages of fewer answers say nothing.
const ENOUGH: u32 = 20;

/// How a target's limit of concurrency is found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptive {
    /// The greatest limit, and the first one.
    pub max: NonZeroU32,
    /// How many times slower than at its best the target is when it is taken to be overloaded. `0`: latency is not
    /// looked at. By default 2.
    pub latency_factor: f64,
}

/// A limit of concurrency that finds out by itself what a target can take: additive increase, multiplicative
/// decrease (AIMD), as in TCP (RFC 5681) and in `AIMDLimit` of Netflix's concurrency-limits.
///
/// The limit begins at its maximum. It grows by one when as many calls as it allows have succeeded while half of it
/// or more was in use. It is multiplied by 0.7 when the target answers 429, when a deadline passes, or when the
/// latency of late (an average of about ten answers) is more than `latency_factor` times the least that the long
/// average (about a hundred) has been. As in TCP, one overload is one decrease: calls that had begun before it are
/// not counted again. The limit is never less than 1.
///
/// Feed it with latencies that can be compared: of chats, the time to the first token.
pub struct AdaptiveLimit(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// `None` before the first call: the maximum.
    limit: Option<f64>,
    under_way: u32,
    /// Calls that succeeded since the limit was changed.
    successes: u32,
    lately: Mean,
    long: Mean,
    /// The least that `long` has been.
    best: Option<f64>,
    decreased: Option<Instant>,
}

/// A moving average that is a plain one in the beginning.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    value: f64,
    samples: u32,
}

/// A place within an [`AdaptiveLimit`], given back when dropped.
#[must_use = "the place is given back when this is dropped"]
pub struct Place {
    limit: Arc<AdaptiveLimit>,
    began: Instant,
    /// Whether half of the limit or more was in use.
    is_busy: bool,
}

// === impl Adaptive ===

impl Adaptive {
    /// Settings with this maximum.
    pub fn new(max: NonZeroU32) -> Self {
        Self {
            max,
            latency_factor: 2.0,
        }
    }
}

// === impl AdaptiveLimit ===

impl AdaptiveLimit {
    /// One that knows nothing of its target.
    pub fn new() -> Self {
        Self(Mutex::default())
    }

    /// Takes a place; `None` when all are taken.
    pub fn admit(self: &Arc<Self>, now: Instant, settings: &Adaptive) -> Option<Place> {
        let mut inner = self.0.lock();
        let limit = inner.limit(settings);
        if inner.under_way >= limit {
            return None;
        }
        inner.under_way += 1;
        Some(Place {
            limit: self.clone(),
            began: now,
            is_busy: inner.under_way.saturating_mul(2) >= limit,
        })
    }

    /// How many calls may be under way.
    pub fn current(&self, settings: &Adaptive) -> u32 {
        self.0.lock().limit(settings)
    }

    /// How many are.
    pub fn under_way(&self) -> u32 {
        self.0.lock().under_way
    }
}

impl Default for AdaptiveLimit {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AdaptiveLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.lock().fmt(f)
    }
}

// === impl Place ===

impl Place {
    /// Gives the place back with what became of the call. `latency` is of a success, if it can be compared.
    pub fn ended(
        self,
        now: Instant,
        verdict: &Verdict,
        latency: Option<Duration>,
        settings: &Adaptive,
    ) {
        let mut inner = self.limit.0.lock();
        if inner.decreased.is_some_and(|at| self.began <= at) {
            return;
        }
        let is_overload = match verdict {
            Verdict::Success => {
                latency.is_some_and(|latency| inner.is_slow(latency, settings.latency_factor))
            }
            Verdict::Failure(failure) => match failure.cause {
                Cause::Status(status) => status == StatusCode::TOO_MANY_REQUESTS,
                cause => cause == Cause::Timeout,
            },
            Verdict::Nothing => false,
        };
        if is_overload {
            inner.decrease(now, settings);
        } else if *verdict == Verdict::Success && self.is_busy {
            inner.succeeded(settings);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.limit.0.lock().under_way -= 1;
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("began", &self.began)
            .finish_non_exhaustive()
    }
}

// === impl Inner ===

impl Inner {
    fn exact(&self, settings: &Adaptive) -> f64 {
        let max = f64::from(settings.max.get());
        self.limit.unwrap_or(max).clamp(1.0, max)
    }

    fn limit(&self, settings: &Adaptive) -> u32 {
        // It is between 1 and a `u32`.
        self.exact(settings) as u32
    }

    fn succeeded(&mut self, settings: &Adaptive) {
        self.successes += 1;
        if self.successes >= self.limit(settings) {
            self.successes = 0;
            self.limit = Some(self.exact(settings) + 1.0);
        }
    }

    fn decrease(&mut self, now: Instant, settings: &Adaptive) {
        self.limit = Some(self.exact(settings) * DECREASE);
        self.successes = 0;
        self.decreased = Some(now);
        // What was slow does not count against the smaller limit.
        self.lately = Mean::default();
    }

    /// Takes note of a latency, and says whether those of late are too long.
    fn is_slow(&mut self, latency: Duration, factor: f64) -> bool {
        if let Some(long) = self.long.add(latency, LONG) {
            let best = self.best.unwrap_or(long);
            self.best = Some(long.min(best + DRIFT * (long - best)));
        }
        match (self.lately.add(latency, LATELY), self.best) {
            (Some(lately), Some(best)) => factor > 0.0 && lately > factor * best,
            _ => false,
        }
    }
}

// === impl Mean ===

impl Mean {
    /// Adds a sample; the mean, if there are enough.
    fn add(&mut self, sample: Duration, weight: f64) -> Option<f64> {
        self.samples = self.samples.saturating_add(1);
        let weight = weight.max(1.0 / f64::from(self.samples));
        self.value += weight * (sample.as_secs_f64() - self.value);
        (self.samples >= ENOUGH).then_some(self.value)
    }
}
