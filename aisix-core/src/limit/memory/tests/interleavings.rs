//! Calls that meet at the same counters, in thousands of orders.

use shuttle::{check_random, thread};

use super::*;

const ORDERS: usize = 5_000;

/// Lets `calls` run at once; returns what each returned.
fn at_once<T: Send + 'static>(
    calls: usize,
    call: impl Fn(usize) -> T + Clone + Send + 'static,
) -> Vec<T> {
    let threads: Vec<_> = (0..calls)
        .map(|n| {
            let call = call.clone();
            thread::spawn(move || call(n))
        })
        .collect();
    let ended = threads.into_iter().map(|thread| thread.join().unwrap());
    ended.collect()
}

#[test]
fn never_more_than_the_limit_is_admitted() {
    check_random(
        || {
            let bench = StdArc::new(Bench::new());
            let limit = limit(
                "k",
                RateLimit {
                    rpm: Some(2),
                    ..rates()
                },
            );
            let (b, l) = (bench.clone(), limit.clone());
            let permits = at_once(3, move |_| b.take(&[&l], 0).ok());
            assert_eq!(permits.iter().flatten().count(), 2);
        },
        ORDERS,
    );
}

#[test]
fn never_more_slots_than_there_are_and_all_come_back() {
    check_random(
        || {
            let bench = StdArc::new(Bench::new());
            let open = StdArc::new(AtomicU64::new(0));
            let limit = limit(
                "k",
                RateLimit {
                    concurrency: Some(2),
                    rpm: Some(9),
                    tpm: Some(50),
                    ..rates()
                },
            );
            let (b, l, o) = (bench.clone(), limit.clone(), open.clone());
            at_once(3, move |n| {
                if let Ok(permit) = b.take(&[&l], 10) {
                    assert!(o.fetch_add(1, Ordering::SeqCst) < 2);
                    thread::yield_now();
                    o.fetch_sub(1, Ordering::SeqCst);
                    permit.settle([Settlement::Unused, Settlement::Used(0)][n % 2]);
                }
            });
            let permit = bench.take(&[&limit], 50).unwrap();
            assert_eq!(
                permit.standings()[1].remaining,
                0,
                "reserved to the last token"
            );
            drop(permit);
            assert_eq!(bench.room(&limit), 2);
        },
        ORDERS,
    );
}

#[test]
fn limits_in_any_order_never_wait_for_each_other_and_are_taken_together() {
    check_random(
        || {
            let bench = StdArc::new(Bench::new());
            let one = |key| {
                limit(
                    key,
                    RateLimit {
                        rpm: Some(1),
                        ..rates()
                    },
                )
            };
            let limits = [one("a"), one("b"), one("c")];
            let (b, l) = (bench.clone(), limits.clone());
            let permits = at_once(3, move |n| {
                let (first, second) = (&l[n % 3], &l[(n + 1) % 3]);
                b.take(&[first, second], 0).ok()
            });
            // Any two of the three claims share a limit, so exactly one has room.
            assert_eq!(permits.iter().flatten().count(), 1);
            drop(permits);
            for limit in &limits {
                assert_eq!(bench.room(limit), 1);
            }
        },
        ORDERS,
    );
}

#[test]
fn tokens_are_never_reserved_twice() {
    check_random(
        || {
            let bench = StdArc::new(Bench::new());
            let limit = limit(
                "k",
                RateLimit {
                    tpm: Some(100),
                    ..rates()
                },
            );
            let (b, l) = (bench.clone(), limit.clone());
            let permits = at_once(3, move |_| b.take(&[&l], 50).ok());
            assert_eq!(permits.iter().flatten().count(), 2);
            let permits: Vec<_> = permits.into_iter().flatten().collect();
            let settle = StdArc::new(std::sync::Mutex::new(permits));
            at_once(2, move |_| {
                let permit = settle.lock().unwrap().pop();
                permit.unwrap().settle(Settlement::Used(50));
            });
            let last = bench.take(&[&limit], 1).unwrap();
            assert_eq!(last.standings()[0].remaining, 0);
        },
        ORDERS,
    );
}

#[test]
fn a_counter_that_is_found_is_not_forgotten_meanwhile() {
    check_random(
        || {
            let bench = StdArc::new(Bench::new());
            let one = |key: &str| {
                let rpm = Some(1);
                limit(key, RateLimit { rpm, ..rates() })
            };
            let shard = |key: &str| {
                let key: Arc<str> = key.into();
                bench.store.hasher.hash_one(&key) as usize % SHARDS
            };
            // A key of the same shard, whose first call can sweep the other away.
            let mut names = (0..).map(|n: u32| n.to_string());
            let neighbour = names.find(|name| shard(name) == shard("k")).unwrap();
            let (shard, wanted, neighbour) = (shard("k"), one("k"), one(&neighbour));
            let b = bench.clone();
            let admitted = at_once(2, move |n| {
                if n == 1 {
                    unpoison(b.store.shards[shard].write()).sweep_at = 0;
                    drop(b.take(&[&neighbour], 0));
                }
                let taken = b.take(&[&wanted], 0);
                taken
                    .map(|permit| permit.settle(Settlement::Used(0)))
                    .is_ok()
            });
            assert_eq!(admitted.iter().filter(|admitted| **admitted).count(), 1);
        },
        ORDERS,
    );
}
