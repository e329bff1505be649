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

#[tokio::test]
async fn texts_are_asked_about_together_and_changed_alone() {
    let peers = Peers::new(guard(json!({})));
    let messages: Vec<_> = ["ä me@a.b", "nothing", "to c@d.e!"]
        .iter()
        .map(|text| json!({"role": "user", "content": text}))
        .collect();
    let body = json!({"model": testing::MODEL, "messages": messages});
    peers.says(&json!([
        found("EMAIL_ADDRESS", 2, 8),
        found("EMAIL_ADDRESS", 24, 29)
    ]));
    peers.says(&anonymized("ä <E>\n\u{1e}\nto <E>!"));
    peers.upstream.answer(Answer::chat("hello"));
    let request = testing::request("/v1/chat/completions", body.to_string());
    assert_eq!(send(&peers.gateway, request).await.status(), 200);
    let asked = peers.service.requests();
    let text = "ä me@a.b\n\u{1e}\nnothing\n\u{1e}\nto c@d.e!";
    assert_eq!(asked[0].json()["text"], text);
    assert_eq!(asked[1].json()["text"], "ä me@a.b\n\u{1e}\nto c@d.e!");
    let results = &asked[1].json()["analyzer_results"];
    let place = |index: usize| {
        (
            results[index]["start"].as_u64(),
            results[index]["end"].as_u64(),
        )
    };
    assert_eq!(
        (place(0), place(1)),
        ((Some(2), Some(8)), (Some(14), Some(19)))
    );
    let sent = peers.upstream.last_request().json();
    let texts = [0, 1, 2].map(|index| sent["messages"][index]["content"].clone());
    assert_eq!(texts, ["ä <E>", "nothing", "to <E>!"]);
}

#[tokio::test]
async fn no_text_can_pretend_to_be_two() {
    let peers = Peers::new(guard(json!({"fail_open": false})));
    let text = "a\n\u{1e}\nme@a.b";
    peers.says(&json!([found("EMAIL_ADDRESS", 4, 10)]));
    peers.says(&anonymized("a\n\u{1e}\n<E>"));
    peers.upstream.answer(Answer::chat("hello"));
    let response = send(&peers.gateway, testing::chat_request(text)).await;
    assert_eq!(response.status(), 200);
    let sent = peers.upstream.last_request().json();
    assert_eq!(sent["messages"][0]["content"], "a\n\u{1e}\n<E>");
}
