use aisix_core::testing::{self, Answer};
use serde_json::{Value, json};

use super::*;
use crate::ask::*;

pub(super) fn guard(settings: Value) -> Value {
    let defaults = json!({"api_key": "sk-guard", "endpoint": "https://guard.test/v1/"});
    element("openai_moderation", defaults, settings)
}

/// An answer about so many texts, of which the last one has this score of violence.
pub(super) fn moderation(texts: usize, flagged: bool, score: f64) -> Value {
    let harmless = json!({"flagged": false, "categories": {"violence": false, "hate": false},
        "category_scores": {"violence": 0.0, "hate": 0.01}});
    let mut results = vec![harmless; texts];
    if let Some(last) = results.last_mut() {
        *last = json!({"flagged": flagged, "categories": {"violence": flagged, "hate": false},
            "category_scores": {"violence": score, "hate": 0.01}});
    }
    json!({"id": "modr-1", "model": "omni-moderation-2024-09-26", "results": results})
}

#[tokio::test]
async fn the_question_is_that_of_the_documentation() {
    let peers = Peers::new(guard(json!({"hook_point": "input"})));
    peers.says(&moderation(1, false, 0.0));
    peers.upstream.answer(Answer::chat("hello"));
    let response = send(&peers.gateway, testing::chat_request("hi")).await;
    assert_eq!(response.status(), 200);
    assert_asked(
        &peers.question(),
        "https://guard.test/v1/moderations",
        &[("authorization", "Bearer sk-guard")],
        &json!({"model": "omni-moderation-latest", "input": ["hi"]}),
    );
}

#[tokio::test]
async fn what_is_flagged_is_refused() {
    let peers = Peers::new(guard(json!({"name": "house rules"})));
    peers.says(&moderation(1, true, 0.9));
    let response = send(&peers.gateway, testing::chat_request("hi")).await;
    assert_eq!(response.status(), 422);
    let answer = testing::json(response).await;
    assert_eq!(answer["error"]["type"], "content_filter");
    let message = "request blocked by content policy (guardrail 'house rules')";
    assert_eq!(answer["error"]["message"], message);
    assert!(peers.upstream.requests().is_empty());
    let told = peers.mark("guardrail_reason");
    assert_eq!(told.as_deref(), Some("house rules: violence"));
}

#[tokio::test]
async fn with_thresholds_only_they_count() {
    for (threshold, score, flagged, expected) in [
        (json!({"violence": 0.5}), 0.5, false, 422),
        (json!({"violence": 0.5}), 0.4, true, 200),
        (json!({"hate": 0.5}), 0.9, true, 200),
        (json!({"unknown": 0.0}), 0.9, true, 200),
    ] {
        let settings = json!({"category_thresholds": threshold, "hook_point": "input"});
        let peers = Peers::new(guard(settings));
        peers.says(&moderation(1, flagged, score));
        peers.upstream.answer(Answer::chat("hello"));
        let response = send(&peers.gateway, testing::chat_request("hi")).await;
        assert_eq!(response.status(), expected, "{threshold} {score}");
    }
}

#[tokio::test]
async fn long_texts_are_cut_and_every_part_counts() {
    let peers = Peers::new(guard(json!({"hook_point": "input"})));
    let text = "ä".repeat(200_000);
    peers.says(&moderation(16, false, 0.0));
    peers.says(&moderation(5, true, 0.9));
    let response = send(&peers.gateway, testing::chat_request(&text)).await;
    assert_eq!(response.status(), 422);
    let [first, second] = &peers.service.requests()[..] else {
        panic!("there are two questions");
    };
    let input = |question: &Recorded| question.json()["input"].as_array().unwrap().clone();
    assert_eq!(input(first).len(), 16);
    assert_eq!(input(second).len(), 5);
    let length = |input: &Value| input.as_str().unwrap().chars().count();
    let (first, second) = (input(first), input(second));
    let all: usize = first.iter().chain(&second).map(length).sum();
    assert_eq!(all, 200_000 + 20 * 256);
}

#[tokio::test]
async fn an_answer_about_other_texts_is_none() {
    for results in [
        json!({"results": []}),
        json!({"results": [{"flagged": "no"}]}),
        json!({"results": [{"flagged": false}, {"flagged": false}]}),
    ] {
        let peers = Peers::new(guard(json!({"hook_point": "input", "fail_open": false})));
        peers.says(&results);
        let response = send(&peers.gateway, testing::chat_request("hi")).await;
        assert_eq!(response.status(), 422, "{results}");
        drop(response);
        let told = peers.mark("guardrail_unavailable");
        let expected = "openai_moderation: unreadable_answer";
        assert_eq!(told.as_deref(), Some(expected));
    }
}

#[test]
fn settings_are_checked() {
    for (settings, expected) in [
        (
            json!({"endpoint": "ftp://guard.test"}),
            "`plugins[0].settings.endpoint` must begin with http",
        ),
        (
            json!({"endpoint": "https://u:p@guard.test"}),
            "`plugins[0].settings.endpoint` must be a URL",
        ),
        (
            json!({"api_key": "a\nb"}),
            "`plugins[0].settings.api_key` has characters",
        ),
        (
            json!({"timeout_ms": 99}),
            "`plugins[0].settings.timeout_ms`",
        ),
        (
            json!({"unknown": 1}),
            "`plugins[].settings.unknown` is not known",
        ),
        (
            json!({"fail_open": "maybe"}),
            "`plugins[0].settings.fail_open`",
        ),
    ] {
        let said = wrong(json!([guard(settings)]));
        assert!(said.contains(expected), "{said}");
        assert!(!said.contains("u:p") && !said.contains("a\nb"), "{said}");
    }
}
