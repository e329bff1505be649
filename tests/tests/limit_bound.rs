//! What several processes admit together in one window of Redis: never more than the bound.

use std::{cell::Cell, sync::Arc};

use aisix_core::{
    config::resource::RateLimit,
    limit::{Claim, Exceeded, Limit, LimitStore, Permit, Rate, Scope, Settlement},
};
use aisix_hooks::limit_redis::{Redis, Server, Settings};
use aisix_tests::{redis::Redis as RedisServer, within};
use futures_util::future::try_join_all;
use proptest::{
    collection::vec,
    prop_assert,
    test_runner::{Config, TestCaseError, TestRunner},
};
use tokio::sync::Barrier;

/// A call: for how many tokens it is taken, and how many it uses.
type Asked = (u64, u64);

/// The stores of three processes over one Redis.
struct Stores {
    stores: [Redis; 3],
    _server: RedisServer,
}

impl Stores {
    async fn start() -> Self {
        let server = RedisServer::start().await;
        let mut stores = Vec::new();
        for _ in 0..3 {
            let url = format!("redis://{}", server.address()).as_str().into();
            let settings = Settings::new(Server::Single { url });
            let made = Redis::new(settings, |operation| panic!("{operation:?} failed"));
            let (store, mut driver) = made.expect("it can be used");
            assert!(driver.connect().await);
            tokio::spawn(driver.run());
            stores.push(store);
        }
        let Ok(stores) = stores.try_into() else {
            unreachable!("there are three")
        };
        let _server = server;
        Self { stores, _server }
    }

    /// Asks for all of these at the same time, each of the next process.
    async fn rush(&self, claims: impl IntoIterator<Item = Claim>) -> Vec<Result<Permit, Exceeded>> {
        let claims: Vec<_> = claims.into_iter().collect();
        let start = Arc::new(Barrier::new(claims.len()));
        let stores = self.stores.iter().cycle();
        let asked = claims.into_iter().zip(stores).map(|(claim, store)| {
            let (store, start) = (store.clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                store.acquire(&claim).await
            })
        });
        let verdicts = within("all verdicts", try_join_all(asked)).await;
        verdicts.expect("no store panics")
    }

    /// Waits until all that has ended is given back.
    async fn settled(&self) {
        for store in &self.stores {
            within("the store", store.settled()).await;
            assert!(store.standing().connected);
        }
    }
}

fn limit(key: &str, rates: RateLimit) -> Arc<Limit> {
    let limit = Limit::new(Scope::ApiKey, key, &rates);
    Arc::new(limit.expect("it has a rate"))
}

fn requests(key: &str, maximum: u64) -> Arc<Limit> {
    let rpd = Some(maximum);
    limit(
        key,
        RateLimit {
            rpd,
            ..RateLimit::default()
        },
    )
}

fn tokens(key: &str, maximum: u64) -> Arc<Limit> {
    let tpd = Some(maximum);
    limit(
        key,
        RateLimit {
            tpd,
            ..RateLimit::default()
        },
    )
}

fn claim(limits: &[&Arc<Limit>], tokens: u64) -> Claim {
    let limits = limits.iter().map(|limit| Arc::clone(limit)).collect();
    Claim { limits, tokens }
}

/// What a limit still has after one more call.
async fn left(store: &Redis, limit: &Arc<Limit>) -> u64 {
    let permit = store.acquire(&claim(&[limit], 0)).await;
    let permit = permit.expect("there is room");
    let left = permit.standings()[0].remaining;
    permit.settle(Settlement::Unused);
    left
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn not_one_request_too_many_is_admitted_and_not_one_too_few() {
    let stores = Stores::start().await;
    for maximum in [1, 7, 20] {
        let limit = requests(&format!("requests {maximum}"), maximum);
        let verdicts = stores.rush((0..90).map(|_| claim(&[&limit], 0))).await;
        let admitted = verdicts.iter().filter(|verdict| verdict.is_ok()).count();
        assert_eq!(admitted as u64, maximum);
        let refused = verdicts.iter().filter_map(|verdict| verdict.as_ref().err());
        assert!(refused.map(|it| it.rate).all(|rate| rate == Rate::Rpd));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_a_refused_call_had_taken_of_other_limits_is_given_back() {
    let stores = Stores::start().await;
    let [wide, slots, narrow] = [
        requests("wide", 1_000),
        limit(
            "slots",
            RateLimit {
                concurrency: Some(1_000),
                ..RateLimit::default()
            },
        ),
        requests("narrow", 5),
    ];
    let claims = (0..90).map(|_| claim(&[&wide, &slots, &narrow], 0));
    let verdicts = stores.rush(claims).await;
    let permits: Vec<_> = verdicts.into_iter().flatten().collect();
    assert_eq!(permits.len(), 5);
    stores.settled().await;
    // One less: the call that asks.
    assert_eq!(left(&stores.stores[0], &wide).await, 1_000 - 5 - 1);
    stores.settled().await;
    assert_eq!(left(&stores.stores[0], &slots).await, 1_000 - 5 - 1);
    drop(permits);
    stores.settled().await;
    assert_eq!(left(&stores.stores[0], &slots).await, 1_000 - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tokens_cross_a_limit_by_one_call_or_by_what_was_not_estimated() {
    let stores = Stores::start().await;
    let runtime = tokio::runtime::Handle::current();
    let case = Cell::new(0);
    let check = |(maximum, rushes): (u64, Vec<Vec<Asked>>)| {
        case.set(case.get() + 1);
        let limit = tokens(&format!("tokens {}", case.get()), maximum);
        runtime.block_on(stay_within_bound(&stores, &limit, maximum, rushes))
    };
    let config = Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    };
    let cases = (1..120_u64, vec(vec((1..60_u64, 0..90_u64), 1..12), 1..6));
    tokio::task::block_in_place(|| TestRunner::new(config).run(&cases, check))
        .unwrap_or_else(|error| panic!("{error}"));
}

/// Makes calls of one window, some at the same time, then the next ones.
async fn stay_within_bound(
    stores: &Stores,
    limit: &Arc<Limit>,
    maximum: u64,
    rushes: Vec<Vec<Asked>>,
) -> Result<(), TestCaseError> {
    let mut used = 0;
    for rush in rushes {
        let claims = rush.iter().map(|(estimate, _)| claim(&[limit], *estimate));
        let verdicts = stores.rush(claims).await;
        let admitted = rush.iter().zip(verdicts);
        let admitted = admitted.filter_map(|(asked, verdict)| Some((*asked, verdict.ok()?)));
        let admitted: Vec<(Asked, Permit)> = admitted.collect();
        prop_assert!(
            used <= maximum || admitted.is_empty(),
            "{used} of {maximum}"
        );
        let more = match &admitted[..] {
            [] => used.saturating_sub(maximum),
            // Alone, it is let in while the limit is not crossed, whatever its size.
            [((_, spent), _)] => *spent,
            several => {
                let unforeseen =
                    |((estimate, spent), _): &(Asked, Permit)| spent.saturating_sub(*estimate);
                several.iter().map(unforeseen).sum()
            }
        };
        for ((_, spent), permit) in admitted {
            used += spent;
            permit.settle(Settlement::Used(spent));
        }
        prop_assert!(
            used <= maximum + more,
            "{used} of {maximum}, and at most {more} more"
        );
        stores.settled().await;
    }
    Ok(())
}
