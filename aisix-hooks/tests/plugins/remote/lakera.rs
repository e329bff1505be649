use aisix_core::testing::{self, Answer, MODEL};
use serde_json::json;

use super::*;
use crate::ask::*;

fn guard(settings: Value) -> Value {
    let defaults = json!({"api_key": "lk-guard", "endpoint": "https://guard.test"});
    element("lakera", defaults, settings)
}

/// What the service says when these detectors have found something at these places.
fn flagged(detectors: &[&str], found: Value) -> Value {
    let detectors = detectors.iter().map(|detector| {
        json!({"project_id": "project-1", "policy_id": "policy-1", "detector_id": "detector-1",
            "detector_type": detector, "detected": true})
    });
    let mut breakdown: Vec<Value> = detectors.collect();
    breakdown.push(json!({"detector_type": "unknown_links", "detected": false}));
    json!({"flagged": true, "breakdown": breakdown, "payload": found,
        "metadata": {"request_uuid": "1"}})
}

fn harmless() -> Value {
    json!({"flagged": false, "breakdown": [], "payload": [], "metadata": {"request_uuid": "1"}})
}

fn found(message: usize, start: usize, end: usize, detector: &str) -> Value {
    json!({"start": start, "end": end, "text": "told", "detector_type": detector, "labels": [],
        "message_id": message})
}

#[tokio::test]
async fn the_question_is_that_of_the_documentation() {
    let peers = Peers::new(guard(
        json!({"project_id": "project-9", "hook_point": "input"}),
    ));
    peers.says(&harmless());
    peers.upstream.answer(Answer::chat("hello"));
    let tool =
        json!({"id": "1", "type": "function", "function": {"name": "no", "arguments": "{}"}});
    let body = json!({"model": MODEL, "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
        {"role": "user", "content": "three"},
        {"role": "assistant", "content": null, "tool_calls": [tool]},
        {"role": "tool", "tool_call_id": "1", "content": "four"},
    ]});
    let request = testing::request("/v1/chat/completions", body.to_string());
    let response = send(&peers.gateway, request).await;
    assert_eq!(response.status(), 200);
    assert_asked(
        &peers.question(),
        "https://guard.test/v2/guard",
        &[("authorization", "Bearer lk-guard")],
        &json!({"messages": [
            {"role": "system", "content": "be kind"},
            {"role": "user", "content": "one\ntwo\nthree"},
            {"role": "assistant", "content": "{}"},
            {"role": "tool", "content": "four"},
        ], "project_id": "project-9", "breakdown": true, "payload": true}),
    );
}

#[tokio::test]
async fn attacks_are_refused_and_so_is_what_cannot_be_told_from_them() {
    for answer in [
        flagged(&["prompt_attack"], json!([])),
        flagged(
            &["prompt_attack", "pii/email"],
            json!([found(0, 0, 2, "pii/email")]),
        ),
        flagged(&["pii/email"], json!([])),
        flagged(&["pii/email"], json!([found(0, 1, 3, "pii/email")])),
        flagged(&["pii/email"], json!([found(1, 0, 2, "pii/email")])),
        flagged(&["piitfall"], json!([found(0, 0, 2, "piitfall")])),
        json!({"flagged": true}),
        json!({"flagged": true, "breakdown": null, "payload": null}),
    ] {
        let peers = Peers::new(guard(json!({})));
        peers.says(&answer);
        let response = send(&peers.gateway, testing::chat_request("hi")).await;
        assert_eq!(response.status(), 422, "{answer}");
        assert!(peers.upstream.requests().is_empty());
    }
}

#[tokio::test]
async fn personal_data_is_taken_out_of_requests_of_every_dialect() {
    for request in requests("ä 👋 me@a.b!", false) {
        let path = request.uri().path().to_owned();
        let peers = Peers::new(guard(json!({"hook_point": "input"})));
        let email = found(0, 4, 10, "pii/email");
        peers.says(&flagged(&["pii/email"], json!([email])));
        peers.upstream.answer(Answer::chat("hello"));
        let response = send(&peers.gateway, request).await;
        assert_eq!(response.status(), 200, "{path}");
        drop(response);
        let sent = peers.upstream.last_request().text().to_owned();
        assert!(sent.contains("ä 👋 [EMAIL_REDACTED]!"), "{path}: {sent}");
        assert!(!sent.contains("me@a.b"), "{path}: {sent}");
        assert_eq!(peers.mark("guardrail_masked").as_deref(), Some("lakera"));
    }
}

#[tokio::test]
async fn of_texts_that_were_one_message_each_keeps_its_own() {
    let peers = Peers::new(guard(json!({"hook_point": "input"})));
    let places = json!([found(0, 0, 2, "pii/name"), found(0, 3, 5, "pii/name")]);
    peers.says(&flagged(&["pii/name"], places));
    peers.upstream.answer(Answer::chat("hello"));
    let messages =
        json!([{"role": "user", "content": "Jo"}, {"role": "user", "content": "Al, 1.0"}]);
    let body = json!({"model": MODEL, "messages": messages});
    let request = testing::request("/v1/chat/completions", body.to_string());
    assert_eq!(send(&peers.gateway, request).await.status(), 200);
    let sent = peers.upstream.last_request().json();
    assert_eq!(sent["messages"][0]["content"], "[NAME_REDACTED]");
    assert_eq!(sent["messages"][1]["content"], "[NAME_REDACTED], 1.0");
}

#[tokio::test]
async fn personal_data_is_taken_out_of_answers() {
    let peers = Peers::new(guard(json!({"hook_point": "output"})));
    let email = found(0, 3, 9, "pii/email");
    peers.says(&flagged(&["pii/email"], json!([email])));
    peers.upstream.answer(Answer::chat("to me@a.b!"));
    let response = send(&peers.gateway, testing::chat_request("hi")).await;
    let expected = testing::chat_answer("to [EMAIL_REDACTED]!");
    assert_eq!(testing::text(response).await, expected);
    let asked = json!([{"role": "assistant", "content": "to me@a.b!"}]);
    assert_eq!(peers.question().json()["messages"], asked);
}

#[tokio::test]
async fn personal_data_is_taken_out_of_streams_of_every_dialect() {
    for request in requests("hi", true) {
        let path = request.uri().path().to_owned();
        let peers = Peers::new(guard(json!({"hook_point": "output"})));
        let stream = Answer::stream()
            .role()
            .content("to me")
            .content("@a")
            .content(".b! so long");
        peers.upstream.answer(stream.finish().done());
        peers.says(&flagged(
            &["pii/email"],
            json!([found(0, 3, 9, "pii/email")]),
        ));
        let answer = testing::text(send(&peers.gateway, request).await).await;
        assert!(answer.contains("to [EMAIL_REDACTED]"), "{path}: {answer}");
        assert!(answer.contains("! so long"), "{path}: {answer}");
        for hidden in ["to me", "@a", ".b!"] {
            assert!(!answer.contains(hidden), "{path}: {hidden}: {answer}");
        }
        if path.ends_with("responses") {
            // What the pieces have said is said again as a whole.
            let whole = "to [EMAIL_REDACTED]! so long";
            assert!(answer.matches(whole).count() >= 3, "{answer}");
        }
    }
}

#[tokio::test]
async fn one_that_watches_takes_nothing_out() {
    let peers = Peers::new(guard(
        json!({"enforcement_mode": "monitor", "hook_point": "output"}),
    ));
    peers.says(&flagged(
        &["pii/email"],
        json!([found(0, 3, 9, "pii/email")]),
    ));
    peers.upstream.answer(Answer::chat("to me@a.b!"));
    let response = send(&peers.gateway, testing::chat_request("hi")).await;
    assert_eq!(
        testing::text(response).await,
        testing::chat_answer("to me@a.b!")
    );
    assert_eq!(
        peers.mark("guardrail_would_mask").as_deref(),
        Some("lakera")
    );
}
