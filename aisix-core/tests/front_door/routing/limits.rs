//! Limits of targets, and of groups.

use aisix_core::testing::{Answer, Upstream};
use serde_json::json;

use super::*;

fn upstream() -> Upstream {
    let upstream = Upstream::new();
    for model in ["up-a", "up-b", "up-c"] {
        upstream.always(model, Answer::chat("hello"));
    }
    upstream
}

#[tokio::test(start_paused = true)]
async fn a_target_over_its_limit_is_passed_over() {
    let upstream = upstream();
    let limited = |name: &str| {
        if name == "c" {
            json!({})
        } else {
            json!({"rate_limit": {"rpd": 1}})
        }
    };
    let gateway = setup_with(json!({}), limited).gateway(&upstream);
    let who = async || header(&send(&gateway, ask_group()).await, "x-aisix-served-by").to_owned();
    assert_eq!(
        [who().await, who().await, who().await, who().await],
        ["a", "b", "c", "c"]
    );
    assert_eq!(
        asked(&upstream),
        ["a", "b", "c", "c"],
        "nothing is sent to one without room"
    );
}

#[tokio::test(start_paused = true)]
async fn when_all_are_over_their_limits_the_last_one_is_told() {
    let upstream = upstream();
    let gateway = setup_with(json!({}), |_| json!({"rate_limit": {"rpd": 1}})).gateway(&upstream);
    for _ in 0..3 {
        assert_eq!(send(&gateway, ask_group()).await.status(), 200);
    }
    let response = send(&gateway, ask_group()).await;
    assert_eq!(response.status(), 429);
    assert!(response.headers().contains_key("retry-after"));
}

#[tokio::test(start_paused = true)]
async fn the_groups_own_limit_holds_for_all_of_it() {
    let upstream = upstream();
    let group = json!({"display_name": "limited", "rate_limit": {"rpd": 1},
        "routing": {"targets": [{"model": "a"}, {"model": "b"}]}});
    let gateway = setup(json!({}))
        .add(Kind::Model, "limited", group)
        .gateway(&upstream);
    let ask = || aisix_core::testing::request(CHAT, chat_body(&json!({"model": "limited"})));
    assert_eq!(send(&gateway, ask()).await.status(), 200);
    assert_eq!(send(&gateway, ask()).await.status(), 429);
}

#[tokio::test(start_paused = true)]
async fn slots_of_a_target_are_free_again_when_its_reply_has_ended() {
    let upstream = upstream();
    let gateway =
        setup_with(json!({}), |_| json!({"rate_limit": {"concurrency": 1}})).gateway(&upstream);
    let first = send(&gateway, ask_group()).await;
    assert_eq!(
        header(&send(&gateway, ask_group()).await, "x-aisix-served-by"),
        "b"
    );
    drop(first);
    assert_eq!(
        header(&send(&gateway, ask_group()).await, "x-aisix-served-by"),
        "a"
    );
}

#[tokio::test(start_paused = true)]
async fn policies_on_what_a_model_is_hold_for_each_target() {
    let upstream = upstream();
    let policy = json!({"name": "p", "limits": {"rpd": 1},
        "conditions": [{"dimension": "model_name", "operator": "in", "value": ["a", "b"]}], "group_by": ["model"]});
    let gateway = setup(json!({}))
        .add(Kind::RateLimitPolicy, "p", policy)
        .gateway(&upstream);
    for _ in 0..4 {
        assert_eq!(send(&gateway, ask_group()).await.status(), 200);
    }
    assert_eq!(asked(&upstream), ["a", "b", "c", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_holds_for_group_and_target_counts_a_call_once() {
    let upstream = upstream();
    let policy = json!({"name": "p", "limits": {"rpd": 1},
        "conditions": [{"dimension": "model_name", "operator": "in", "value": [GROUP, "a"]}]});
    let gateway = setup(json!({}))
        .add(Kind::RateLimitPolicy, "p", policy)
        .gateway(&upstream);
    let response = send(&gateway, ask_group()).await;
    assert_eq!(header(&response, "x-aisix-served-by"), "a");
    assert_eq!(send(&gateway, ask_group()).await.status(), 429);
}

#[tokio::test(start_paused = true)]
async fn the_tokens_of_an_answer_count_at_its_target() {
    let upstream = upstream();
    let used = json!({"choices": [], "usage": {"prompt_tokens": 600, "completion_tokens": 500, "total_tokens": 1_100}});
    upstream.always("up-a", Answer::json(200, &used));
    let limited = |name: &str| match name {
        "a" => json!({"rate_limit": {"tpd": 1_050}}),
        _ => json!({}),
    };
    let gateway = setup_with(json!({}), limited).gateway(&upstream);
    for served_by in ["a", "b"] {
        let response = send(&gateway, ask_group_with(&json!({"max_tokens": 5}))).await;
        assert_eq!(header(&response, "x-aisix-served-by"), served_by);
        aisix_core::testing::text(response).await;
    }
}
