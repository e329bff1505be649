//! Targets that are not well.

use std::time::Duration;

use aisix_core::testing::{Answer, Upstream};
use serde_json::json;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_target_that_failed_rests_and_comes_back() {
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::refusal(503, "no"));
    upstream.always("up-a", Answer::chat("hello"));
    upstream.always("up-b", Answer::chat("hello"));
    let gateway = setup(json!({})).gateway(&upstream);
    let who = async || header(&send(&gateway, ask_group()).await, "x-aisix-served-by").to_owned();
    assert_eq!(who().await, "b", "after a");
    assert_eq!(who().await, "b", "at once");
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert_eq!(who().await, "b");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(who().await, "a");
    assert_eq!(asked(&upstream), ["a", "b", "b", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn the_upstream_says_how_long_it_rests() {
    let upstream = Upstream::new();
    upstream.answer_for(
        "up-a",
        Answer::refusal(503, "no").header("retry-after", "100"),
    );
    upstream.always("up-a", Answer::chat("hello"));
    upstream.always("up-b", Answer::chat("hello"));
    let gateway = setup(json!({})).gateway(&upstream);
    let who = async || header(&send(&gateway, ask_group()).await, "x-aisix-served-by").to_owned();
    who().await;
    tokio::time::sleep(Duration::from_secs(99)).await;
    assert_eq!(who().await, "b");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(who().await, "a");
}

#[tokio::test(start_paused = true)]
async fn those_that_rest_are_asked_when_nobody_else_is_left() {
    let upstream = Upstream::new();
    for model in ["up-a", "up-b", "up-c"] {
        upstream.answer_for(model, Answer::refusal(503, "no"));
        upstream.always(model, Answer::chat("hello"));
    }
    let gateway = setup(json!({"retries": 0})).gateway(&upstream);
    assert_eq!(send(&gateway, ask_group()).await.status(), 502);
    assert_eq!(
        header(&send(&gateway, ask_group()).await, "x-aisix-served-by"),
        "a"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refused_credential_rests_and_not_who_was_asked_with_it() {
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::refusal(401, "bad key"));
    for model in ["up-a", "up-b", "up-c"] {
        upstream.always(model, Answer::chat("hello"));
    }
    let other = json!({"display_name": "other", "api_key": "sk-other"});
    let with_other = |name: &str| {
        if name == "c" {
            json!({"provider_key_id": "other"})
        } else {
            json!({})
        }
    };
    let gateway = setup_with(json!({}), with_other)
        .add(Kind::ProviderKey, "other", other)
        .gateway(&upstream);
    for _ in 0..2 {
        let response = send(&gateway, ask_group()).await;
        assert_eq!(header(&response, "x-aisix-served-by"), "c");
    }
    assert_eq!(asked(&upstream), ["a", "c", "c"], "b has the same one");
    tokio::time::sleep(Duration::from_secs(30)).await;
    let response = send(&gateway, ask_group()).await;
    assert_eq!(header(&response, "x-aisix-served-by"), "a");
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_takes_no_call_until_a_trial_succeeds() {
    let upstream = Upstream::new();
    for _ in 0..3 {
        upstream.answer_for("up-a", Answer::refusal(500, "no"));
    }
    upstream.always("up-a", Answer::chat("hello"));
    upstream.always("up-b", Answer::chat("hello"));
    let breaker = json!({"cooldown": {"enabled": false},
        "circuit_breaker": {"consecutive_failures": 2, "open_seconds": 10}});
    let gateway = setup_with(json!({}), |_| breaker.clone()).gateway(&upstream);
    let who = async || header(&send(&gateway, ask_group()).await, "x-aisix-served-by").to_owned();
    assert_eq!([who().await, who().await, who().await], ["b", "b", "b"]);
    assert_eq!(
        asked(&upstream),
        ["a", "b", "a", "b", "b"],
        "open after two"
    );
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(who().await, "b", "the trial fails");
    assert_eq!(upstream.count("up-a"), 3);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(who().await, "b");
    assert_eq!(upstream.count("up-a"), 3, "open for twice as long");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!([who().await, who().await], ["a", "a"]);
}

#[tokio::test(start_paused = true)]
async fn when_nobody_is_available_the_group_says_so_or_tries_anyway() {
    for (word, status) in [("fail", 503), ("try_anyway", 200)] {
        let upstream = Upstream::new();
        for model in ["up-a", "up-b", "up-c"] {
            upstream.answer_for(model, Answer::refusal(500, "no"));
            upstream.always(model, Answer::chat("hello"));
        }
        let breaker = json!({"circuit_breaker": {"consecutive_failures": 1}});
        let routing = json!({"when_all_unavailable": word, "retries": 0});
        let gateway = setup_with(routing, |_| breaker.clone()).gateway(&upstream);
        assert_eq!(send(&gateway, ask_group()).await.status(), 502);
        let response = send(&gateway, ask_group()).await;
        assert_eq!(response.status(), status, "{word}");
        if status == 503 {
            assert_eq!(header(&response, "retry-after"), "30");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_drained_or_disabled_gets_no_calls() {
    for member in [json!({"draining": true}), json!({"disabled": true})] {
        let upstream = Upstream::new();
        upstream.always("up-b", Answer::chat("hello"));
        let off = |name: &str| {
            if name == "a" {
                member.clone()
            } else {
                json!({})
            }
        };
        let gateway = setup_with(json!({}), off).gateway(&upstream);
        assert_eq!(
            header(&send(&gateway, ask_group()).await, "x-aisix-served-by"),
            "b"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_drained_answers_those_who_name_it_and_what_is_disabled_nobody() {
    for (member, status) in [("draining", 200), ("disabled", 503)] {
        let upstream = Upstream::new();
        upstream.always("up-a", Answer::chat("hello"));
        let gateway = setup_with(json!({}), |_| json!({member: true})).gateway(&upstream);
        let request = aisix_core::testing::request(CHAT, chat_body(&json!({"model": "a"})));
        assert_eq!(send(&gateway, request).await.status(), status, "{member}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_fastest_and_the_least_busy_are_preferred() {
    let slow = |millis| Answer::chat("hello").head_after(Duration::from_millis(millis));
    let upstream = Upstream::new();
    for (model, millis) in [("up-a", 300), ("up-b", 100), ("up-c", 200)] {
        upstream.always(model, slow(millis));
    }
    let gateway = setup(json!({"strategy": "least_latency"})).gateway(&upstream);
    for _ in 0..5 {
        send(&gateway, ask_group()).await;
    }
    assert_eq!(asked(&upstream), ["a", "b", "c", "b", "b"]);

    let upstream = Upstream::new();
    for model in ["up-a", "up-b", "up-c"] {
        upstream.always(model, slow(1_000));
    }
    let gateway = setup(json!({"strategy": "least_busy"})).gateway(&upstream);
    let calls = (0..6).map(|_| send(&gateway, ask_group()));
    futures_util::future::join_all(calls).await;
    assert_eq!(asked(&upstream), ["a", "b", "c", "a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn of_streams_the_first_token_counts() {
    let slow = |millis| {
        let stream = Answer::stream().role().wait(Duration::from_millis(millis));
        stream.content("x").finish().done()
    };
    let upstream = Upstream::new();
    for (model, millis) in [("up-a", 300), ("up-b", 100), ("up-c", 200)] {
        upstream.always(model, slow(millis));
    }
    let gateway = setup(json!({"strategy": "least_latency"})).gateway(&upstream);
    for _ in 0..5 {
        let response = send(&gateway, ask_group_with(&json!({"stream": true}))).await;
        aisix_core::testing::text(response).await;
    }
    assert_eq!(asked(&upstream), ["a", "b", "c", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn who_is_drained_is_not_tried_when_everything_else_is() {
    let upstream = Upstream::new();
    for model in ["up-a", "up-b", "up-c"] {
        upstream.always(model, Answer::refusal(500, "no"));
    }
    let breaker = json!({"consecutive_failures": 1});
    let off = |name: &str| json!({"circuit_breaker": breaker, "draining": name == "b"});
    let routing = json!({"when_all_unavailable": "try_anyway", "retries": 0});
    let gateway = setup_with(routing, off).gateway(&upstream);
    for _ in 0..2 {
        assert_eq!(send(&gateway, ask_group()).await.status(), 502);
    }
    assert_eq!(asked(&upstream), ["a", "c", "a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_gets_its_share_slowly() {
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::refusal(500, "no"));
    upstream.always("up-a", Answer::chat("hello"));
    upstream.always("up-b", Answer::chat("hello"));
    let breaker = json!({"cooldown": {"enabled": false},
        "circuit_breaker": {"consecutive_failures": 1, "open_seconds": 1, "slow_start_seconds": 1_000}});
    let targets = json!([{"model": "a"}, {"model": "b"}]);
    let routing = json!({"targets": targets, "strategy": "round_robin"});
    let gateway = setup_with(routing, |_| breaker.clone()).gateway(&upstream);
    send(&gateway, ask_group()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    while upstream.count("up-a") < 2 {
        send(&gateway, ask_group()).await;
    }
    for _ in 0..20 {
        send(&gateway, ask_group()).await;
    }
    let share = upstream.count("up-a") - 2;
    assert!((1..=3).contains(&share), "{share} of 20");
}
