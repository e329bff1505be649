//! Redis and memory decide alike: a model test against a real Redis.

use std::{cell::Cell, sync::Arc, time::Duration};

use aisix_core::{
    config::resource::RateLimit,
    limit::{Claim, Level, Limit, LimitStore, Look, Memory, Permit, Rate, Scope, Settlement},
};
use aisix_hooks::limit_redis::{self, Server, Settings};
use aisix_tests::{redis::Redis, room_in_minute, within};
use proptest::{
    collection::vec,
    option,
    prelude::{Strategy, prop_oneof},
    prop_assert_eq,
    test_runner::{Config, TestRunner},
};

/// What happens to both stores.
#[derive(Clone, Debug)]
enum Step {
    /// A call of so many tokens, under these of three limits.
    Acquire(Vec<usize>, u64),
    /// The end of one of the calls that are under way.
    End(usize, Option<u64>),
}

fn rates() -> impl Strategy<Value = RateLimit> {
    // Not `rps`: its second may end between the two stores.
    let tokens = || option::of(0..60_u64);
    let requests = || option::of(0..12_u64);
    let slots = option::of(0..4_u32);
    (
        tokens(),
        tokens(),
        requests(),
        requests(),
        requests(),
        slots,
    )
        .prop_map(|(tpm, tpd, rpm, rph, rpd, concurrency)| RateLimit {
            tpm,
            tpd,
            rpm,
            rph,
            rpd,
            concurrency,
            ..RateLimit::default()
        })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (vec(0..3_usize, 1..4), 0..40_u64)
            .prop_map(|(limits, tokens)| Step::Acquire(limits, tokens)),
        (0..8_usize, option::of(0..40_u64)).prop_map(|(which, used)| Step::End(which, used)),
    ]
}

/// What a store says, to be compared.
fn verdict(result: Result<Permit, aisix_core::limit::Exceeded>) -> (String, Option<Permit>) {
    match result {
        Ok(permit) => {
            let standings = permit.standings().iter();
            // Not the seconds that are left: one may pass between the two stores.
            let told: Vec<_> = standings
                .map(|it| (it.rate, it.limit, it.remaining))
                .collect();
            (format!("{told:?}"), Some(permit))
        }
        Err(exceeded) => (
            format!("{} {:?}", exceeded.limit.key(), exceeded.rate),
            None,
        ),
    }
}

/// What a look says, to be compared: how each rate stands, and the verdict of a call.
fn looked(look: &Look) -> (String, String) {
    let levels = look.limits.iter().flat_map(|reading| {
        let level = reading.levels.iter();
        // Again not the seconds that are left.
        level.map(|it| {
            let key = reading.limit.key();
            (key, it.rate, it.limit, it.used, it.reserved, it.has_room)
        })
    });
    let outcome = match &look.outcome {
        Ok(()) => String::new(),
        Err(exceeded) => format!("{} {:?}", exceeded.limit.key(), exceeded.rate),
    };
    (format!("{:?}", levels.collect::<Vec<_>>()), outcome)
}

/// What is used of each rate of the first limit.
fn used(look: Option<&Look>) -> Vec<u64> {
    levels(look).map(|level| level.used).collect()
}

fn levels(look: Option<&Look>) -> impl Iterator<Item = &Level> {
    let first = look.and_then(|look| look.limits.first());
    first.into_iter().flat_map(|reading| &reading.levels)
}

/// A claim on one slot, the only one.
fn one_slot() -> Claim {
    let rates = RateLimit {
        concurrency: Some(1),
        rpd: Some(100),
        ..RateLimit::default()
    };
    let limit = Limit::new(Scope::Model, "slot", &rates).map(Arc::new);
    Claim {
        limits: limit.into_iter().collect(),
        tokens: 0,
    }
}

fn settings(server: &Redis) -> Settings {
    let url = format!("redis://{}", server.address()).as_str().into();
    Settings::new(Server::Single { url })
}

fn store(server: &Redis) -> (limit_redis::Redis, limit_redis::Driver) {
    limit_redis::Redis::new(settings(server), |_| {}).expect("it can be used")
}

#[tokio::test]
async fn a_call_that_is_dropped_while_it_asks_holds_nothing() {
    let server = Redis::start().await;
    let (redis, mut driver) = store(&server);
    assert!(driver.connect().await);
    tokio::spawn(driver.run());
    let claim = one_slot();
    for _ in 0..20 {
        let mut asking = redis.acquire(&claim);
        tokio::select! {
            biased;
            _ = &mut asking => panic!("Redis is not asked"),
            () = std::future::ready(()) => {}
        }
        // Lets the question be sent.
        tokio::task::yield_now().await;
        drop(asking);
        redis.settled().await;
        let permit = redis.acquire(&claim).await.expect("nothing is held");
        let left: Vec<_> = permit.standings().iter().map(|it| it.remaining).collect();
        assert_eq!(left, [0, 99], "nothing is counted either");
        drop(permit);
        redis.settled().await;
    }
}

#[tokio::test]
async fn what_a_paused_redis_was_asked_is_given_back_when_it_goes_on() {
    let server = Redis::start().await;
    let (redis, mut driver) = store(&server);
    assert!(driver.connect().await);
    tokio::spawn(driver.run());
    let claim = one_slot();
    for _ in 0..3 {
        server.pause();
        let alone = redis.acquire(&claim).await.expect("counted alone");
        assert!(!redis.standing().connected);
        server.resume();
        // It is done when Redis is back.
        within("Redis", redis.settled()).await;
        let permit = redis.acquire(&claim).await.expect("nothing is held");
        assert!(redis.standing().connected);
        drop((alone, permit));
        redis.settled().await;
    }
}

#[tokio::test]
async fn a_call_that_has_aged_out_is_not_seen_and_a_look_leaves_it_where_it_is() {
    let server = Redis::start().await;
    let mut settings = settings(&server);
    settings.slot_ttl = Duration::from_millis(1);
    let (redis, mut driver) = limit_redis::Redis::new(settings, |_| {}).expect("it can be used");
    assert!(driver.connect().await);
    let rates = RateLimit {
        tpd: Some(100),
        concurrency: Some(1),
        ..RateLimit::default()
    };
    let limit = Limit::new(Scope::Model, "slot", &rates).map(Arc::new);
    let claim = Claim {
        limits: limit.into_iter().collect(),
        tokens: 30,
    };
    let permit = redis.acquire(&claim).await.expect("there is a slot");
    let aged = async {
        while used(redis.look(&claim).await.as_ref()) != [0, 0] {
            tokio::task::yield_now().await;
        }
    };
    within("the end of a millisecond", aged).await;
    let kept = server.ask("ZCARD aisix:limit:{slot}:open").await;
    assert_eq!(kept.trim_end(), ":1", "nothing was changed");
    let look = redis.look(&claim).await.expect("it is known");
    assert!(look.outcome.is_ok());
    assert!(levels(Some(&look)).all(|level| level.reserved == 0));
    let other = redis.acquire(&claim).await.expect("it has aged out");
    let kept = server.ask("ZCARD aisix:limit:{slot}:open").await;
    assert_eq!(kept.trim_end(), ":1", "the first is gone");
    drop((permit, other));
}

#[tokio::test]
async fn who_looks_while_redis_is_silent_sees_what_is_counted_here_and_keeps_the_connection() {
    let mut server = Redis::start().await;
    let (redis, mut driver) = store(&server);
    let claim = one_slot();
    let alone = redis.acquire(&claim).await.expect("nobody else is here");
    let look = redis.look(&claim).await;
    assert_eq!(used(look.as_ref()), [1, 1], "counted alone");
    drop(alone);
    assert!(driver.connect().await);
    // The driver does not run, so that it asks for no sign of life.
    let permit = redis.acquire(&claim).await.expect("there is a slot");
    assert_eq!(used(redis.look(&claim).await.as_ref()), [1, 1]);
    server.pause();
    let look = redis.look(&claim).await;
    assert_eq!(used(look.as_ref()), [0, 0], "nothing is counted here");
    server.resume();
    assert!(redis.standing().connected);
    let look = redis.look(&claim).await.expect("it is known");
    let exceeded = look.outcome.expect_err("the slot is taken");
    assert_eq!(
        (exceeded.rate, exceeded.retry_after),
        (Rate::Concurrency, None)
    );
    server.kill();
    assert_eq!(used(redis.look(&claim).await.as_ref()), [0, 0]);
    drop(permit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_and_redis_give_the_same_verdicts() {
    let server = Redis::start().await;
    let (redis, mut driver) = limit_redis::Redis::new(settings(&server), |operation| {
        panic!("{operation:?} failed");
    })
    .expect("it can be used");
    assert!(driver.connect().await);
    tokio::spawn(driver.run());
    room_in_minute().await;

    let runtime = tokio::runtime::Handle::current();
    let case = Cell::new(0);
    let check = |(limits, steps): (Vec<RateLimit>, Vec<Step>)| {
        case.set(case.get() + 1);
        let limits: Vec<_> = limits.iter().enumerate().collect();
        // With what has a meaning for a cluster in the key.
        let key = |at: usize| format!("{}{{a}}%:{at}", case.get());
        let limits = limits
            .iter()
            .map(|(at, rates)| Limit::new(Scope::Model, key(*at), rates));
        let limits: Vec<_> = limits.map(|limit| limit.map(Arc::new)).collect();
        let memory = Memory::new();
        let mut under_way = Vec::new();
        for step in &steps {
            match step {
                Step::Acquire(which, tokens) => {
                    let claim = Claim {
                        limits: which.iter().filter_map(|at| limits[*at].clone()).collect(),
                        tokens: *tokens,
                    };
                    let foretold = looked(&memory.peek(&claim));
                    let look = runtime.block_on(redis.look(&claim)).map(|it| looked(&it));
                    prop_assert_eq!(Some(&foretold), look.as_ref(), "{:?} of {:?}", step, steps);
                    let (here, one) = verdict(memory.try_acquire(&claim));
                    let (there, other) = verdict(runtime.block_on(redis.acquire(&claim)));
                    prop_assert_eq!(&here, &there, "{:?} of {:?}", step, steps);
                    let refused = if one.is_some() { "" } else { &here };
                    prop_assert_eq!(foretold.1, refused, "{:?} of {:?}", step, steps);
                    under_way.extend(one.zip(other));
                }
                Step::End(which, used) if !under_way.is_empty() => {
                    let (one, other) = under_way.remove(which % under_way.len());
                    let settlement = used.map_or(Settlement::Unused, Settlement::Used);
                    one.settle(settlement);
                    other.settle(settlement);
                }
                Step::End(..) => {}
            }
            runtime.block_on(redis.settled());
        }
        Ok(())
    };
    let config = Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    };
    let cases = (vec(rates(), 3), vec(step(), 1..40));
    tokio::task::block_in_place(|| TestRunner::new(config).run(&cases, check))
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(redis.standing().connected);
}
