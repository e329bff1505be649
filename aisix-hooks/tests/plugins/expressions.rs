//! Regular expressions that explode: refused when a chain is built, or linear in the text.

use aisix_core::testing::{self, Answer, Upstream};
use serde_json::{Value, json};

use crate::ask::*;

/// A setting that takes expressions: the hook, and how it is set so that each of them refuses a request.
type Taker = (&'static str, fn(&[String]) -> Value);

const TAKERS: [Taker; 6] = [
    ("data_masking", |expressions| {
        let rule = |value: &String| json!({"type": "regex", "pattern": value});
        json!({"rules": expressions.iter().map(rule).collect::<Vec<_>>()})
    }),
    ("injection_protection", |expressions| {
        let pattern = |value: &String| json!({"name": "mine", "pattern": value});
        let patterns: Vec<_> = expressions.iter().map(pattern).collect();
        json!({"content_to_check": ["all"], "custom_injections": patterns})
    }),
    ("keyword_guard", |expressions| {
        let pattern = |value: &String| json!({"kind": "regex", "value": value});
        json!({"patterns": expressions.iter().map(pattern).collect::<Vec<_>>()})
    }),
    ("pii_guard", |expressions| {
        let pattern = |value: &String| json!({"name": "mine", "regex": value});
        json!({"custom_patterns": expressions.iter().map(pattern).collect::<Vec<_>>()})
    }),
    (
        "prompt_moderation",
        |expressions| json!({"regex": expressions}),
    ),
    ("request_validation", |expressions| {
        let without = |pattern: &String| json!({"not": {"pattern": pattern}});
        let content = json!({"allOf": expressions.iter().map(without).collect::<Vec<_>>()});
        let message = json!({"properties": {"content": content}});
        json!({"schema": {"properties": {"messages": {"items": message}}}})
    }),
];

/// Those that read answers, too.
const READERS: [&str; 3] = ["data_masking", "keyword_guard", "pii_guard"];

/// A chain with one hook, which reads requests.
fn chain((name, settings): Taker, expressions: &[String]) -> Value {
    let mut hook = json!({"name": name, "settings": settings(expressions)});
    if name == "data_masking" {
        hook["stage"] = json!("pre_request");
    }
    json!([hook])
}

#[test]
fn what_would_take_much_memory_is_refused() {
    let classes = |count: usize| -> Vec<_> {
        let class = |number: usize| format!("{}[\\pL&&\\PN]{{40}}{number}", "x".repeat(3));
        (0..count).map(class).collect()
    };
    for taker in TAKERS {
        for expressions in [
            vec!["(?:a{1000}){1000}".to_owned()],
            vec!["((((((a{9}){9}){9}){9}){9}){9}){9}".to_owned()],
            vec!["\\pL{900}".to_owned()],
            vec!["x".repeat(1 << 20)],
            vec![format!("{}{}", "(".repeat(2_000), ")x".repeat(2_000))],
            classes(800),
        ] {
            let said = wrong(chain(taker, &expressions));
            let (name, _) = taker;
            let start = &expressions[0][..expressions[0].len().min(20)];
            assert!(
                said.contains("plugins[0].settings."),
                "{name} {start}: {said}"
            );
            assert!(said.len() < 1_000, "{name} {start}: it is not repeated");
        }
    }
}

/// With an engine that goes back, each of these would take longer than anybody waits.
#[tokio::test]
async fn what_is_taken_is_linear_in_the_text() {
    let text = "a".repeat(100_000);
    for taker in TAKERS {
        for expression in [
            "(a*)*b",
            "(a+)+b",
            "(a|aa)+b",
            "(a|a?)+b",
            "(.*)*=b",
            "a+a+a+a+a+b",
            "(\\w+\\s?)+!",
        ] {
            let upstream = Upstream::new();
            let gateway = gateway(&upstream, chain(taker, &[expression.to_owned()]));
            for (text, matches) in [(&text, false), (&format!("{text}b =b!"), true)] {
                upstream.answer(Answer::chat("hello"));
                let response = send(&gateway, testing::chat_request(text)).await;
                // It is refused, or something else is written in its place.
                let is_as_it_was = response.status() == 200
                    && upstream.last_request().text().contains(text.as_str());
                assert_eq!(is_as_it_was, !matches, "{} {expression}", taker.0);
            }
        }
    }
}

/// Each of these in each hook that reads answers.
fn readers<const N: usize>(expressions: [&str; N]) -> impl Iterator<Item = (Taker, &str)> {
    let readers = TAKERS
        .into_iter()
        .filter(|(name, _)| READERS.contains(name));
    readers.flat_map(move |reader| expressions.map(|expression| (reader, expression)))
}

/// What is held back of a stream is searched again and again while it grows, each time in time linear in it.
#[tokio::test]
async fn a_stream_that_could_always_become_a_match_is_refused_in_the_end() {
    let piece = "a1".repeat(300);
    for (reader, expression) in readers([
        "(?:\\w-?)+!",
        "(a*1)*b",
        "\\w+\\b",
        "\\b(?:\\w+-?)+\\b",
        "(?:a|1)+$",
    ]) {
        let upstream = Upstream::new();
        let mut chain = chain(reader, &[expression.to_owned()]);
        if reader.0 == "data_masking" {
            chain[0]["stage"] = json!("pre_response");
        }
        let gateway = gateway(&upstream, chain);
        let stream = (0..600).fold(Answer::stream().role(), |stream, _| stream.content(&piece));
        upstream.answer(stream.finish().done());
        let [request, ..] = requests("hi", true);
        let answer = testing::text(send(&gateway, request).await).await;
        let what = format!("{} {expression}", reader.0);
        assert!(answer.contains("blocked by content policy"), "{what}");
        assert!(!answer.contains("a1"), "{what}");
    }
}
