//! How streams begin and end.

use std::time::Duration;

use aisix_core::{
    Gateway,
    testing::{self, Answer, Ended, Endings, Gate, Setup, Upstream, chunk, next_text},
    upstream::Settings,
};
use serde_json::json;

use crate::ask::*;

fn never_again(upstream: &Upstream) -> Gateway {
    let settings = Settings {
        retries: 0,
        ..Settings::default()
    };
    Setup::new().upstream(settings).gateway(upstream)
}

#[tokio::test]
async fn the_first_content_is_relayed_at_once_with_what_was_held() {
    let upstream = Upstream::new();
    let (content, rest) = (Gate::new(), Gate::new());
    upstream.answer(
        Answer::stream()
            .role()
            .gate(&content)
            .content("a")
            .gate(&rest)
            .finish()
            .done(),
    );
    let gateway = testing::gateway(&upstream);

    let head = stream(&gateway);
    tokio::pin!(head);
    let early = tokio::time::timeout(Duration::from_millis(50), &mut head).await;
    assert!(
        early.is_err(),
        "a role is no content: nothing is committed yet"
    );
    content.open();
    let response = head.await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    let mut body = response.into_body();
    // What is ready together comes together.
    let first = next_text(&mut body).await.unwrap();
    assert!(first.contains("assistant"), "{first}");
    assert!(
        first.ends_with(&chunk("a")),
        "while the upstream still waits: {first}"
    );
    rest.open();
    let last = next_text(&mut body).await.unwrap();
    assert!(
        last.contains("stop") && last.ends_with("data: [DONE]\n\n"),
        "{last}"
    );
    assert_eq!(next_text(&mut body).await, None);
}

#[tokio::test]
async fn the_usage_event_is_withheld_unless_it_was_asked_for() {
    let upstream = Upstream::new();
    let gateway = testing::gateway(&upstream);
    for asked in [false, true] {
        upstream.answer(Answer::stream().content("a").finish().usage(3, 4).done());
        let mut members = json!({"stream": true});
        if asked {
            members["stream_options"] = json!({"include_usage": true});
        }
        let response = send(&gateway, testing::request(CHAT, chat_body(&members))).await;
        let text = testing::text(response).await;
        assert_eq!(text.contains("prompt_tokens"), asked, "{text}");
        assert!(
            text.ends_with("\"stop\"}]}\n\ndata: [DONE]\n\n") || asked,
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_error_before_the_content_is_a_clean_refusal() {
    let upstream = Upstream::new();
    let in_band = json!({"error": {"message": "overloaded", "type": "server_error"}});
    for (answer, kind, message) in [
        (
            Answer::stream().role().event(&in_band),
            "upstream_error",
            "overloaded",
        ),
        (
            Answer::stream().role().cut(),
            "stream_aborted",
            "the upstream's stream broke off",
        ),
        (
            Answer::stream().role(),
            "stream_aborted",
            "the upstream's stream ended too early",
        ),
        (
            Answer::stream(),
            "stream_aborted",
            "the upstream's stream ended too early",
        ),
        (
            Answer::stream().send("data: nonsense\n\n"),
            "upstream_decode_error",
            "the upstream's stream could not be decoded",
        ),
    ] {
        upstream.answer(answer);
        let response = stream(&never_again(&upstream)).await;
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(refusal(response).await, (502, error(kind, message)));
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_before_the_content_is_tried_again() {
    let upstream = Upstream::new();
    upstream.answer(Answer::stream().role().cut());
    upstream.answer(Answer::stream().role().event(&json!({"error": "busy"})));
    upstream.answer(Answer::stream().content("third").finish().done());
    let text = testing::text(stream(&testing::gateway(&upstream)).await).await;
    assert!(text.starts_with(&chunk("third")), "{text}");
    assert_eq!(upstream.requests().len(), 3);
}

#[tokio::test]
async fn an_error_after_the_content_is_an_event_without_done() {
    let upstream = Upstream::new();
    let in_band =
        json!({"error": {"message": "overloaded", "type": "server_error", "code": "busy"}});
    for (answer, kind) in [
        (Answer::stream().content("a").cut(), "stream_aborted"),
        (Answer::stream().content("a"), "stream_aborted"),
        (
            Answer::stream().content("a").event(&in_band).done(),
            "upstream_error",
        ),
        (
            Answer::stream().content("a").send("data: {\n\n").done(),
            "upstream_decode_error",
        ),
        (
            Answer::stream().content("a").send("data: {\"cut"),
            "stream_aborted",
        ),
    ] {
        let mut exchange = upstream.answer(answer);
        let text = testing::text(stream(&testing::gateway(&upstream)).await).await;
        let rest = text.strip_prefix(&chunk("a")).unwrap();
        let data = rest
            .strip_prefix("event: error\ndata: ")
            .unwrap()
            .trim_end();
        let event: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(event["error"]["type"], kind, "{text}");
        assert!(!text.contains("[DONE]"), "{text}");
        exchange.ended().await;
    }
    assert_eq!(upstream.requests().len(), 5, "nothing is tried again");
}

#[tokio::test]
async fn content_and_error_in_one_chunk_are_told_in_order() {
    let upstream = Upstream::new();
    let gate = Gate::new();
    let error = json!({"error": {"message": "overloaded"}});
    let both = format!("{}data: {error}\n\n", chunk("b"));
    upstream.answer(Answer::stream().content("a").gate(&gate).send(both));
    let response = stream(&testing::gateway(&upstream)).await;
    gate.open();
    let text = testing::text(response).await;
    let expected = format!("{}{}event: error\n", chunk("a"), chunk("b"));
    assert!(text.starts_with(&expected), "{text}");
}

#[tokio::test]
async fn done_is_added_where_the_upstream_forgets_it() {
    let upstream = Upstream::new();
    let gateway = testing::gateway(&upstream);
    let finished = || Answer::stream().content("a").finish();
    for answer in [
        finished(),
        finished().send("data: [DONE]"),
        finished().send("data: [DONE]\n"),
        finished().send("data: [DO").send("NE]\n\n"),
    ] {
        upstream.answer(answer);
        let text = testing::text(stream(&gateway).await).await;
        assert!(text.ends_with("data: [DONE]\n\n"), "{text:?}");
        assert_eq!(text.matches("[DONE]").count(), 1, "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_filled_with_heartbeats_before_and_after_the_first_content() {
    let upstream = Upstream::new();
    let wait = Duration::from_secs(40);
    upstream.answer(
        Answer::stream()
            .role()
            .wait(wait)
            .content("a")
            .wait(wait)
            .finish()
            .done(),
    );
    let response = stream(&testing::gateway(&upstream)).await;
    assert_eq!(response.status(), 200, "committed by silence");
    let text = testing::text(response).await;
    // Every 15 s, counted from the beginning and from the content at 40 s.
    let (before, after) = text.split_once(&chunk("a")).unwrap();
    assert_eq!(before.matches(":\n\n").count(), 2, "{text:?}");
    assert_eq!(after.matches(":\n\n").count(), 2, "{text:?}");
}

#[tokio::test(start_paused = true)]
async fn comments_of_the_upstream_do_not_keep_the_client_waiting_for_ever() {
    let upstream = Upstream::new();
    let mut answer = Answer::stream();
    for _ in 0..60 {
        answer = answer.wait(Duration::from_secs(5)).send(": keep-alive\n\n");
    }
    upstream.answer(answer.content("a").finish().done());
    let started = tokio::time::Instant::now();
    let response = stream(&testing::gateway(&upstream)).await;
    assert_eq!(started.elapsed(), Duration::from_secs(15));
    assert!(testing::text(response).await.contains(&chunk("a")));
}

#[tokio::test]
async fn a_client_that_leaves_in_the_stream_is_seen_by_the_upstream() {
    let upstream = Upstream::new();
    let endings = Endings::new();
    let builder = Setup::new().builder(&upstream).observe(endings.clone());
    let gateway = builder.build().unwrap();
    let mut exchange = upstream.answer(Answer::stream().content("a").stall());
    let mut body = stream(&gateway).await.into_body();
    next_text(&mut body).await.unwrap();
    assert_eq!(exchange.has_ended(), None);
    drop(body);
    assert_eq!(exchange.ended().await, Ended::Dropped);
    assert_eq!(endings.only().word, "cancelled");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_is_seen_by_the_upstream() {
    for streams in [false, true] {
        for answer in [
            Answer::stream().head_stall(),
            Answer::stream().role().stall(),
            Answer::new(200).send("{\"half\":").stall(),
        ] {
            let upstream = Upstream::new();
            let endings = Endings::new();
            let builder = Setup::new().builder(&upstream).observe(endings.clone());
            let gateway = builder.build().unwrap();
            let mut exchange = upstream.answer(answer);
            let body = chat_body(&json!({"stream": streams}));
            let call = tokio::spawn(async move {
                send(&gateway, testing::request(CHAT, body)).await;
            });
            exchange.request().await;
            call.abort();
            assert_eq!(exchange.ended().await, Ended::Dropped);
            assert!(call.await.unwrap_err().is_cancelled());
            let ending = endings.only();
            assert_eq!((ending.word, ending.status), ("cancelled", None));
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_after_done_has_had_it_all() {
    let upstream = Upstream::new();
    let endings = Endings::new();
    let builder = Setup::new().builder(&upstream).observe(endings.clone());
    let gateway = builder.build().unwrap();
    upstream.answer(Answer::stream().content("a").finish().done().stall());
    let mut body = stream(&gateway).await.into_body();
    while !next_text(&mut body).await.unwrap().contains("[DONE]") {}
    drop(body);
    assert_eq!(endings.only().word, "success");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_stays_after_done_does_not_hold_the_client() {
    let upstream = Upstream::new();
    let mut exchange = upstream.answer(Answer::stream().content("a").finish().done().stall());
    let text = testing::text(stream(&testing::gateway(&upstream)).await).await;
    assert!(text.ends_with("data: [DONE]\n\n"));
    assert_eq!(exchange.ended().await, Ended::Dropped);
}
