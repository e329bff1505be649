//! Observers see every ending, once, with what it cost.

use aisix_core::{
    ErrorKind, Gateway,
    testing::{self, Answer, Ending, Endings, Setup, Upstream, next_text},
    upstream::Settings,
};
use aisix_wire::Usage;
use serde_json::json;

use crate::ask::*;

fn observed(answer: Answer) -> (Gateway, Endings) {
    let upstream = Upstream::new();
    upstream.answer(answer);
    let endings = Endings::new();
    let settings = Settings {
        retries: 0,
        ..Settings::default()
    };
    let builder = Setup::new().upstream(settings).builder(&upstream);
    (builder.observe(endings.clone()).build().unwrap(), endings)
}

fn tokens(input: u64, output: u64) -> Option<Usage> {
    Some(Usage {
        input,
        output,
        ..Usage::default()
    })
}

#[tokio::test]
async fn a_whole_answer_is_a_success_with_its_usage() {
    let (gateway, endings) = observed(Answer::chat("hello"));
    let response = chat(&gateway).await;
    assert!(endings.all().is_empty(), "not before the body is read");
    testing::text(response).await;
    let expected = Ending {
        word: "success",
        error: None,
        status: Some(http::StatusCode::OK),
        usage: tokens(5, 7),
        estimated: false,
        first_token: None,
    };
    assert_eq!(endings.only(), expected);
    assert_eq!(endings.attempts(), [None]);
}

#[tokio::test]
async fn a_whole_answer_that_nobody_reads_is_cancelled() {
    let (gateway, endings) = observed(Answer::chat("hello"));
    drop(chat(&gateway).await);
    let ending = endings.only();
    assert_eq!((ending.word, ending.usage), ("cancelled", tokens(5, 7)));
}

#[tokio::test]
async fn refusals_of_every_stage_are_seen() {
    let (gateway, endings) = observed(Answer::refusal(418, "no"));
    let mut stranger = testing::chat_request("hi");
    stranger.headers_mut().remove("authorization");
    for request in [
        get("/nowhere"),
        stranger,
        testing::request(CHAT, "{"),
        testing::request(CHAT, chat_body(&json!({"model": "unknown"}))),
        testing::chat_request("hi"),
    ] {
        testing::text(send(&gateway, request).await).await;
    }
    let seen: Vec<_> = endings
        .all()
        .iter()
        .map(|e| (e.word, e.error.unwrap()))
        .collect();
    let kinds = [
        ErrorKind::NotFound,
        ErrorKind::Unauthenticated,
        ErrorKind::InvalidRequest,
        ErrorKind::ModelNotFound,
        ErrorKind::Upstream,
    ];
    assert_eq!(seen, kinds.map(|kind| ("refused", kind)));
    assert_eq!(endings.started(), 5);
    assert_eq!(endings.attempts(), [Some(ErrorKind::Upstream)]);
}

#[tokio::test]
async fn a_stream_tells_its_usage_even_when_it_is_withheld() {
    let (gateway, endings) = observed(Answer::stream().content("a").finish().usage(3, 4).done());
    testing::text(stream(&gateway).await).await;
    let ending = endings.only();
    assert_eq!(
        (ending.word, ending.usage, ending.estimated),
        ("success", tokens(3, 4), false)
    );
    assert!(ending.first_token.is_some());
}

#[tokio::test]
async fn usage_that_never_came_is_estimated() {
    // The prompt is `[{"content":"hi","role":"user"}]`, 32 bytes in any order of members; the
    // content is 10 bytes.
    let content = Answer::stream().content("0123456789");
    for (answer, word) in [
        (content.clone().finish().done(), "success"),
        (content.clone().cut(), "failed"),
        (
            content.clone().event(&json!({"error": {"message": "x"}})),
            "failed",
        ),
    ] {
        let (gateway, endings) = observed(answer);
        testing::text(stream(&gateway).await).await;
        let ending = endings.only();
        assert_eq!(
            (ending.word, ending.usage, ending.estimated),
            (word, tokens(8, 3), true)
        );
    }
    let (gateway, endings) = observed(content.stall());
    let mut body = stream(&gateway).await.into_body();
    next_text(&mut body).await;
    drop(body);
    let ending = endings.only();
    assert_eq!(
        (ending.word, ending.usage, ending.estimated),
        ("cancelled", tokens(8, 3), true)
    );
}

#[tokio::test]
async fn a_stream_that_broke_stays_broken_when_its_end_is_not_read() {
    let (gateway, endings) = observed(Answer::stream().content("a").cut());
    let mut body = stream(&gateway).await.into_body();
    while !next_text(&mut body).await.unwrap().contains("event: error") {}
    drop(body);
    assert_eq!(endings.only().word, "failed");
}

#[tokio::test]
async fn a_request_that_is_never_polled_is_cancelled() {
    use tower::Service;
    let (mut gateway, endings) = observed(Answer::chat("hello"));
    drop(gateway.call(testing::chat_request("hi")));
    assert_eq!((endings.started(), endings.only().word), (1, "cancelled"));
}
