use std::num::NonZeroU32;

use super::*;

struct Limit {
    limit: Arc<AdaptiveLimit>,
    settings: Adaptive,
    start: Instant,
}

impl Limit {
    fn new(max: u32) -> Self {
        Self {
            limit: Arc::new(AdaptiveLimit::new()),
            settings: Adaptive::new(NonZeroU32::new(max).unwrap()),
            start: Instant::now(),
        }
    }

    fn at(&self, millis: u64) -> Instant {
        self.start + Duration::from_millis(millis)
    }

    fn current(&self) -> u32 {
        self.limit.current(&self.settings)
    }

    /// As many calls as there is room for.
    fn fill(&self, millis: u64) -> Vec<Place> {
        let now = self.at(millis);
        std::iter::from_fn(|| self.limit.admit(now, &self.settings)).collect()
    }

    fn end(&self, place: Place, millis: u64, verdict: Verdict, latency: Option<u64>) {
        let latency = latency.map(Duration::from_millis);
        place.ended(self.at(millis), &verdict, latency, &self.settings);
    }

    /// One call after the other, each with this latency.
    fn calls(&self, count: u32, millis: u64, latency: u64) {
        for _ in 0..count {
            let place = self.limit.admit(self.at(millis), &self.settings).unwrap();
            self.end(place, millis, Verdict::Success, Some(latency));
        }
    }
}

#[test]
fn it_begins_at_the_maximum_and_takes_no_more_calls_than_it_says() {
    let limit = Limit::new(10);
    let places = limit.fill(0);
    assert_eq!((places.len(), limit.limit.under_way()), (10, 10));
    drop(places);
    assert_eq!((limit.current(), limit.limit.under_way()), (10, 0));
}

#[test]
fn a_429_takes_three_tenths_away_once_for_all_calls_that_had_begun() {
    let limit = Limit::new(10);
    for place in limit.fill(0) {
        limit.end(place, 1, status(429), None);
    }
    assert_eq!(limit.current(), 7);
    let mut seen = Vec::new();
    for millis in 2..12 {
        let place = limit.fill(millis).swap_remove(0);
        limit.end(place, millis, status(429), None);
        seen.push(limit.current());
    }
    assert_eq!(seen, [4, 3, 2, 1, 1, 1, 1, 1, 1, 1], "and one is left");
}

#[test]
fn a_deadline_that_passes_is_a_sign_of_overload_and_other_failures_are_not() {
    for (verdict, expected) in [
        (failed(ErrorKind::Timeout), 7),
        (failed(ErrorKind::Transport), 10),
        (status(500), 10),
        (status(503), 10),
        (Verdict::Nothing, 10),
    ] {
        let limit = Limit::new(10);
        let place = limit.fill(0).swap_remove(0);
        limit.end(place, 1, verdict, None);
        assert_eq!(limit.current(), expected, "{verdict:?}");
    }
}

#[test]
fn it_grows_by_one_for_each_window_of_successes_up_to_the_maximum() {
    let limit = Limit::new(5);
    let place = limit.fill(0).swap_remove(0);
    limit.end(place, 1, status(429), None);
    let mut seen = vec![limit.current()];
    for millis in 2..8 {
        for place in limit.fill(millis) {
            limit.end(place, millis, Verdict::Success, None);
        }
        seen.push(limit.current());
    }
    // Of each window, the first call comes while less than half of the limit is in use.
    assert_eq!(seen, [3, 3, 4, 5, 5, 5, 5]);
}

#[test]
fn a_limit_that_is_not_used_does_not_grow() {
    let limit = Limit::new(100);
    let place = limit.fill(0).swap_remove(0);
    limit.end(place, 1, status(429), None);
    limit.calls(10_000, 2, 10);
    assert_eq!(limit.current(), 70);
}

#[test]
fn a_target_that_becomes_slow_gets_less() {
    let limit = Limit::new(10);
    limit.calls(200, 0, 100);
    limit.calls(200, 1, 190);
    assert_eq!(limit.current(), 10, "not twice as slow");
    limit.calls(30, 2, 300);
    assert_eq!(limit.current(), 7);

    let mut indifferent = Limit::new(10);
    indifferent.settings.latency_factor = 0.0;
    indifferent.calls(200, 0, 100);
    indifferent.calls(200, 1, 9_000);
    assert_eq!(indifferent.current(), 10);
}

#[test]
fn a_few_latencies_say_nothing() {
    let limit = Limit::new(10);
    limit.calls(10, 0, 100);
    limit.calls(9, 1, 10_000);
    assert_eq!(limit.current(), 10);
}

#[test]
fn what_is_slow_for_good_becomes_the_measure() {
    let limit = Limit::new(10);
    limit.calls(200, 0, 100);
    for millis in 1..300 {
        limit.calls(1, millis, 300);
    }
    assert_eq!(limit.current(), 3, "it is taken for an overload");
    for millis in 300..4_000 {
        limit.calls(1, millis, 300);
    }
    for millis in 4_000..4_200 {
        for place in limit.fill(millis) {
            limit.end(place, millis, Verdict::Success, Some(300));
        }
    }
    assert_eq!(limit.current(), 10);
}

#[test]
fn a_smaller_maximum_applies_at_once() {
    let mut limit = Limit::new(10);
    let places = limit.fill(0);
    limit.settings.max = NonZeroU32::new(4).unwrap();
    assert_eq!(limit.current(), 4);
    assert!(limit.fill(0).is_empty());
    drop(places);
    assert_eq!(limit.fill(0).len(), 4);
    limit.settings.max = NonZeroU32::new(20).unwrap();
    assert_eq!(limit.current(), 20);
}
