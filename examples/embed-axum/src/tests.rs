use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::app;

async fn send(request: Request<Body>) -> (StatusCode, Vec<u8>) {
    let response = app().unwrap().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, body.into())
}

fn ask(key: &str, body: Value) -> Request<Body> {
    Request::post("/llm/v1/chat/completions")
        .header("authorization", format!("Bearer {key}"))
        .body(Body::from(body.to_string()))
        .unwrap()
}

fn question() -> Value {
    json!({"model": "demo", "messages": [{"role": "user", "content": "Hello"}]})
}

#[tokio::test]
async fn the_gateway_answers_under_its_prefix() {
    let (status, body) = send(ask("sk-demo", question())).await;
    assert_eq!(status, StatusCode::OK);
    let answer: Value = serde_json::from_slice(&body).unwrap();
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.contains("You said: Hello"), "{text}");
}

#[tokio::test]
async fn a_stream_ends_with_done() {
    let mut body = question();
    body["stream"] = json!(true);
    let (status, body) = send(ask("sk-demo", body)).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.ends_with(b"data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_stranger_is_refused() {
    let (status, _) = send(ask("sk-other", question())).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_app_keeps_its_own_routes() {
    let (status, body) = send(Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body, b"the app's own page");
}
