//! Faults while many calls are under way: what the callers see of them, and what is left behind.

use std::time::Duration;

use aisix_core::{
    Gateway,
    config::{Change, Config, Entry, Kind},
    models::health,
    testing::{self, Answer, Ended, Upstream},
};
use futures_util::{
    FutureExt,
    future::join_all,
    stream::{self, StreamExt},
};
use serde_json::json;

use super::*;

const TARGETS: [&str; 3] = ["a", "b", "c"];

/// A gateway, and the configuration that it serves.
fn gateway(routing: Value, upstream: &Upstream) -> (Config, Gateway) {
    let config = setup(routing).config();
    let builder = Gateway::builder(config.clone());
    let gateway = builder.transport(upstream.clone()).build();
    (config, gateway.unwrap())
}

/// How many attempts are under way at each target.
fn under_way(config: &Config) -> Vec<u32> {
    let config = config.current();
    let healths = health::all(&config);
    let targets = healths.filter(|health| TARGETS.contains(&&**health.model.name()));
    targets.filter_map(|health| health.in_flight).collect()
}

/// Makes calls, so many at a time; gives the status of each, how long it took and who has served it.
async fn load(gateway: &Gateway, calls: usize, at_a_time: usize) -> Vec<(u16, Duration, String)> {
    let calls = (0..calls).map(|_| async {
        let started = tokio::time::Instant::now();
        let response = send(gateway, ask_group()).await;
        let status = response.status().as_u16();
        let served_by = header(&response, "x-aisix-served-by").to_owned();
        testing::text(response).await;
        (status, started.elapsed(), served_by)
    });
    stream::iter(calls)
        .buffer_unordered(at_a_time)
        .collect()
        .await
}

fn served(load: &[(u16, Duration, String)], by: &str) -> usize {
    load.iter().filter(|(_, _, name)| name == by).count()
}

#[tokio::test(start_paused = true)]
async fn one_target_that_fails_each_tenth_call_and_one_that_is_slow_fail_no_caller() {
    let upstream = Upstream::new();
    let quick = |text: &str| Answer::chat(text).head_after(Duration::from_millis(50));
    for call in 0..2_000 {
        upstream.answer_for(
            "up-a",
            match call % 10 {
                7 => Answer::refusal(500, "no"),
                _ => quick("a"),
            },
        );
    }
    upstream.always("up-b", quick("b").head_after(Duration::from_secs(5)));
    upstream.always("up-c", quick("c"));
    let (config, gateway) = gateway(json!({"strategy": "least_busy"}), &upstream);

    let calls = load(&gateway, 2_000, 20).await;
    assert_eq!(calls.iter().filter(|call| call.0 == 200).count(), 2_000);
    // Who is slow has what it is sent for longer, and so is sent little.
    let slow = served(&calls, "b");
    assert!((1..200).contains(&slow), "{slow}");
    assert_eq!(under_way(&config), [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn who_dies_under_load_fails_no_caller_and_serves_again_when_it_is_back() {
    let upstream = Upstream::new();
    let alive = || Answer::chat("hello").head_after(Duration::from_millis(20));
    for target in ["up-a", "up-b", "up-c"] {
        upstream.always(target, alive());
    }
    let routing = json!({"strategy": "round_robin"});
    let (config, gateway) = gateway(routing, &upstream);
    let fine = async |calls| {
        let calls = load(&gateway, calls, 10).await;
        let failed: Vec<_> = calls.iter().filter(|call| call.0 != 200).collect();
        assert!(failed.is_empty(), "{failed:?}");
        TARGETS.map(|target| served(&calls, target))
    };
    assert_eq!(fine(300).await, [100, 100, 100]);
    for dead in [
        Answer::unreachable(),
        Answer::chat("late")
            .head_after(Duration::from_millis(20))
            .cut(),
        Answer::refusal(503, "dead"),
    ] {
        upstream.always("up-b", dead);
        assert_eq!(fine(300).await[1], 0);
        upstream.always("up-b", alive());
        // Longer than it is left alone.
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert!(fine(300).await[1] > 0);
    }
    assert_eq!(under_way(&config), [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn targets_that_come_and_go_fail_no_caller_while_one_is_there() {
    let upstream = Upstream::new();
    let (config, gateway) = gateway(json!({"strategy": "random"}), &upstream);
    for round in 0..60 {
        for (place, target) in TARGETS.iter().enumerate() {
            // At any time one is there, and another one each time.
            let answer = match place == round % 3 {
                true => Answer::chat("hello"),
                false => Answer::refusal(500, "flaps"),
            };
            upstream.always(&format!("up-{target}"), answer);
        }
        // Few, as what rests is asked out of the budget for retries.
        let calls = load(&gateway, 2, 2).await;
        assert!(calls.iter().all(|call| call.0 == 200), "{round}: {calls:?}");
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    assert_eq!(under_way(&config), [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn when_all_are_down_each_caller_is_told_in_time_and_the_first_that_is_back_serves() {
    let upstream = Upstream::new();
    for target in ["up-a", "up-b", "up-c"] {
        upstream.always(target, Answer::refusal(503, "down"));
    }
    let (config, gateway) = gateway(json!({"deadline_ms": 3_000}), &upstream);
    let calls = load(&gateway, 100, 20).await;
    let longest = calls.iter().map(|call| call.1).max().unwrap();
    assert!(calls.iter().all(|call| call.0 == 502), "{calls:?}");
    assert!(longest <= Duration::from_secs(3), "{longest:?}");
    // One round for each caller, and what the budget gives besides.
    let made = upstream.requests().len();
    assert!(made < 100 * 3, "{made}");
    upstream.always("up-c", Answer::chat("back"));
    assert_eq!(under_way(&config), [0, 0, 0]);
    tokio::time::sleep(Duration::from_secs(61)).await;
    let calls = load(&gateway, 100, 20).await;
    assert!(calls.iter().all(|call| call.0 == 200), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn targets_that_change_while_calls_are_under_way_fail_no_call() {
    let upstream = Upstream::new();
    for target in ["up-a", "up-b", "up-c"] {
        let answer = Answer::chat("hello").head_after(Duration::from_millis(30));
        upstream.always(target, answer);
    }
    let (config, gateway) = gateway(json!({"strategy": "least_busy"}), &upstream);
    let change = async {
        for round in 0..100 {
            let put = |id: &str, document| Change::Put(Entry::new(Kind::Model, id, document));
            let left: Vec<_> = TARGETS
                .iter()
                .enumerate()
                .filter(|it| it.0 != round % 3)
                .collect();
            let left: Vec<_> = left.iter().map(|it| json!({"model": it.1})).collect();
            let group = json!({"display_name": GROUP, "routing": {"strategy": "least_busy", "targets": left}});
            let member = json!({"display_name": "a", "provider": "plain", "model_name": "up-a",
                "provider_key_id": "key", "timeout": 10_000 + round});
            let changes = [put(GROUP, group), put("a", member)];
            config.apply(changes).into_result().unwrap();
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
    };
    let (calls, ()) = tokio::join!(load(&gateway, 500, 20), change);
    assert!(calls.iter().all(|call| call.0 == 200), "{calls:?}");
    assert!(TARGETS.iter().all(|target| served(&calls, target) > 50));
    assert_eq!(under_way(&config), [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn clients_that_leave_in_any_phase_leave_nothing_behind() {
    let phases = [
        // Before the head, before the first content, and after it.
        (Answer::chat("late").head_stall(), 9),
        (Answer::stream().stall(), 9),
        (Answer::stream().role().stall(), 9),
        (Answer::stream().role().content("x").stall(), 9),
        // In the pause before another attempt.
        (Answer::refusal(500, "no"), 0),
    ];
    for (phase, busy) in phases {
        let upstream = Upstream::new();
        let mut exchanges: Vec<_> = (0..9)
            .map(|_| upstream.answer_for("up-a", phase.clone()))
            .collect();
        upstream.always("up-a", Answer::chat("never").head_stall());
        let routing = json!({"targets": [{"model": "a"}], "retries": 2});
        let (config, gateway) = gateway(routing, &upstream);
        let calls = (0..9).map(|_| async {
            let response = send(&gateway, ask_group_with(&json!({"stream": true}))).await;
            testing::text(response).await
        });
        let mut calls = Box::pin(join_all(calls));
        assert!((&mut calls).now_or_never().is_none(), "{phase:?}");
        assert_eq!(under_way(&config), [busy, 0, 0], "{phase:?}");
        drop(calls);
        assert_eq!(under_way(&config), [0, 0, 0], "{phase:?}");
        if busy > 0 {
            for exchange in &mut exchanges {
                assert_eq!(exchange.ended().await, Ended::Dropped, "{phase:?}");
            }
        }
    }
}
