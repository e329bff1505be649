//! Regular expressions that explode: refused when a chain is built, or linear in the text.

use aisix_core::testing::{self, Answer, Upstream};
use serde_json::{Value, json};

use crate::ask::*;

/// A setting that takes expressions: the hook, and how it is set so that each of them refuses a request.
type Taker = (&'static str, fn(&[String]) -> Value);

const TAKERS: [Taker; 2] = [
    ("keyword_guard", |expressions| {
        let pattern = |value: &String| json!({"kind": "regex", "value": value});
        json!({"patterns": expressions.iter().map(pattern).collect::<Vec<_>>()})
    }),
    ("request_validation", |expressions| {
        let without = |pattern: &String| json!({"not": {"pattern": pattern}});
        let content = json!({"allOf": expressions.iter().map(without).collect::<Vec<_>>()});
        let message = json!({"properties": {"content": content}});
        json!({"schema": {"properties": {"messages": {"items": message}}}})
    }),
];

fn chain((name, settings): Taker, expressions: &[String]) -> Value {
    json!([{"name": name, "settings": settings(expressions)}])
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
            upstream.answer(Answer::chat("hello"));
            let response = send(&gateway, testing::chat_request(&text)).await;
            assert_eq!(response.status(), 200, "{} {expression}", taker.0);
            let response = send(&gateway, testing::chat_request(&format!("{text}=b!"))).await;
            assert!(
                response.status().is_client_error(),
                "{} {expression}",
                taker.0
            );
        }
    }
}

/// What is held back of a stream is searched again and again while it grows, each time in time linear in it.
#[tokio::test]
async fn a_stream_that_could_always_become_a_match_is_refused_in_the_end() {
    let piece = "a1".repeat(300);
    for expression in [
        "(?:\\w-?)+!",
        "(a*1)*b",
        "\\w+\\b",
        "\\b(?:\\w+-?)+\\b",
        "(?:a|1)+$",
    ] {
        let upstream = Upstream::new();
        let gateway = gateway(&upstream, chain(TAKERS[0], &[expression.to_owned()]));
        let stream = (0..600).fold(Answer::stream().role(), |stream, _| stream.content(&piece));
        upstream.answer(stream.finish().done());
        let [request, ..] = requests("hi", true);
        let answer = testing::text(send(&gateway, request).await).await;
        assert!(answer.contains("blocked by content policy"), "{expression}");
        assert!(!answer.contains("a1"), "{expression}");
    }
}
