//! Words that must not occur.

use aisix_core::testing::{self, Answer, Gate, Setup, Upstream};
use serde_json::{Value, json};

use crate::ask::*;

/// A chain with one guard.
fn guard(members: Value) -> Value {
    let mut settings = json!({"patterns": [
        {"kind": "literal", "value": "Forbidden"}, {"kind": "regex", "value": r"\bid-\d{4}\b"}]});
    for (name, value) in members.as_object().unwrap() {
        settings[name] = value.clone();
    }
    json!([{"name": "keyword_guard", "settings": settings}])
}

fn message(what: &str) -> String {
    format!("{what} blocked by content policy (guardrail 'keyword_guard')")
}

#[tokio::test]
async fn a_request_is_refused_in_its_dialect_and_goes_nowhere() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, guard(json!({})));
    for text in ["say forBIDden", "my id-1234!"] {
        for request in requests(text, false) {
            let path = request.uri().path().to_owned();
            let response = send(&gateway, request).await;
            assert_eq!(response.status(), 422, "{path}");
            let answer = testing::json(response).await;
            assert_eq!(answer["error"]["message"], message("request"), "{path}");
            if path.ends_with("completions") {
                assert_eq!(answer["error"]["type"], "content_filter");
            }
        }
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn an_answer_is_refused_in_every_dialect() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, guard(json!({})));
    for request in requests("hi", false) {
        upstream.answer(Answer::chat("it is Forbidden."));
        let response = send(&gateway, request).await;
        assert_eq!(response.status(), 422);
        let answer = testing::json(response).await;
        assert_eq!(answer["error"]["message"], message("response"));
    }
}

#[tokio::test]
async fn what_is_allowed_passes_as_it_came() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, guard(json!({})));
    upstream.answer(Answer::chat("hello id-12345"));
    let response = send(&gateway, testing::chat_request("hi")).await;
    assert_eq!(
        testing::text(response).await,
        testing::chat_answer("hello id-12345")
    );
    upstream.answer(
        Answer::stream()
            .role()
            .content("for")
            .content("give")
            .finish()
            .done(),
    );
    let [request, ..] = requests("hi", true);
    let answer = testing::text(send(&gateway, request).await).await;
    let expected = [testing::chunk("for"), testing::chunk("give")].concat();
    assert!(answer.contains(&expected), "{answer}");
    assert!(answer.ends_with("data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_stream_ends_with_an_error_before_the_word_in_every_dialect() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, guard(json!({})));
    for request in requests("hi", true) {
        let path = request.uri().path().to_owned();
        let stream = Answer::stream()
            .role()
            .content("hello ")
            .content("for")
            .content("bid");
        upstream.answer(stream.content("den word").finish().done());
        let response = send(&gateway, request).await;
        assert_eq!(response.status(), 200, "{path}");
        let answer = testing::text(response).await;
        assert!(answer.contains("hello "), "{path}: {answer}");
        assert!(answer.contains(&message("response")), "{path}: {answer}");
        for hidden in ["\"for\"", "\"bid\"", "den word", "[DONE]", "message_stop"] {
            assert!(!answer.contains(hidden), "{path}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_stream_is_not_held_up_by_what_cannot_become_a_match() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, guard(json!({})));
    let gate = Gate::new();
    let stream = Answer::stream().role().content("hello").gate(&gate);
    upstream.answer(stream.content(" world").finish().done());
    let [request, ..] = requests("hi", true);
    let mut body = send(&gateway, request).await.into_body();
    let mut seen = String::new();
    while !seen.contains("hello") {
        seen += &testing::next_text(&mut body).await.unwrap();
    }
    gate.open();
    while let Some(text) = testing::next_text(&mut body).await {
        seen += &text;
    }
    assert!(seen.contains(" world"));
}

#[tokio::test]
async fn a_match_hangs_up_on_the_upstream() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, guard(json!({})));
    let exchange = upstream.answer(Answer::stream().role().content("forbidden").stall());
    let [request, ..] = requests("hi", true);
    let answer = testing::text(send(&gateway, request).await).await;
    assert!(answer.contains(&message("response")), "{answer}");
    assert!(exchange.has_ended().is_some());
}

#[tokio::test]
async fn it_looks_where_it_is_told_to() {
    for (point, asked, answered) in [
        ("input", 422, 200),
        ("output", 200, 422),
        ("both", 422, 422),
    ] {
        for (ask, answer, expected) in [("forbidden", "hi", asked), ("hi", "forbidden", answered)] {
            let upstream = Upstream::new();
            let gateway = gateway(&upstream, guard(json!({"hook_point": point})));
            upstream.answer(Answer::chat(answer));
            let response = send(&gateway, testing::chat_request(ask)).await;
            assert_eq!(response.status(), expected, "{point}: {ask} {answer}");
        }
    }
}

/// A chain with one guard that holds back no more than a window of a stream.
fn windows(size: usize, overlap: usize) -> Value {
    guard(
        json!({"on_stream": "window", "window_size": size, "window_overlap_size": overlap,
        "patterns": [{"kind": "literal", "value": "Forbidden"}, {"kind": "regex", "value": "begin[^.]*end"}]}),
    )
}

/// What is said in a stream of these pieces, by a caller of chats.
async fn said(chain: Value, pieces: &[&str]) -> String {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, chain);
    let stream = Answer::stream().role();
    let stream = pieces
        .iter()
        .fold(stream, |stream, piece| stream.content(piece));
    upstream.answer(stream.finish().done());
    let [request, ..] = requests("hi", true);
    testing::text(send(&gateway, request).await).await
}

#[tokio::test]
async fn a_window_holds_back_what_fits_into_its_overlap_in_every_dialect() {
    for chain in [windows(20, 9), windows(19, 9)] {
        let upstream = Upstream::new();
        let gateway = gateway(&upstream, chain);
        for request in requests("hi", true) {
            let path = request.uri().path().to_owned();
            // It could become a match from here on, so that the window is full when the word is not there yet.
            let stream = Answer::stream()
                .role()
                .content("begin 1 ä 3 4 5")
                .content(" for");
            let stream = stream.content("bidde").content("n").content("!");
            upstream.answer(stream.finish().done());
            let answer = testing::text(send(&gateway, request).await).await;
            assert!(answer.contains("begin 1 ä"), "{path}: {answer}");
            assert!(answer.contains(&message("response")), "{path}: {answer}");
            assert!(!answer.contains("for\""), "{path}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_window_lets_matches_pass_that_are_longer() {
    let pieces = ["begin 1 2 ", "3 4 5 6 7 8", " end."];
    for (chain, passes) in [
        (windows(20, 9), true),
        (windows(26, 9), false),
        (windows(10_000, 256), false),
    ] {
        let answer = said(chain, &pieces).await;
        assert_eq!(answer.contains(" end."), passes, "{answer}");
        assert_eq!(answer.ends_with("data: [DONE]\n\n"), passes, "{answer}");
    }
}

#[tokio::test]
async fn a_window_is_held_back_whatever_the_events_it_comes_in() {
    let mut pieces = vec!["x"; 3_000];
    pieces[0] = "begin";
    let answer = said(windows(10_000, 256), &pieces).await;
    assert!(answer.ends_with("data: [DONE]\n\n"));
    let mut holds = windows(1, 0);
    let settings = holds[0]["settings"].as_object_mut().unwrap();
    settings.retain(|name, _| name == "patterns");
    let answer = said(holds, &pieces).await;
    assert!(answer.contains(&message("response")));
}

#[test]
fn windows_are_checked() {
    for (settings, expected) in [
        (
            json!({"window_size": 10}),
            "window_size` is only for `on_stream: window`",
        ),
        (
            json!({"on_stream": "observe", "window_overlap_size": 10}),
            "window_overlap_size` is only for",
        ),
        (
            json!({"on_stream": "window", "window_size": 11, "window_overlap_size": 6}),
            "window_overlap_size` must be at most 5, half of the window",
        ),
        (
            json!({"on_stream": "window", "window_size": 10_001}),
            "window_size` must be at most 10000",
        ),
    ] {
        let said = wrong(guard(settings));
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn one_that_only_watches_tells_and_refuses_nothing() {
    let mut observes = guard(json!({}));
    observes[0]["mode"] = json!("observe");
    for chain in [guard(json!({"enforcement_mode": "monitor"})), observes] {
        let upstream = Upstream::new();
        let marks = Marks::default();
        let setup = Setup::new()
            .hooks(aisix_hooks::hooks())
            .model(json!({"plugins": chain}));
        let gateway = setup
            .builder(&upstream)
            .observe(marks.clone())
            .build()
            .unwrap();
        upstream.answer(
            Answer::stream()
                .role()
                .content("for")
                .content("bidden")
                .finish()
                .done(),
        );
        let [request, ..] = requests("forbidden", true);
        let answer = testing::text(send(&gateway, request).await).await;
        assert!(answer.contains("bidden") && answer.ends_with("data: [DONE]\n\n"));
        let told = ("guardrail_would_block", "keyword_guard".to_owned());
        assert_eq!(marks.take(), [told.clone(), told]);
    }
}

#[test]
fn patterns_are_checked() {
    for (kind, value, expected) in [
        (
            "regex",
            "(",
            "`plugins[0].settings.patterns[0].value` is not a regular expression",
        ),
        (
            "regex",
            "a*",
            "`plugins[0].settings.patterns[0].value` matches a text without a character",
        ),
        (
            "regex",
            "(?:a{1000}){1000}",
            "`plugins[0].settings.patterns` take too much memory",
        ),
    ] {
        let settings = json!({"patterns": [{"kind": kind, "value": value}]});
        let said = wrong(json!([{"name": "keyword_guard", "settings": settings}]));
        assert!(said.contains(expected), "{said}");
    }
}
