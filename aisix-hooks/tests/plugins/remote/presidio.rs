use aisix_core::testing::{self, Answer};
use serde_json::json;

use super::*;
use crate::ask::*;

const TEXT: &str = "ä 👋 me@a.b!";

fn guard(settings: Value) -> Value {
    let defaults = json!({"analyzer_url": "http://guard.test/analyzer",
        "anonymizer_url": "http://guard.test/anonymizer/", "hook_point": "input"});
    element("presidio", defaults, settings)
}

fn found(entity: &str, start: usize, end: usize) -> Value {
    json!({"analysis_explanation": null, "entity_type": entity, "start": start, "end": end,
        "score": 0.85, "recognition_metadata": {"recognizer_name": "told"}})
}

fn anonymized(text: &str) -> Value {
    json!({"text": text, "items": [{"operator": "replace", "entity_type": "EMAIL_ADDRESS",
        "start": 4, "end": 19, "text": "<EMAIL_ADDRESS>"}]})
}

#[tokio::test]
async fn the_questions_are_those_of_the_documentation() {
    let settings = json!({"score_threshold": 0.5, "language": "de",
        "entities": [{"type": "EMAIL_ADDRESS"}, {"type": "PERSON", "action": "block"}]});
    let peers = Peers::new(guard(settings));
    peers.says(&json!([found("EMAIL_ADDRESS", 4, 10)]));
    peers.says(&anonymized("ä 👋 <EMAIL_ADDRESS>!"));
    peers.upstream.answer(Answer::chat("hello"));
    let response = send(&peers.gateway, testing::chat_request(TEXT)).await;
    assert_eq!(response.status(), 200);
    let sent = peers.upstream.last_request().json();
    assert_eq!(sent["messages"][0]["content"], "ä 👋 <EMAIL_ADDRESS>!");
    let [analyzed, masked] = &peers.service.requests()[..] else {
        panic!("there are two questions");
    };
    assert_asked(
        analyzed,
        "http://guard.test/analyzer/analyze",
        &[],
        &json!({"text": TEXT, "language": "de", "entities": ["EMAIL_ADDRESS", "PERSON"],
            "score_threshold": 0.5}),
    );
    assert_asked(
        masked,
        "http://guard.test/anonymizer/anonymize",
        &[],
        &json!({"text": TEXT, "anonymizers": {"DEFAULT": {"type": "replace"}},
            "analyzer_results": [
                {"entity_type": "EMAIL_ADDRESS", "start": 4, "end": 10, "score": 0.85}]}),
    );
}

#[tokio::test]
async fn every_operator_is_one_of_presidio() {
    for (operator, expected) in [
        ("replace", json!({"type": "replace"})),
        ("redact", json!({"type": "redact"})),
        ("hash", json!({"type": "hash", "hash_type": "sha256"})),
        (
            "mask",
            json!({"type": "mask", "masking_char": "*", "chars_to_mask": 1_000_000,
                "from_end": false}),
        ),
    ] {
        let peers = Peers::new(guard(json!({"operator": operator})));
        peers.says(&json!([found("EMAIL_ADDRESS", 4, 10)]));
        peers.says(&anonymized("ä 👋 !"));
        peers.upstream.answer(Answer::chat("hello"));
        let response = send(&peers.gateway, testing::chat_request(TEXT)).await;
        assert_eq!(response.status(), 200);
        let asked = peers.service.last_request().json();
        assert_eq!(asked["anonymizers"]["DEFAULT"], expected);
    }
}

#[tokio::test]
async fn what_nothing_is_found_in_is_not_changed() {
    for (settings, answer) in [
        (json!({}), json!([])),
        (
            json!({"entities": [{"type": "PERSON"}]}),
            json!([found("EMAIL_ADDRESS", 4, 10)]),
        ),
        (
            json!({"score_threshold": 0.9}),
            json!([found("EMAIL_ADDRESS", 4, 10)]),
        ),
    ] {
        let peers = Peers::new(guard(settings));
        peers.says(&answer);
        peers.upstream.answer(Answer::chat("hello"));
        let response = send(&peers.gateway, testing::chat_request(TEXT)).await;
        assert_eq!(response.status(), 200);
        let sent = peers.upstream.last_request().json();
        assert_eq!(sent["messages"][0]["content"], TEXT);
        assert_eq!(peers.service.requests().len(), 1);
    }
}

#[tokio::test]
async fn entities_may_be_refused() {
    for settings in [
        json!({"default_action": "block"}),
        json!({"entities": [{"type": "EMAIL_ADDRESS", "action": "block"}]}),
    ] {
        let peers = Peers::new(guard(settings));
        peers.says(&json!([found("EMAIL_ADDRESS", 4, 10)]));
        let response = send(&peers.gateway, testing::chat_request(TEXT)).await;
        assert_eq!(response.status(), 422);
        drop(response);
        let told = peers.mark("guardrail_reason");
        assert_eq!(told.as_deref(), Some("presidio: EMAIL_ADDRESS"));
        assert_eq!(peers.service.requests().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_about_another_text_is_none() {
    let email = || json!([found("EMAIL_ADDRESS", 4, 10)]);
    for (analyzed, masked) in [
        (
            json!([found("EMAIL_ADDRESS", 4, 40)]),
            anonymized("ä 👋 <E>!"),
        ),
        (
            json!([found("EMAIL_ADDRESS", 10, 4)]),
            anonymized("ä 👋 <E>!"),
        ),
        (email(), anonymized("a 👋 <E>!")),
        (email(), anonymized("ä 👋 <E>")),
        (email(), anonymized("!")),
        (email(), json!({"items": []})),
        (json!({"error": "no"}), json!({})),
        (
            json!([{"entity_type": "EMAIL_ADDRESS", "start": -1, "end": 4, "score": 1}]),
            json!({}),
        ),
    ] {
        let peers = Peers::new(guard(json!({"fail_open": false})));
        peers.says(&analyzed);
        peers.says(&masked);
        let response = send(&peers.gateway, testing::chat_request(TEXT)).await;
        assert_eq!(response.status(), 422, "{analyzed} {masked}");
        drop(response);
        let told = peers.mark("guardrail_unavailable");
        let expected = "presidio: unreadable_answer";
        assert_eq!(told.as_deref(), Some(expected), "{analyzed} {masked}");
    }
}

#[tokio::test]
async fn answers_and_streams_are_changed_in_every_dialect() {
    for streams in [false, true] {
        for request in requests("hi", streams) {
            let path = request.uri().path().to_owned();
            let peers = Peers::new(guard(json!({"hook_point": "output"})));
            let stream = Answer::stream().role().content("ä 👋 me@").content("a.b!");
            peers.upstream.answer(match streams {
                true => stream.finish().done(),
                false => Answer::chat(TEXT),
            });
            peers.says(&json!([found("EMAIL_ADDRESS", 4, 10)]));
            peers.says(&anonymized("ä 👋 <EMAIL_ADDRESS>!"));
            let answer = testing::text(send(&peers.gateway, request).await).await;
            assert!(answer.contains("<EMAIL_ADDRESS>"), "{path}: {answer}");
            for hidden in ["me@", "a.b"] {
                assert!(!answer.contains(hidden), "{path}: {answer}");
            }
        }
    }
}
