//! The calls of one subject, spread evenly over a window: the generic cell rate algorithm.

use std::{cell::Cell, num::NonZeroU32, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::StateInformationMiddleware,
    nanos::Nanos,
    state::{NotKeyed, StateStore},
};

use super::{
    count::{Count, Left},
    settings::Rate,
};

/// What a subject has used: when it would have all its calls again, and the time from one to the next.
#[derive(Debug, Default)]
pub(super) struct Gcra {
    full: Option<Duration>,
    period: Duration,
}

/// A moment, told to the limiter: it is made at the beginning of time, and asked at the end.
#[derive(Clone)]
struct Moment<'a>(&'a Cell<Nanos>);

/// What the limiter knows of the subject.
struct State<'a>(&'a Cell<Option<Nanos>>);

/// A limiter that tells what is left.
type Limiter<'a> = RateLimiter<NotKeyed, State<'a>, Moment<'a>, StateInformationMiddleware>;

// === impl Gcra ===

impl Gcra {
    /// Asks whether a call may come; gives what is left and when all would be there again if it does.
    fn ask(&self, rate: Rate, now: Duration) -> (Left, Option<Duration>) {
        let full = self.full(rate, now);
        let state = Cell::new(full.map(Nanos::from));
        let moment = Cell::new(Nanos::from(0));
        let limiter = Limiter::new(quota(rate), State(&state), Moment(&moment));
        moment.set(now.into());
        let left = match limiter.check() {
            Ok(snapshot) => Left {
                calls: snapshot.remaining_burst_capacity().saturating_add(1),
                wait: None,
                reset: full.unwrap_or_default().saturating_sub(now),
            },
            Err(not_until) => Left {
                calls: 0,
                wait: Some(not_until.wait_time_from(now.into())),
                reset: full.unwrap_or_default().saturating_sub(now),
            },
        };
        (left, state.get().map(Duration::from))
    }

    /// When all calls are there again: as many are used as before the rate was changed, but no more than all.
    fn full(&self, rate: Rate, now: Duration) -> Option<Duration> {
        let full = self.full?;
        let (before, period) = (self.period.as_nanos(), period(rate));
        if before == period.as_nanos() {
            return Some(full);
        }
        let used = full.saturating_sub(now).as_nanos() * period.as_nanos() / before.max(1);
        let used = u64::try_from(used).map_or(Duration::MAX, Duration::from_nanos);
        Some(now + used.min(Duration::from_secs(rate.window.seconds())))
    }
}

impl Count for Gcra {
    fn left(&mut self, rate: Rate, now: Duration) -> Left {
        self.ask(rate, now).0
    }

    fn take(&mut self, rate: Rate, now: Duration) {
        self.full = self.ask(rate, now).1;
        self.period = period(rate);
    }

    fn ends(&self) -> Duration {
        self.full.unwrap_or_default()
    }
}

/// The time from one call to the next.
fn period(rate: Rate) -> Duration {
    let period = Duration::from_secs(rate.window.seconds()) / rate.limit.get();
    period.max(Duration::from_nanos(1))
}

fn quota(rate: Rate) -> Quota {
    Quota::with_period(period(rate))
        .unwrap_or_else(|| Quota::per_second(NonZeroU32::MAX))
        .allow_burst(rate.limit)
}

// === impl Moment ===

impl Clock for Moment<'_> {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.get()
    }
}

// === impl State ===

impl StateStore for State<'_> {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        decide(self.0.get()).map(|(said, full)| {
            self.0.set(Some(full));
            said
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn rate(limit: u32, window: &str) -> Rate {
        serde_json::from_value(json!({"limit": limit, "window": window})).unwrap()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn calls_come_back_one_by_one() {
        let (mut gcra, rate) = (Gcra::default(), rate(3, "30s"));
        let start = seconds(100);
        for left in [3, 2, 1] {
            assert_eq!(gcra.left(rate, start).calls, left);
            gcra.take(rate, start);
        }
        let left = gcra.left(rate, start);
        assert_eq!(
            (left.calls, left.wait, left.reset),
            (0, Some(seconds(10)), seconds(30))
        );
        for (later, calls) in [(9, 0), (10, 1), (20, 2), (30, 3), (1_000, 3)] {
            assert_eq!(gcra.left(rate, start + seconds(later)).calls, calls);
        }
    }

    #[test]
    fn a_refused_call_does_not_count() {
        let (mut gcra, rate) = (Gcra::default(), rate(1, "10s"));
        gcra.take(rate, seconds(0));
        for now in 1..10 {
            let wait = gcra.left(rate, seconds(now)).wait;
            assert_eq!(wait, Some(seconds(10 - now)));
            gcra.take(rate, seconds(now));
        }
        assert_eq!(gcra.left(rate, seconds(10)).calls, 1);
    }

    #[test]
    fn another_rate_finds_as_many_calls_used() {
        let mut gcra = Gcra::default();
        for _ in 0..2 {
            gcra.take(rate(4, "1d"), seconds(0));
        }
        for (limit, window, calls, wait) in [
            (5, "1d", 3, None),
            (4, "10s", 2, None),
            (2, "10s", 0, Some(5)),
            (1, "10s", 0, Some(10)),
        ] {
            let left = gcra.left(rate(limit, window), seconds(0));
            assert_eq!((left.calls, left.wait), (calls, wait.map(seconds)));
        }
    }

    #[test]
    fn the_largest_rates_are_counted() {
        for (limit, window) in [(u32::MAX, "1s"), (u32::MAX, "366d"), (1, "366d")] {
            let (mut gcra, rate) = (Gcra::default(), rate(limit, window));
            assert!(gcra.left(rate, seconds(0)).calls >= 1);
            gcra.take(rate, seconds(0));
            assert!(gcra.left(rate, seconds(0)).calls < limit);
        }
    }
}
