//! The calls of one subject in a window that slides.

use std::{collections::VecDeque, time::Duration};

use super::{
    count::{Count, Left},
    settings::Rate,
};

/// Calls by the slot of time that they came in; at most one slot more than a window has.
#[derive(Debug, Default)]
pub(super) struct Counter {
    /// First second, length in seconds, calls; the oldest first.
    slots: VecDeque<(u64, u64, u32)>,
    /// When all is forgotten.
    ends: u64,
}

const SLOTS: u64 = 60;

// === impl Counter ===

impl Count for Counter {
    fn left(&mut self, rate: Rate, now: Duration) -> Left {
        let (window, now) = (rate.window.seconds(), now.as_secs());
        while let Some((start, length, _)) = self.slots.front() {
            if start + length + window > now {
                break;
            }
            self.slots.pop_front();
        }
        let taken = self.slots.iter().map(|(_, _, calls)| *calls);
        let taken = taken.fold(0, u32::saturating_add);
        Left {
            calls: rate.limit.get().saturating_sub(taken),
            wait: None,
            reset: Duration::from_secs(window),
        }
    }

    fn take(&mut self, rate: Rate, now: Duration) {
        let (window, now) = (rate.window.seconds(), now.as_secs());
        let length = window.div_ceil(SLOTS);
        self.ends = now + length + window;
        match self.slots.back_mut() {
            Some((start, length, calls)) if now < *start + *length => *calls += 1,
            _ => self.slots.push_back((now, length, 1)),
        }
    }

    fn ends(&self) -> Duration {
        Duration::from_secs(self.ends)
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
    fn a_place_comes_back_when_its_call_has_left_the_window() {
        let (mut counter, rate) = (Counter::default(), rate(2, "10s"));
        counter.take(rate, seconds(0));
        counter.take(rate, seconds(5));
        for (now, left) in [(5, 0), (10, 0), (11, 1), (15, 1), (16, 2)] {
            assert_eq!(counter.left(rate, seconds(now)).calls, left, "{now}");
        }
    }

    #[test]
    fn a_long_window_has_few_slots() {
        let (mut counter, rate) = (Counter::default(), rate(1_000_000, "1d"));
        for now in 0..86_400 {
            counter.take(rate, seconds(now));
        }
        assert_eq!(
            counter.left(rate, seconds(86_399)).calls,
            1_000_000 - 86_400
        );
        assert_eq!(counter.slots.len(), 60);
    }
}
