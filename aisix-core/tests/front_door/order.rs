//! The order of the checks.

use aisix_core::{
    body::Body,
    edge,
    testing::{self, Setup, Upstream},
};
use http::{Method, Request};
use serde_json::json;

use crate::ask::*;

fn small() -> aisix_core::Gateway {
    let settings = edge::Settings {
        body_limit: 64,
        ..edge::Settings::default()
    };
    let builder = Setup::new().builder(&Upstream::new());
    builder.settings(settings).build().unwrap()
}

fn post(path: &str, key: &str, body: &str) -> Request<Body> {
    Request::post(path)
        .header("authorization", format!("Bearer {key}"))
        .header("content-length", body.len())
        .body(Body::from(body.to_owned()))
        .unwrap()
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_its_credential() {
    let response = send(&small(), post(CHAT, "wrong", &"x".repeat(65))).await;
    let expected = error(
        "invalid_request_error",
        "request body exceeds 64-byte limit",
    );
    assert_eq!(refusal(response).await, (413, expected));
}

#[tokio::test]
async fn a_wrong_credential_is_refused_before_the_body_is_read() {
    let response = send(&small(), post(CHAT, "wrong", "not json")).await;
    let expected = error("invalid_api_key", "invalid API key");
    assert_eq!(refusal(response).await, (401, expected));
}

#[tokio::test]
async fn a_body_of_unknown_length_is_refused_at_the_limit() {
    let chunks = ["x".repeat(40), "x".repeat(40)].map(|chunk| {
        Ok::<_, std::convert::Infallible>(http_body::Frame::data(bytes::Bytes::from(chunk)))
    });
    let body = http_body_util::StreamBody::new(futures_util::stream::iter(chunks));
    let request = testing::request(CHAT, "").map(|_| Body::new(body));
    let expected = error(
        "invalid_request_error",
        "request body exceeds 64-byte limit",
    );
    assert_eq!(
        refusal(send(&small(), request).await).await,
        (413, expected)
    );
}

#[tokio::test]
async fn two_lengths_are_refused() {
    let mut request = testing::chat_request("hi");
    for length in ["10", "20"] {
        let value = http::HeaderValue::from_static(length);
        request.headers_mut().append("content-length", value);
    }
    let expected = error(
        "invalid_request_error",
        "more than one Content-Length header",
    );
    assert_eq!(
        refusal(send(&small(), request).await).await,
        (400, expected)
    );
}

#[tokio::test]
async fn an_unknown_path_is_404_whoever_asks() {
    for path in [
        "/",
        "/v1",
        "/v1/chat",
        "/v1/chat/completions/",
        "/v1/models/",
    ] {
        let request = Request::post(path).body(Body::empty()).unwrap();
        let (status, body) = refusal(send(&small(), request).await).await;
        assert_eq!(
            (status, &body["error"]["type"]),
            (404, &json!("invalid_request_error")),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_known_path_names_its_method() {
    for (method, path, allowed) in [
        (Method::GET, CHAT, "POST"),
        (Method::PUT, "/v1/embeddings", "POST"),
        (Method::POST, "/v1/models", "GET"),
        (Method::DELETE, "/v1/models/a/b", "GET"),
        (Method::POST, "/livez", "GET"),
    ] {
        let request = Request::builder().method(&method).uri(path);
        let response = send(&small(), request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), 405, "{method} {path}");
        assert_eq!(response.headers()["allow"], allowed);
        let message = format!("use {allowed} for this path");
        assert_eq!(
            testing::json(response).await,
            error("invalid_request_error", &message)
        );
    }
}

#[tokio::test]
async fn the_model_is_looked_up_before_it_is_allowed() {
    let setup = Setup::new().api_key(json!({"allowed_models": ["other"]}));
    let gateway = setup.gateway(&Upstream::new());
    let ask = |model: &str| {
        let body = chat_body(&json!({"model": model}));
        send(&gateway, testing::request(CHAT, body))
    };
    assert_eq!(ask("unknown").await.status(), 404);
    assert_eq!(ask(testing::MODEL).await.status(), 403);
}
