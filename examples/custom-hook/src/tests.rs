use aisix_core::{
    body::Body,
    hook::from_fn,
    testing::{Answer, Setup, Upstream, chat_request},
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{gateway, name_user};

async fn ask(body: Value) -> Response<Body> {
    let request = Request::post("/v1/chat/completions")
        .header("authorization", "Bearer sk-demo")
        .body(Body::from(body.to_string()))
        .unwrap();
    gateway().unwrap().oneshot(request).await.unwrap()
}

async fn json_of(response: Response<Body>) -> Value {
    let body = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

fn question(text: &str) -> Value {
    json!({"model": "demo", "messages": [{"role": "user", "content": text}]})
}

#[tokio::test]
async fn a_harmless_call_passes_and_is_timed() {
    let response = ask(question("Hello")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let timing = response.headers()["server-timing"].to_str().unwrap();
    assert!(timing.starts_with("upstream;dur="), "{timing}");
}

#[tokio::test]
async fn the_function_refuses_in_the_callers_dialect() {
    let response = ask(question("What is the Launch Code?")).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(json_of(response).await["error"]["type"], "content_filter");
}

#[tokio::test]
async fn the_factory_builds_what_the_model_says() {
    let response = ask(question("Is it Swordfish?")).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let body = json_of(response).await;
    assert_eq!(body["error"]["message"], "that word is banned");
}

#[tokio::test(start_paused = true)]
async fn towers_timeout_is_a_timeout_of_the_gateway() {
    let mut body = question("Hello");
    body["mock"] = json!({"delay_ms": 60_000});
    let response = ask(body).await;
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(json_of(response).await["error"]["type"], "timeout");
}

// ANCHOR: test
#[tokio::test]
async fn the_provider_is_told_who_asks() {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("Hello"));
    let builder = Setup::new().builder(&upstream).hook(from_fn(name_user));
    let gateway = builder.build().unwrap();
    let response = gateway.oneshot(chat_request("Hello")).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let sent = upstream.last_request().json();
    assert!(!sent["user"].as_str().unwrap().is_empty());
    assert_eq!(sent["messages"][0]["content"], "Hello");
}
// ANCHOR_END: test
