//! What upstreams answer, and what becomes of it. Whole answers.

use aisix_core::testing::{self, Answer, Setup, Upstream};
use aisix_core::upstream::Settings;
use serde_json::{Value, json};

use crate::ask::*;

/// The answer of a gateway that never tries again.
async fn answered(answer: Answer) -> http::Response<aisix_core::body::Body> {
    let upstream = Upstream::new();
    upstream.answer(answer);
    let settings = Settings {
        retries: 0,
        ..Settings::default()
    };
    chat(&Setup::new().upstream(settings).gateway(&upstream)).await
}

#[tokio::test]
async fn an_answer_is_relayed_byte_for_byte() {
    let body = "\n{ \"id\":\"x\",\"choices\":[ ] , \"unknown\":1.0e2}\n";
    let response = answered(Answer::body(200, "application/json; charset=utf-8", body)).await;
    assert_eq!(
        response.headers()["content-type"],
        "application/json; charset=utf-8"
    );
    assert_eq!(testing::text(response).await, body);
}

#[tokio::test]
async fn an_answer_in_pieces_is_put_together() {
    let body = testing::chat_answer("héllo");
    let answer = Answer::new(200).header("content-type", "application/json");
    let answer = body
        .bytes()
        .fold(answer, |answer, byte| answer.send(vec![byte]));
    assert_eq!(testing::text(answered(answer).await).await, body);
}

#[tokio::test]
async fn a_refusal_keeps_its_status_message_and_code() {
    for status in [400, 401, 402, 403, 404, 409, 413, 422, 429] {
        let (got, body) = refusal(answered(Answer::refusal(status, "no way")).await).await;
        assert_eq!((got, body), (status, refused_upstream("no way")));
    }
}

#[tokio::test]
async fn a_server_error_hides_its_body() {
    for status in [500, 503, 529, 301, 204] {
        let (got, body) = refusal(answered(Answer::refusal(status, "stack trace")).await).await;
        // 529 is a word of its own for callers who wait and come back.
        let told = if status == 529 { 529 } else { 502 };
        assert_eq!(got, told, "{status}");
        assert_eq!(
            body["error"]["message"],
            format!("upstream returned {status}")
        );
        assert_eq!(body["error"]["type"], "upstream_error");
        assert!(!body.to_string().contains("stack trace"));
    }
}

#[tokio::test]
async fn a_refusal_says_when_to_come_back() {
    let answer = Answer::refusal(429, "slow down")
        .header("retry-after", "17")
        .header("x-should-retry", "true");
    let response = answered(answer).await;
    assert_eq!(response.headers()["retry-after"], "17");
    assert_eq!(response.headers()["x-should-retry"], "true");

    let date = "Wed, 21 Oct 2026 07:28:00 GMT";
    let response = answered(Answer::refusal(429, "slow down").header("retry-after", date)).await;
    assert_eq!(response.headers()["retry-after"], date);
}

#[tokio::test]
async fn what_is_no_answer_is_a_bad_gateway() {
    let json = "application/json";
    let undecodable = error(
        "upstream_decode_error",
        "the upstream's answer could not be decoded",
    );
    let in_band = json!({"error": {"message": "broken inside", "code": 5}});
    for (answer, expected) in [
        (
            Answer::body(200, "text/html", "<html>"),
            undecodable.clone(),
        ),
        (
            Answer::body(200, json, r#"{"choices":["#),
            undecodable.clone(),
        ),
        (Answer::body(200, json, ""), undecodable.clone()),
        (Answer::body(200, json, "[]"), undecodable.clone()),
        (Answer::body(200, json, b"\xff\xfe".to_vec()), undecodable),
        (
            Answer::json(200, &in_band),
            json!({"error": {"message": "broken inside", "type": "upstream_error", "code": "5"}}),
        ),
        (
            Answer::unreachable(),
            error("transport_error", "the upstream could not be reached"),
        ),
        (
            Answer::new(200)
                .header("content-type", json)
                .send("{")
                .cut(),
            error("transport_error", "the connection to the upstream broke"),
        ),
    ] {
        assert_eq!(refusal(answered(answer).await).await, (502, expected));
    }
}

#[tokio::test]
async fn a_refusal_without_sense_is_still_a_refusal() {
    for body in ["", "<html>", "{\"error\":", "null"] {
        let (status, got) = refusal(answered(Answer::body(404, "text/html", body)).await).await;
        assert_eq!(
            (status, got),
            (404, error("upstream_error", "upstream returned 404"))
        );
    }
    let huge = Answer::body(400, "application/json", "x".repeat(1 << 20));
    let (status, got) = refusal(answered(huge).await).await;
    assert_eq!(
        (status, got),
        (400, error("upstream_error", "upstream returned 400"))
    );
}

#[tokio::test]
async fn an_upstream_may_stream_to_a_caller_who_did_not_ask() {
    let answer = Answer::stream().content("x").finish().done();
    let text = testing::text(answered(answer).await).await;
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
}

#[tokio::test]
async fn an_upstream_may_answer_a_stream_with_a_whole() {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let response = stream(&testing::gateway(&upstream)).await;
    let body: Value = testing::json(response).await;
    assert_eq!(body["choices"][0]["message"]["content"], "hello");
}
