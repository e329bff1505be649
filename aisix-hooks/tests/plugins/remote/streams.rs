//! Streams, which are held back until they have been judged.

use std::time::Duration;

use aisix_core::testing::{self, Answer, Ended, Gate};
use serde_json::json;

use super::{
    openai_moderation::{guard, moderation},
    *,
};
use crate::ask::*;

fn output(settings: Value) -> Value {
    let mut element = guard(settings);
    element["settings"]["hook_point"] = json!("output");
    element
}

fn request(index: usize) -> Request<Body> {
    requests("hi", true).into_iter().nth(index).unwrap()
}

fn hello() -> Answer {
    let stream = Answer::stream().role().content("hel").content("lo");
    stream.finish().done()
}

#[tokio::test]
async fn a_stream_that_may_pass_is_the_one_that_came() {
    let peers = Peers::new(output(json!({})));
    peers.says(&moderation(1, false, 0.0));
    peers.upstream.answer(hello());
    let guarded = testing::text(send(&peers.gateway, request(0)).await).await;
    assert_eq!(peers.question().json()["input"], json!(["hello"]));
    let plain = Upstream::new();
    plain.answer(hello());
    let plain = testing::text(send(&testing::gateway(&plain), request(0)).await).await;
    assert_eq!(guarded, plain);
}

#[tokio::test]
async fn a_stream_that_must_not_pass_says_nothing_in_every_dialect() {
    for index in 0..4 {
        let peers = Peers::new(output(json!({})));
        peers.says(&moderation(1, true, 0.9));
        peers.upstream.answer(hello());
        let response = send(&peers.gateway, request(index)).await;
        assert_eq!(response.status(), 200);
        let answer = testing::text(response).await;
        let message = "response blocked by content policy (guardrail 'openai_moderation')";
        assert!(answer.contains(message), "{answer}");
        for hidden in ["hel", "lo\"", "[DONE]", "message_stop"] {
            assert!(!answer.contains(hidden), "{hidden}: {answer}");
        }
        // What a dialect says again and again is asked about once.
        assert_eq!(
            peers.question().json()["input"],
            json!(["hello"]),
            "{index}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_refused_when_the_service_fails_unless_that_is_wanted() {
    for (settings, passes) in [
        (json!({}), false),
        (json!({"output_fail_open": true}), true),
        (json!({"output_fail_open": true, "mandatory": true}), false),
    ] {
        let peers = Peers::new(output(settings));
        peers.service.answer(Answer::new(200).head_stall());
        peers.upstream.answer(hello());
        let answer = testing::text(send(&peers.gateway, request(0)).await).await;
        assert_eq!(answer.ends_with("data: [DONE]\n\n"), passes, "{answer}");
        assert_eq!(
            answer.contains("response blocked by content policy"),
            !passes,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn more_than_may_be_held_back_is_refused_and_hangs_up() {
    let text = "a hundred bytes of an event or more";
    let pad = || Answer::stream().role();
    let long = (0..20).fold(pad(), |stream, _| stream.content(text));
    // Events that say little, and need no less space for that.
    let wide = format!(
        "{{\"choices\":[{{\"delta\":{{\"content\":\"hundred\"}}}}],\"pad\":\"{}\"}}",
        "-".repeat(900)
    );
    let wide = (0..20).fold(pad(), |stream, _| {
        stream.send(format!("data: {wide}\n\n").into_bytes())
    });
    for stream in [long, wide] {
        let peers = Peers::new(output(json!({"max_buffer_bytes": 600})));
        let mut exchange = peers.upstream.answer(stream.stall());
        let answer = testing::text(send(&peers.gateway, request(0)).await).await;
        assert!(
            answer.contains("response blocked by content policy"),
            "{answer}"
        );
        assert!(!answer.contains("hundred"), "{answer}");
        assert_eq!(exchange.ended().await, Ended::Dropped);
        assert!(peers.service.requests().is_empty());
    }
}

#[tokio::test]
async fn what_is_held_back_is_counted_by_its_texts() {
    let peers = Peers::new(output(json!({"max_buffer_bytes": 700})));
    peers.says(&moderation(1, false, 0.0));
    let text = "a hundred bytes of an event or more";
    let stream = (0..20).fold(Answer::stream().role(), |stream, _| stream.content(text));
    peers.upstream.answer(stream.finish().done());
    let answer = testing::text(send(&peers.gateway, request(0)).await).await;
    assert!(answer.ends_with("data: [DONE]\n\n"), "{answer}");
    assert_eq!(peers.question().json()["input"], json!([text.repeat(20)]));
}

#[tokio::test(start_paused = true)]
async fn heartbeats_go_on_while_a_stream_is_held_back() {
    let peers = Peers::new(output(json!({})));
    let gate = Gate::new();
    let mut stream = Answer::stream().role();
    // An upstream that is never silent for long, so that no heartbeat is its own.
    for _ in 0..4 {
        stream = stream.content("a").wait(Duration::from_secs(10));
    }
    peers.upstream.answer(stream.finish().done().gate(&gate));
    peers.says(&moderation(1, false, 0.0));
    let mut body = send(&peers.gateway, request(0)).await.into_body();
    let mut beats = 0;
    while beats < 2 {
        let text = testing::next_text(&mut body).await.unwrap();
        assert!(!text.contains("\"a\""), "{text}");
        beats += text.matches(":\n\n").count();
    }
    gate.open();
    let mut rest = String::new();
    while let Some(text) = testing::next_text(&mut body).await {
        rest += &text;
    }
    assert_eq!(rest.matches("\"a\"").count(), 4, "{rest}");
}

#[tokio::test(start_paused = true)]
async fn heartbeats_go_on_while_the_service_is_asked() {
    let peers = Peers::new(output(json!({"timeout_ms": 40_000})));
    let harmless = Answer::json(200, &moderation(1, false, 0.0));
    peers
        .service
        .answer(harmless.head_after(Duration::from_secs(35)));
    peers.upstream.answer(hello());
    let answer = testing::text(send(&peers.gateway, request(0)).await).await;
    assert_eq!(answer.matches(":\n\n").count(), 2, "{answer}");
    assert!(answer.ends_with("data: [DONE]\n\n"), "{answer}");
    assert_eq!(peers.service.requests().len(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_takes_everything_along() {
    let peers = Peers::new(output(json!({})));
    let mut question = peers.service.answer(Answer::new(200).head_stall());
    peers.upstream.answer(hello());
    let mut body = send(&peers.gateway, request(0)).await.into_body();
    loop {
        tokio::select! {
            text = testing::next_text(&mut body) => assert!(!text.unwrap().contains("hel")),
            _ = question.request() => break,
        }
    }
    drop(body);
    assert_eq!(question.ended().await, Ended::Dropped);
}

#[tokio::test]
async fn a_stream_that_is_only_watched_is_not_held_back() {
    for settings in [
        json!({"on_stream": "observe"}),
        json!({"enforcement_mode": "monitor"}),
    ] {
        let peers = Peers::new(output(settings));
        let gate = Gate::new();
        let stream = Answer::stream().role().content("hel").gate(&gate);
        peers.upstream.answer(stream.content("lo").finish().done());
        peers.says(&moderation(1, true, 0.9));
        let mut body = send(&peers.gateway, request(0)).await.into_body();
        let mut seen = String::new();
        while !seen.contains("hel") {
            seen += &testing::next_text(&mut body).await.unwrap();
        }
        gate.open();
        while let Some(text) = testing::next_text(&mut body).await {
            seen += &text;
        }
        assert!(seen.ends_with("data: [DONE]\n\n"), "{seen}");
        assert_eq!(peers.question().json()["input"], json!(["hello"]));
        assert!(peers.mark("guardrail_would_block").is_some());
    }
}

#[tokio::test]
async fn a_watched_stream_may_be_as_long_as_it_likes() {
    let settings = json!({"on_stream": "observe", "max_buffer_bytes": 4});
    let peers = Peers::new(output(settings));
    peers.upstream.answer(hello());
    let answer = testing::text(send(&peers.gateway, request(0)).await).await;
    assert!(answer.ends_with("data: [DONE]\n\n"), "{answer}");
    assert!(peers.service.requests().is_empty());
    assert!(peers.mark("guardrail_untold").is_some());
}
