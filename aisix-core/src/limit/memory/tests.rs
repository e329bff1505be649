use std::sync::{
    Arc as StdArc,
    atomic::{AtomicU64, Ordering},
};

use super::*;
use crate::{
    config::resource::RateLimit,
    limit::{Rate, Scope, Standing},
};

/// A quarter past a minute that begins an hour and a day, too.
const START: u64 = 86_400 * 20_000 + 15;

struct Bench {
    store: Memory,
    clock: StdArc<AtomicU64>,
}

impl Bench {
    fn new() -> Self {
        let clock = StdArc::new(AtomicU64::new(START));
        let read = clock.clone();
        let store = Memory::with_clock(move || read.load(Ordering::Relaxed));
        Self { store, clock }
    }

    fn at(&self, offset: i64) {
        let now = START.saturating_add_signed(offset);
        self.clock.store(now, Ordering::Relaxed);
    }

    fn take(&self, limits: &[&Arc<Limit>], tokens: u64) -> Result<Permit, (Rate, Option<u64>)> {
        let claim = Claim {
            limits: limits.iter().map(|limit| (*limit).clone()).collect(),
            tokens,
        };
        let taken = self.store.try_acquire(&claim);
        taken.map_err(|exceeded| (exceeded.rate, exceeded.retry_after))
    }

    /// How many more calls without tokens there is room for.
    fn room(&self, limit: &Arc<Limit>) -> usize {
        let permits: Vec<_> = std::iter::from_fn(|| self.take(&[limit], 0).ok()).collect();
        permits.len()
    }
}

fn limit(key: &str, rates: RateLimit) -> Arc<Limit> {
    Arc::new(Limit::new(Scope::ApiKey, key, &rates).unwrap())
}

fn rates() -> RateLimit {
    RateLimit::default()
}

/// Runs a test where locks work: with the feature `shuttle`, in one of its executions.
fn run(test: impl Fn() + Send + Sync + 'static) {
    #[cfg(feature = "shuttle")]
    shuttle::check_random(test, 1);
    #[cfg(not(feature = "shuttle"))]
    test();
}

#[test]
fn windows_are_aligned_to_the_clock() {
    run(|| {
        let of = |change: fn(&mut RateLimit)| {
            let mut rates = rates();
            change(&mut rates);
            limit("k", rates)
        };
        for (limit, rate, left) in [
            (of(|r| r.rps = Some(1)), Rate::Rps, 1),
            (of(|r| r.rpm = Some(1)), Rate::Rpm, 45),
            (of(|r| r.rph = Some(1)), Rate::Rph, 3_585),
            (of(|r| r.rpd = Some(1)), Rate::Rpd, 86_385),
        ] {
            let bench = Bench::new();
            let used = |bench: &Bench| {
                let permit = bench.take(&[&limit], 0).unwrap();
                permit.settle(Settlement::Used(0));
            };
            used(&bench);
            assert_eq!(bench.take(&[&limit], 0).unwrap_err(), (rate, Some(left)));
            bench.at(left as i64 - 1);
            assert_eq!(bench.take(&[&limit], 0).unwrap_err(), (rate, Some(1)));
            bench.at(left as i64);
            used(&bench);
        }
    });
}

#[test]
fn all_limits_are_taken_or_none() {
    run(|| {
        let bench = Bench::new();
        let wide = limit(
            "wide",
            RateLimit {
                rpm: Some(3),
                tpm: Some(100),
                concurrency: Some(3),
                ..rates()
            },
        );
        let narrow = limit(
            "narrow",
            RateLimit {
                rph: Some(0),
                ..rates()
            },
        );
        for _ in 0..5 {
            assert_eq!(bench.take(&[&wide, &narrow], 10).unwrap_err().0, Rate::Rph);
            assert_eq!(bench.take(&[&narrow, &wide], 10).unwrap_err().0, Rate::Rph);
        }
        let permit = bench.take(&[&wide], 10).unwrap();
        let remaining: Vec<_> = permit
            .standings()
            .iter()
            .map(|s| (s.rate, s.remaining))
            .collect();
        assert_eq!(
            remaining,
            [(Rate::Concurrency, 2), (Rate::Tpm, 90), (Rate::Rpm, 2)]
        );
    });
}

#[test]
fn what_was_not_used_is_given_back() {
    run(|| {
        let bench = Bench::new();
        let all = RateLimit {
            rps: Some(1),
            rpm: Some(1),
            rph: Some(1),
            rpd: Some(1),
            tpm: Some(5),
            tpd: Some(5),
            concurrency: Some(1),
        };
        let limit = limit("k", all);
        for _ in 0..10 {
            drop(bench.take(&[&limit], 100).unwrap());
            bench
                .take(&[&limit], 100)
                .unwrap()
                .settle(Settlement::Unused);
        }
        bench
            .take(&[&limit], 0)
            .unwrap()
            .settle(Settlement::Used(0));
        assert!(bench.take(&[&limit], 0).is_err());
    });
}

#[test]
fn what_is_given_back_late_does_not_widen_the_next_window() {
    run(|| {
        let bench = Bench::new();
        let limit = limit(
            "k",
            RateLimit {
                rpm: Some(2),
                ..rates()
            },
        );
        let early = bench.take(&[&limit], 0).unwrap();
        bench.at(60);
        let held = bench.take(&[&limit], 0).unwrap();
        drop(early);
        assert_eq!(bench.room(&limit), 1);
        drop(held);
    });
}

#[test]
fn a_call_larger_than_the_whole_limit_passes_alone_in_a_fresh_window() {
    run(|| {
        let bench = Bench::new();
        let limit = limit(
            "k",
            RateLimit {
                tpm: Some(100),
                ..rates()
            },
        );
        let large = bench.take(&[&limit], 5_000).unwrap();
        assert_eq!(large.standings()[0].remaining, 0);
        assert_eq!(
            bench.take(&[&limit], 1).unwrap_err(),
            (Rate::Tpm, Some(45)),
            "nothing is left beside it"
        );
        large.settle(Settlement::Used(4_000));
        assert_eq!(bench.take(&[&limit], 1).unwrap_err(), (Rate::Tpm, Some(45)));
        bench.at(45);
        assert!(bench.take(&[&limit], 5_000).is_ok());
    });
}

#[test]
fn beside_others_the_estimate_must_fit() {
    run(|| {
        let bench = Bench::new();
        let limit = limit(
            "k",
            RateLimit {
                tpm: Some(100),
                ..rates()
            },
        );
        let first = bench.take(&[&limit], 60).unwrap();
        assert!(bench.take(&[&limit], 41).is_err());
        let second = bench.take(&[&limit], 40).unwrap();
        assert!(bench.take(&[&limit], 1).is_err());
        first.settle(Settlement::Used(10));
        assert!(bench.take(&[&limit], 51).is_err());
        let third = bench.take(&[&limit], 50).unwrap();
        second.settle(Settlement::Used(40));
        third.settle(Settlement::Used(51));
        assert!(bench.take(&[&limit], 1).is_err(), "101 of 100 are used");
    });
}

#[test]
fn only_the_last_admitted_call_overshoots_and_by_its_own_excess() {
    run(|| {
        let bench = Bench::new();
        let limit = limit(
            "k",
            RateLimit {
                tpm: Some(1_000),
                ..rates()
            },
        );
        // Each keeps to its estimate except the last, which needs 90 more.
        let mut permits: Vec<_> = std::iter::from_fn(|| bench.take(&[&limit], 300).ok()).collect();
        assert_eq!(permits.len(), 3);
        let last = permits.pop().unwrap();
        permits
            .into_iter()
            .for_each(|permit| permit.settle(Settlement::Used(300)));
        last.settle(Settlement::Used(390));
        // 990 used: alone, one more is admitted by the contract, and it may cross the limit.
        let crossing = bench.take(&[&limit], 300).unwrap();
        assert!(bench.take(&[&limit], 0).is_err() || bench.take(&[&limit], 1).is_err());
        crossing.settle(Settlement::Used(300));
        assert!(bench.take(&[&limit], 0).is_err(), "1290 of 1000 are used");
    });
}

#[test]
fn reservations_hold_through_the_turn_of_a_window() {
    run(|| {
        let bench = Bench::new();
        let limit = limit(
            "k",
            RateLimit {
                tpm: Some(100),
                ..rates()
            },
        );
        let long = bench.take(&[&limit], 80).unwrap();
        bench.at(60);
        assert!(
            bench.take(&[&limit], 30).is_err(),
            "it will count in the new window"
        );
        long.settle(Settlement::Used(80));
        let next = bench.take(&[&limit], 20).unwrap();
        assert_eq!(next.standings()[0].remaining, 0);
    });
}

#[test]
fn a_slot_is_held_until_the_call_is_settled() {
    run(|| {
        let bench = Bench::new();
        let limit = limit(
            "k",
            RateLimit {
                concurrency: Some(2),
                ..rates()
            },
        );
        let (a, b) = (
            bench.take(&[&limit], 0).unwrap(),
            bench.take(&[&limit], 0).unwrap(),
        );
        assert_eq!(
            bench.take(&[&limit], 0).unwrap_err(),
            (Rate::Concurrency, None)
        );
        bench.at(1_000_000);
        assert_eq!(
            bench.take(&[&limit], 0).unwrap_err(),
            (Rate::Concurrency, None),
            "time gives no slot back"
        );
        a.settle(Settlement::Used(5));
        assert_eq!(bench.room(&limit), 1);
        drop(b);
        assert_eq!(bench.room(&limit), 2);
    });
}

#[test]
fn standings_tell_what_is_left_and_until_when() {
    run(|| {
        let bench = Bench::new();
        let both = RateLimit {
            rpm: Some(5),
            tpm: Some(100),
            concurrency: Some(4),
            ..rates()
        };
        let limit = limit("k", both);
        bench
            .take(&[&limit], 10)
            .unwrap()
            .settle(Settlement::Used(30));
        let _held = bench.take(&[&limit], 20).unwrap();
        let permit = bench.take(&[&limit], 25).unwrap();
        let standing = |rate, limit, remaining, reset| Standing {
            rate,
            limit,
            remaining,
            reset,
        };
        assert_eq!(
            permit.standings(),
            [
                standing(Rate::Concurrency, 4, 2, 0),
                standing(Rate::Tpm, 100, 25, 45),
                standing(Rate::Rpm, 5, 2, 45),
            ]
        );
    });
}

#[test]
fn a_clock_that_steps_back_neither_frees_nor_locks() {
    run(|| {
        let bench = Bench::new();
        let limit = limit(
            "k",
            RateLimit {
                rpm: Some(2),
                ..rates()
            },
        );
        bench
            .take(&[&limit], 0)
            .unwrap()
            .settle(Settlement::Used(0));
        bench.at(-20);
        let second = bench.take(&[&limit], 0).unwrap();
        assert!(
            bench.take(&[&limit], 0).is_err(),
            "the window before is not opened again"
        );
        drop(second);
        assert_eq!(
            bench.room(&limit),
            1,
            "what was taken meanwhile is given back"
        );
        bench.at(-3_600);
        assert_eq!(
            bench.room(&limit),
            2,
            "a clock that was wrong by far begins anew"
        );
    });
}

#[test]
fn counts_outlive_a_change_of_the_limit() {
    run(|| {
        let bench = Bench::new();
        let before = limit(
            "k",
            RateLimit {
                rpm: Some(1),
                ..rates()
            },
        );
        bench
            .take(&[&before], 0)
            .unwrap()
            .settle(Settlement::Used(0));
        let after = limit(
            "k",
            RateLimit {
                rpm: Some(3),
                ..rates()
            },
        );
        assert_eq!(bench.room(&after), 2);
        assert_eq!(
            bench.room(&limit(
                "other",
                RateLimit {
                    rpm: Some(3),
                    ..rates()
                }
            )),
            3
        );
    });
}

#[test]
fn a_limit_that_is_named_twice_counts_once() {
    run(|| {
        let bench = Bench::new();
        let limit = limit(
            "k",
            RateLimit {
                rpm: Some(2),
                ..rates()
            },
        );
        let permit = bench.take(&[&limit, &limit], 0).unwrap();
        assert_eq!(permit.standings()[0].remaining, 1);
    });
}

#[test]
fn idle_counters_are_forgotten_and_busy_ones_are_not() {
    run(|| {
        let bench = Bench::new();
        let known = |bench: &Bench| -> usize {
            let shards = bench.store.shards.iter();
            shards
                .map(|shard| unpoison(shard.read()).counters.len())
                .sum()
        };
        let rpm = RateLimit {
            rpm: Some(1),
            ..rates()
        };
        let busy = limit(
            "busy",
            RateLimit {
                concurrency: Some(1),
                ..rates()
            },
        );
        let held = bench.take(&[&busy], 0).unwrap();
        let daily = limit(
            "daily",
            RateLimit {
                rpd: Some(1),
                ..rates()
            },
        );
        bench
            .take(&[&daily], 0)
            .unwrap()
            .settle(Settlement::Used(0));
        let fill = |minute: usize| {
            for n in 0..SHARDS * SWEEP_EVERY / 8 {
                let limit = limit(&format!("{minute}/{n}"), rpm);
                bench
                    .take(&[&limit], 0)
                    .unwrap()
                    .settle(Settlement::Used(0));
            }
        };
        for minute in 0..20 {
            bench.at(minute * 60);
            fill(minute as usize);
        }
        assert!(
            known(&bench) < SHARDS * SWEEP_EVERY * 3 / 2,
            "{}",
            known(&bench)
        );
        assert!(bench.take(&[&busy], 0).is_err());
        assert!(bench.take(&[&daily], 0).is_err());
        drop(held);
    });
}

/// A random limit of few rates and small maxima.
fn random_limit(key: &str) -> Arc<Limit> {
    let some = |max: u64| fastrand::bool().then(|| fastrand::u64(0..max));
    let rates = RateLimit {
        rps: some(4),
        rpm: some(6),
        rpd: some(9),
        tpm: some(60),
        tpd: some(150),
        concurrency: some(4).map(|slots| slots as u32),
        ..rates()
    };
    let rates = match Limit::new(Scope::ApiKey, key, &rates) {
        Some(limit) => return Arc::new(limit),
        None => RateLimit {
            rpm: Some(1),
            ..rates
        },
    };
    limit(key, rates)
}

#[test]
fn a_look_changes_nothing_and_says_what_an_acquire_would() {
    run(|| {
        for round in 0..200 {
            fastrand::seed(round);
            let (looked_at, left_alone) = (Bench::new(), Bench::new());
            let limits = ["a", "b", "c"].map(random_limit);
            let mut held = Vec::new();
            let mut offset = 0;
            for _ in 0..60 {
                offset += fastrand::i64(-2..30);
                looked_at.at(offset);
                left_alone.at(offset);
                let claim = Claim {
                    limits: (0..fastrand::usize(0..4))
                        .map(|_| limits[fastrand::usize(0..3)].clone())
                        .collect(),
                    tokens: fastrand::u64(0..50),
                };
                let look = looked_at.store.peek(&claim);
                for _ in 0..3 {
                    looked_at.store.peek(&claim);
                }
                let room = look.limits.iter().all(Reading::has_room);
                assert_eq!(room, look.outcome.is_ok(), "{look:?}");
                let told = look.outcome.map_err(|full| (full.rate, full.retry_after));
                let taken = looked_at.store.try_acquire(&claim);
                let twin = left_alone.store.try_acquire(&claim);
                assert_eq!(format!("{taken:?}"), format!("{twin:?}"));
                match taken {
                    Ok(permit) => {
                        assert_eq!(told, Ok(()));
                        held.push((permit, twin.unwrap()));
                    }
                    Err(full) => assert_eq!(told, Err((full.rate, full.retry_after))),
                }
                if fastrand::bool() && !held.is_empty() {
                    let (permit, twin) = held.swap_remove(fastrand::usize(0..held.len()));
                    let settlement = match fastrand::bool() {
                        true => Settlement::Used(fastrand::u64(0..70)),
                        false => Settlement::Unused,
                    };
                    permit.settle(settlement);
                    twin.settle(settlement);
                }
            }
        }
    });
}

#[test]
fn a_look_tells_what_is_used_reserved_and_left() {
    run(|| {
        let bench = Bench::new();
        let limit = limit(
            "k",
            RateLimit {
                rpm: Some(2),
                tpm: Some(100),
                concurrency: Some(4),
                ..rates()
            },
        );
        bench
            .take(&[&limit], 9)
            .unwrap()
            .settle(Settlement::Used(30));
        let _open = bench.take(&[&limit], 20).unwrap();
        let claim = Claim {
            limits: [limit.clone()].into_iter().collect(),
            tokens: 51,
        };
        let look = bench.store.peek(&claim);
        let told = look.limits[0].levels.iter();
        let told: Vec<_> = told
            .map(|it| (it.rate, it.used, it.reserved, it.remaining(), it.reset))
            .collect();
        assert_eq!(
            told,
            [
                (Rate::Concurrency, 1, 0, 3, 0),
                (Rate::Tpm, 30, 20, 50, 45),
                (Rate::Rpm, 2, 0, 0, 45)
            ]
        );
        let room: Vec<_> = look.limits[0].levels.iter().map(|it| it.has_room).collect();
        assert_eq!(room, [true, false, false]);
        assert_eq!(look.outcome.unwrap_err().rate, Rate::Tpm, "the first one");
    });
}

#[test]
fn a_look_at_what_was_never_counted_leaves_no_counter() {
    run(|| {
        let bench = Bench::new();
        let claim = Claim {
            limits: [random_limit("k")].into_iter().collect(),
            tokens: 0,
        };
        bench.store.peek(&claim);
        assert!(bench.store.found(&"k".into()).is_none());
    });
}

#[cfg(feature = "shuttle")]
mod interleavings;
