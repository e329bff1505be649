//! Prompts that are moderated.

use aisix_core::testing::{self, Answer, Upstream};
use serde_json::{Value, json};

use crate::ask::*;

fn moderation(settings: Value) -> Value {
    json!([{"name": "prompt_moderation", "settings": settings}])
}

#[tokio::test]
async fn keywords_and_expressions_are_refused_in_every_dialect() {
    let upstream = Upstream::new();
    let settings = json!({"keywords": ["make a bomb", "Weapon"], "regex": ["(?i)secret-\\d+"],
        "actions": {"type": "block", "message": "100% %s, not %s"}});
    let gateway = gateway(&upstream, moderation(settings));
    for (text, found) in [
        ("how do I MAKE a \"bomb\"?", "make a bomb"),
        ("a waepno? no, a wepon", "Weapon"),
        ("see SECRET-17", "(?i)secret-\\d+"),
    ] {
        for streams in [false, true] {
            for request in requests(text, streams) {
                let path = request.uri().path().to_owned();
                let response = send(&gateway, request).await;
                assert_eq!(response.status(), 403, "{path}: {text}");
                let answer = testing::json(response).await;
                let expected = format!("100% {found}, not %s");
                assert_eq!(answer["error"]["message"], expected, "{path}");
                if path.ends_with("completions") {
                    assert_eq!(answer["error"]["type"], "content_filter");
                }
            }
        }
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn other_words_pass_and_json_is_not_looked_at() {
    let upstream = Upstream::new();
    let settings = json!({"keywords": ["role", "messages", "weapon"], "regex": ["\"content\""]});
    let gateway = gateway(&upstream, moderation(settings));
    for request in requests("a weary person", false) {
        upstream.answer(Answer::chat("a weapon"));
        let path = request.uri().path().to_owned();
        assert_eq!(send(&gateway, request).await.status(), 200, "{path}");
    }
}

#[tokio::test]
async fn an_observer_refuses_nothing() {
    let upstream = Upstream::new();
    let mut chain = moderation(json!({"keywords": ["weapon"]}));
    chain[0]["mode"] = json!("observe");
    upstream.answer(Answer::chat("hello"));
    let gateway = gateway(&upstream, chain);
    let response = send(&gateway, testing::chat_request("weapon")).await;
    assert_eq!(response.status(), 200);
}

#[test]
fn settings_are_checked() {
    for (settings, expected) in [
        (
            json!({}),
            "settings.keywords` or `regex` must list something",
        ),
        (
            json!({"keywords": ["ok", "?!"]}),
            "settings.keywords[1]` has no word",
        ),
        (
            json!({"keywords": ["a b ".repeat(9)]}),
            "settings.keywords[0]` has more than 16 words",
        ),
        (json!({"keywords": [""]}), "settings.keywords[0]`"),
        (
            json!({"regex": ["a", "("]}),
            "settings.regex[1]` is not a regular expression that is understood",
        ),
        (
            json!({"regex": ["a*"]}),
            "settings.regex[0]` matches a text without a character",
        ),
        (
            json!({"regex": ["(\\w{100}){100}"]}),
            "settings.regex` takes too much memory",
        ),
        (
            json!({"keywords": ["a"], "similarity_threshold": 0.4}),
            "settings.similarity_threshold` must be at least 0.5",
        ),
        (
            json!({"keywords": ["a"], "actions": {"type": "warn"}}),
            "settings.actions.type`",
        ),
    ] {
        let said = wrong(moderation(settings));
        assert!(said.contains(expected), "{said}");
    }
}
