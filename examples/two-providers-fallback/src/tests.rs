use aisix_core::{
    body::Body,
    testing::{self, Answer, Upstream},
};
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

fn both(key: &str) -> Option<String> {
    Some(format!("secret of {key}"))
}

fn before(upstream: &Upstream) -> Gateway {
    let gateway = gateway(both).unwrap();
    gateway.transport(upstream.clone()).build().unwrap()
}

async fn ask(gateway: &Gateway, stream: bool) -> Response<Body> {
    let question = json!({
        "model": "chat",
        "stream": stream,
        "messages": [{"role": "user", "content": "Hello"}],
    });
    let request = Request::post("/v1/chat/completions")
        .header("authorization", "Bearer sk-demo")
        .body(Body::from(question.to_string()))
        .unwrap();
    gateway.clone().oneshot(request).await.unwrap()
}

/// What Anthropic answers to a chat.
fn message() -> Answer {
    let message = json!({
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "content": [{"type": "text", "text": "Hello from the second"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 4},
    });
    Answer::json(200, &message)
}

fn served_by(response: &Response<Body>) -> (&str, &str) {
    let header = |name: &str| response.headers()[name].to_str().unwrap();
    (header("x-aisix-served-by"), header("x-aisix-attempts"))
}

#[tokio::test]
async fn the_first_answers_as_long_as_it_can() {
    let upstream = Upstream::new();
    upstream.answer_for("gpt-5-mini", Answer::chat("Hello from the first"));
    let response = ask(&before(&upstream), false).await;
    assert_eq!(served_by(&response), ("gpt-5-mini", "1"));
    assert!(
        testing::text(response)
            .await
            .contains("Hello from the first")
    );
}

#[tokio::test]
async fn the_second_answers_in_the_callers_dialect_when_the_first_fails() {
    let failures = [
        Answer::refusal(500, "down"),
        Answer::refusal(429, "no room"),
        Answer::refusal(401, "wrong key"),
        Answer::unreachable(),
    ];
    for failure in failures {
        let upstream = Upstream::new();
        upstream.always("gpt-5-mini", failure);
        upstream.always("claude-haiku-4-5", message());
        let response = ask(&before(&upstream), false).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(served_by(&response).0, "claude-haiku-4-5");
        let answer: Value = serde_json::from_str(&testing::text(response).await).unwrap();
        let text = &answer["choices"][0]["message"]["content"];
        assert_eq!(text, "Hello from the second");
    }
}

#[tokio::test]
async fn a_stream_that_fails_before_its_first_content_is_taken_over() {
    let upstream = Upstream::new();
    upstream.answer_for("gpt-5-mini", Answer::stream().role().cut());
    upstream.answer_for("claude-haiku-4-5", Answer::refusal(529, "overloaded"));
    let response = ask(&before(&upstream), true).await;
    assert_eq!(served_by(&response), ("mock", "3"));
    let text = testing::text(response).await;
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
}

#[tokio::test]
async fn who_has_failed_rests() {
    let upstream = Upstream::new();
    upstream.answer_for("gpt-5-mini", Answer::refusal(503, "down"));
    upstream.always("claude-haiku-4-5", message());
    let gateway = before(&upstream);
    assert_eq!(
        served_by(&ask(&gateway, false).await),
        ("claude-haiku-4-5", "2")
    );
    assert_eq!(
        served_by(&ask(&gateway, false).await),
        ("claude-haiku-4-5", "1")
    );
}

#[tokio::test]
async fn without_keys_the_mock_answers() {
    let upstream = Upstream::new();
    let gateway = gateway(|_| None).unwrap();
    let gateway = gateway.transport(upstream.clone()).build().unwrap();
    assert_eq!(served_by(&ask(&gateway, false).await), ("mock", "1"));
    assert!(upstream.requests().is_empty());
}
