//! Streams in every disguise arrive as they were sent.

use aisix_core::testing::{self, Answer, Upstream, chunk};
use serde_json::json;

use crate::ask::*;

/// Relays these frames as one stream; returns the text and the usage-free ending.
async fn relayed(frames: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    use http_body_util::BodyExt;
    let upstream = Upstream::new();
    let answer = frames.into_iter().fold(Answer::stream(), Answer::send);
    upstream.answer(answer);
    let response = stream(&testing::gateway(&upstream)).await;
    assert_eq!(response.status(), 200);
    response
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes()
        .into()
}

fn whole() -> String {
    let finish = r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    format!("{}{finish}\n\ndata: [DONE]\n\n", chunk("é中🦀"))
}

#[tokio::test]
async fn any_line_ending_and_spacing_is_relayed_as_it_came() {
    for text in [
        whole(),
        whole().replace('\n', "\r\n"),
        whole().replace('\n', "\r"),
        whole().replace("data: ", "data:"),
        format!("\u{feff}{}", whole()),
        format!("id: 1\nevent: message\nretry: 5\n{}", whole()),
        whole().replace("data: {", "data: {\ndata: "),
    ] {
        assert_eq!(
            relayed([text.clone().into_bytes()]).await,
            text.as_bytes(),
            "{text:?}"
        );
    }
}

#[tokio::test]
async fn frames_may_be_cut_anywhere_even_inside_a_character() {
    for text in [whole(), whole().replace('\n', "\r\n")] {
        for size in [1, 2, 3, 7, 64] {
            let frames = text.as_bytes().chunks(size).map(<[u8]>::to_vec);
            let got = relayed(frames.collect::<Vec<_>>()).await;
            let got = String::from_utf8(got).unwrap();
            assert_eq!(got.trim_end(), text.trim_end(), "in pieces of {size}");
        }
    }
}

#[tokio::test]
async fn a_flood_of_comments_is_relayed_and_nothing_more() {
    let flood = ": ping\n\n".repeat(100_000);
    let text = format!("{flood}{}{flood}{}", chunk("a"), whole());
    let frames = text.as_bytes().chunks(8_192).map(<[u8]>::to_vec);
    assert_eq!(relayed(frames.collect::<Vec<_>>()).await, text.as_bytes());
}

#[tokio::test]
async fn an_event_of_megabytes_is_relayed() {
    let text = format!("{}{}", chunk(&"x".repeat(8 << 20)), whole());
    let frames = text.as_bytes().chunks(65_536).map(<[u8]>::to_vec);
    let got = relayed(frames.collect::<Vec<_>>()).await;
    assert!(got == text.as_bytes());
}

#[tokio::test]
async fn an_event_beyond_the_limit_ends_the_stream() {
    let endless = "x".repeat(17 << 20);
    let frames = [
        chunk("a").into_bytes(),
        format!("data: {endless}").into_bytes(),
    ];
    let got = String::from_utf8(relayed(frames).await).unwrap();
    assert!(got.starts_with(&chunk("a")));
    assert!(
        got.contains("an event of the upstream is too long"),
        "{}",
        got.len()
    );
    assert!(!got.contains("[DONE]"));
}

#[tokio::test]
async fn several_events_in_one_frame_lose_only_the_usage() {
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 1}});
    let text = format!("{}data: {usage}\n\n{}", chunk("a"), whole());
    let expected = format!("{}{}", chunk("a"), whole());
    assert_eq!(relayed([text.into_bytes()]).await, expected.as_bytes());
}

#[tokio::test]
async fn completions_stream_too() {
    let upstream = Upstream::new();
    let event = json!({"choices": [{"index": 0, "text": "a", "finish_reason": "stop"}]});
    upstream.answer(Answer::stream().event(&event).done());
    let body = json!({"model": testing::MODEL, "prompt": "p", "stream": true}).to_string();
    let request = testing::request("/v1/completions", body);
    let text = testing::text(send(&testing::gateway(&upstream), request).await).await;
    assert_eq!(text, format!("data: {event}\n\ndata: [DONE]\n\n"));
}
