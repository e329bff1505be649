//! The calls of one subject in a window that slides.

use std::collections::VecDeque;

use super::settings::Rate;

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

impl Counter {
    /// How many calls may still come.
    pub(super) fn left(&mut self, rate: Rate, now: u64) -> u32 {
        let window = rate.window.seconds();
        while let Some((start, length, _)) = self.slots.front() {
            if start + length + window > now {
                break;
            }
            self.slots.pop_front();
        }
        let taken = self.slots.iter().map(|(_, _, calls)| *calls);
        let taken = taken.fold(0, u32::saturating_add);
        rate.limit.get().saturating_sub(taken)
    }

    /// Counts a call.
    pub(super) fn take(&mut self, rate: Rate, now: u64) {
        let window = rate.window.seconds();
        let length = window.div_ceil(SLOTS);
        self.ends = now + length + window;
        match self.slots.back_mut() {
            Some((start, length, calls)) if now < *start + *length => *calls += 1,
            _ => self.slots.push_back((now, length, 1)),
        }
    }

    /// When it can be forgotten.
    pub(super) fn ends(&self) -> u64 {
        self.ends
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

    #[test]
    fn a_place_comes_back_when_its_call_has_left_the_window() {
        let (mut counter, rate) = (Counter::default(), rate(2, "10s"));
        counter.take(rate, 0);
        counter.take(rate, 5);
        for (now, left) in [(5, 0), (10, 0), (11, 1), (15, 1), (16, 2)] {
            assert_eq!(counter.left(rate, now), left, "{now}");
        }
    }

    #[test]
    fn a_long_window_has_few_slots() {
        let (mut counter, rate) = (Counter::default(), rate(1_000_000, "1d"));
        for now in 0..86_400 {
            counter.take(rate, now);
        }
        assert_eq!(counter.left(rate, 86_399), 1_000_000 - 86_400);
        assert_eq!(counter.slots.len(), 60);
    }
}
