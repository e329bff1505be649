//! Texts that are cut in two at every place, and masks that could break what they are written into.

use aisix_core::testing::{self, Answer, MODEL, Upstream};
use serde_json::{Value, json};

use crate::{ask::*, speech::*};

fn guard(settings: Value) -> Value {
    json!([{"name": "pii_guard", "settings": settings}])
}

fn masking(stage: &str, settings: Value) -> Value {
    json!([{"name": "data_masking", "stage": stage, "settings": settings}])
}

/// An expression, and what is written in its place.
fn pattern(regex: &str, replacement: &str) -> Value {
    let pattern = json!({"name": "p", "regex": regex, "replacement": replacement});
    json!({"custom_patterns": [pattern]})
}

fn rule(kind: &str, pattern: &str, mask: &str) -> Value {
    json!({"rules": [{"type": kind, "pattern": pattern, "mask_with": mask, "preserve_len": false}]})
}

/// What answers are masked with, what they say, and what callers hear.
fn masks() -> Vec<(Value, &'static str, &'static str)> {
    let masking = |settings| masking("pre_response", settings);
    let detectors = json!({"detectors": [{"type": "email"}, {"type": "bank_card"}]});
    let entities = json!({"predefined_entities": [{"entity": "email"}]});
    let mut long = rule("regex", "a@b", "中é");
    long["rules"][0]["preserve_len"] = json!(true);
    vec![
        (
            guard(detectors),
            "é a.b@example.com, 4111 1111 1111 1111!",
            "é [EMAIL_REDACTED], [BANK_CARD_REDACTED]!",
        ),
        (masking(entities), "😀a@b.io.", "😀[MASKED_EMAIL]."),
        (
            masking(rule("keyword", "Project Falcon", "[P]")),
            "no projekt  falcon 中",
            "no [P] 中",
        ),
        (masking(long), "a@b a@b", "中é中 中é中"),
        (guard(pattern("中+", "é")), "a中中b中", "aébé"),
        (guard(pattern("d{2,3}", "")), "add dddd", "a d"),
        (
            masking(rule("regex", r"\bid-\d+", "\"\\\n\u{1f600}")),
            "an id-12 x",
            "an \"\\\n\u{1f600} x",
        ),
        (
            guard(pattern(r#"["\\]"#, r#"\""#)),
            r#"a"b\c"#,
            r#"a\"b\"c"#,
        ),
    ]
}

fn in_two(text: &str, at: usize) -> Answer {
    let (before, after) = text.split_at(at);
    let stream = Answer::stream().role().content(before).content(after);
    stream.finish().done()
}

#[tokio::test]
async fn a_match_is_masked_wherever_a_stream_is_cut() {
    for (chain, text, expected) in masks() {
        let upstream = Upstream::new();
        let gateway = gateway(&upstream, chain);
        for (at, _) in text.char_indices() {
            for request in requests("hi", true) {
                let path = request.uri().path().to_owned();
                upstream.answer(in_two(text, at));
                let events = events(send(&gateway, request).await).await;
                assert_eq!(said(&events), expected, "{path} {at}");
            }
        }
    }
}

/// The network knows nothing of events, nor of characters.
#[tokio::test]
async fn a_match_is_masked_wherever_the_bytes_of_a_stream_are_cut() {
    for (chain, text, expected) in masks() {
        if text.is_ascii() {
            continue;
        }
        let upstream = Upstream::new();
        let gateway = gateway(&upstream, chain);
        let (before, after) = text.split_at(text.char_indices().nth(2).unwrap().0);
        let event = testing::chunk(after);
        for at in 1..event.len() {
            let (first, second) = event.as_bytes().split_at(at);
            let stream = Answer::stream().role().content(before);
            let stream = stream.send(first.to_vec()).send(second.to_vec());
            upstream.answer(stream.finish().done());
            let [request, ..] = requests("hi", true);
            let events = events(send(&gateway, request).await).await;
            assert_eq!(said(&events), expected, "{at}");
        }
    }
}

/// Expressions that match what makes JSON, or a part of an escape.
#[tokio::test]
async fn what_tools_are_called_with_stays_json_whatever_is_masked() {
    let arguments = r#"{"to":["\u00e9\ud83d\ude00 \"x\\y\"",-1.5e3,true],"中":{"n":null}}"#;
    for regex in [
        "\"", r"\\", ":", r"\{.*\}", r"[\[\],]", "u00e9", "é", "😀", "x", "tru", "null", r"-1\.5",
        "n", "(?s:.)",
    ] {
        for replacement in ["\"\\\n", "}", ""] {
            let upstream = Upstream::new();
            let gateway = gateway(&upstream, guard(pattern(regex, replacement)));
            for request in requests("hi", true) {
                let path = request.uri().path().to_owned();
                upstream.answer(calling(arguments));
                let answer = testing::text(send(&gateway, request).await).await;
                assert_documents(&answer, &format!("{path} {regex} {replacement}"));
            }
        }
    }
}

/// Every event is JSON, and what the tool is called with is a whole document.
fn assert_documents(answer: &str, what: &str) {
    let data = answer
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    let data = data.filter(|data| *data != "[DONE]");
    let events: Result<Vec<Value>, _> = data.map(serde_json::from_str).collect();
    let events = events.unwrap_or_else(|error| panic!("{what}: {error}: {answer}"));
    assert!(called_with(&events).is_object(), "{what}: {answer}");
}

/// Characters that JSON writes as two escapes, and halves of them.
#[tokio::test]
async fn a_request_stays_json_whatever_is_masked() {
    for chain in [
        guard(pattern("😀|é", "\"\\")),
        masking("pre_request", rule("regex", "😀|é", "\"\\")),
    ] {
        for (text, expected) in [
            (r"a\ud83d\ude00b", Some("a\"\\b")),
            ("a😀é", Some("a\"\\\"\\")),
            (r"\u00e9", Some("\"\\")),
            (r"\ud83d é", None),
            (r"\ude00\ud83d😀", None),
        ] {
            let upstream = Upstream::new();
            let gateway = gateway(&upstream, chain.clone());
            upstream.answer(Answer::chat("hi"));
            let body = format!(
                r#"{{"model":"{MODEL}","messages":[{{"role":"user","content":"{text}"}}]}}"#
            );
            let request = testing::request("/v1/chat/completions", body);
            let status = send(&gateway, request).await.status();
            match upstream.requests().first() {
                None => assert!(expected.is_none() && status.is_client_error(), "{text}"),
                Some(sent) => {
                    assert!(!sent.text().contains(['😀', 'é']), "{text}");
                    let sent: Option<Value> = serde_json::from_slice(&sent.body).ok();
                    let content = sent.map(|sent| sent["messages"][0]["content"].clone());
                    assert_eq!(content, expected.map(Value::from), "{text}");
                }
            }
        }
    }
}
