//! Targets that take only so many calls at a time.

use std::time::Duration;

use aisix_core::testing::{Answer, Ended, Gate, Upstream};
use futures_util::{FutureExt, future::join_all};
use serde_json::json;
use tokio::time::Instant;

use super::*;

#[tokio::test(start_paused = true)]
async fn who_finds_no_slot_goes_to_the_next_target_and_the_last_one_has_a_queue() {
    let upstream = Upstream::new();
    for model in ["up-a", "up-b"] {
        upstream.always(
            model,
            Answer::chat("hello").head_after(Duration::from_secs(1)),
        );
    }
    let slots = json!({"max_connections": {"limit": 1, "queue": 1, "queue_timeout_ms": 5_000}});
    let targets = json!([{"model": "a"}, {"model": "b"}]);
    let gateway = setup_with(json!({"targets": targets}), |_| slots.clone()).gateway(&upstream);
    let started = Instant::now();
    let calls = (0..4).map(|_| async {
        let response = send(&gateway, ask_group()).await;
        let status = response.status().as_u16();
        // The slot is held until the reply has ended.
        drop(response);
        (status, started.elapsed().as_secs())
    });
    assert_eq!(
        join_all(calls).await,
        [(200, 1), (200, 1), (200, 2), (503, 0)]
    );
    assert_eq!(asked(&upstream), ["a", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_model_that_stands_for_itself_has_slots_too() {
    let upstream = Upstream::new();
    let gate = Gate::new();
    let held = upstream.answer_for(
        "up-a",
        Answer::stream()
            .role()
            .content("x")
            .gate(&gate)
            .finish()
            .done(),
    );
    upstream.always("up-a", Answer::chat("hello"));
    let slots = json!({"max_connections": {"limit": 1, "queue": 1, "queue_timeout_ms": 2_000}});
    let gateway = setup_with(json!({}), |_| slots.clone()).gateway(&upstream);
    let ask = |members: Value| {
        send(
            &gateway,
            aisix_core::testing::request(CHAT, chat_body(&members)),
        )
    };
    let stream = ask(json!({"model": "a", "stream": true})).await;
    let before = Instant::now();
    let (status, body) = refusal(ask(json!({"model": "a"})).await).await;
    assert_eq!(
        (status, before.elapsed()),
        (503, Duration::from_secs(2)),
        "{body}"
    );
    let mut waiting = Box::pin(ask(json!({"model": "a"})));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(stream);
    assert_eq!(waiting.await.status(), 200);
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn clients_that_leave_in_any_phase_give_their_slots_back() {
    let upstream = Upstream::new();
    let mut exchanges = vec![
        upstream.answer_for("up-a", Answer::chat("late").head_stall()),
        upstream.answer_for("up-a", Answer::stream().role().stall()),
        upstream.answer_for("up-a", Answer::stream().role().content("x").stall()),
    ];
    upstream.always("up-a", Answer::chat("hello"));
    let slots = json!({"max_connections": {"limit": 1, "queue": 1, "queue_timeout_ms": 60_000}});
    let targets = json!([{"model": "a"}]);
    let gateway = setup_with(json!({"targets": targets}), |_| slots.clone()).gateway(&upstream);
    for _ in 0..2 {
        let call = send(&gateway, ask_group_with(&json!({"stream": true})));
        let waits = send(&gateway, ask_group());
        let both = futures_util::future::join(call, waits);
        assert!(
            tokio::time::timeout(Duration::from_secs(1), both)
                .await
                .is_err()
        );
    }
    let response = send(&gateway, ask_group_with(&json!({"stream": true}))).await;
    drop(response);
    for exchange in &mut exchanges {
        assert_eq!(exchange.ended().await, Ended::Dropped);
    }
    assert_eq!(send(&gateway, ask_group()).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_adapts_falls_when_the_upstream_refuses() {
    let upstream = Upstream::new();
    for _ in 0..3 {
        upstream.answer_for("up-a", Answer::refusal(429, "slow down"));
    }
    upstream.always(
        "up-a",
        Answer::chat("hello").head_after(Duration::from_secs(1)),
    );
    let adaptive = json!({"adaptive_concurrency": {"max": 2}, "cooldown": {"enabled": false}});
    let targets = json!([{"model": "a"}]);
    let gateway = setup_with(json!({"targets": targets}), |_| adaptive.clone()).gateway(&upstream);
    let together = async || {
        let calls = (0..2).map(|_| async { send(&gateway, ask_group()).await.status().as_u16() });
        join_all(calls).await
    };
    for _ in 0..3 {
        assert_eq!(send(&gateway, ask_group()).await.status(), 429);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(together().await, [200, 503]);
}

#[tokio::test(start_paused = true)]
async fn nobody_queues_beyond_the_deadline_and_the_time_of_a_target_begins_behind_the_queue() {
    let upstream = Upstream::new();
    let slow = Answer::chat("hello").head_after(Duration::from_millis(900));
    upstream.always("up-a", slow);
    let members = json!({"timeout": 1_000,
        "max_connections": {"limit": 1, "queue": 9, "queue_timeout_ms": 60_000}});
    let targets = json!([{"model": "a"}]);
    let routing = json!({"targets": targets, "deadline_ms": 2_000, "retries": 0});
    let gateway = setup_with(routing, |_| members.clone()).gateway(&upstream);
    let started = Instant::now();
    let calls = (0..2).map(|_| async {
        let status = send(&gateway, ask_group()).await.status().as_u16();
        (status, started.elapsed().as_millis())
    });
    // The second has waited for 900 ms when its own second begins.
    assert_eq!(join_all(calls).await, [(200, 900), (200, 1_800)]);

    let endless = Answer::stream().role().content("x").stall();
    let held = upstream.answer_for("up-a", endless);
    let stream = send(&gateway, ask_group_with(&json!({"stream": true}))).await;
    let before = Instant::now();
    assert_eq!(send(&gateway, ask_group()).await.status(), 503);
    assert_eq!(before.elapsed(), Duration::from_secs(2));
    drop((stream, held));
}
