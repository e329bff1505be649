use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use aisix_core::body::Body;
use aisix_providers::MockServer;
use http::{HeaderMap, Request, StatusCode, Uri};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};

use super::gateway;

/// What Acme was sent.
struct Seen {
    uri: Uri,
    headers: HeaderMap,
    body: String,
}

/// Sends `body` to `path` of the gateway; answers with the status and what Acme saw of it.
async fn send(path: &str, body: Value) -> (StatusCode, Option<Seen>) {
    let seen = Arc::new(Mutex::new(None));
    let acme = {
        let seen = seen.clone();
        service_fn(move |request: Request<Body>| {
            let seen = seen.clone();
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                *seen.lock().unwrap() = Some(Seen {
                    uri: head.uri.clone(),
                    headers: head.headers.clone(),
                    body: String::from_utf8(body.to_vec()).unwrap(),
                });
                let request = Request::from_parts(head, Body::full(body));
                let answer = MockServer::new().oneshot(request).await?;
                Ok::<_, Infallible>(answer)
            }
        })
    };
    let request = Request::post(path)
        .header("authorization", "Bearer sk-demo")
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = gateway(acme).unwrap().oneshot(request).await.unwrap();
    let status = response.status();
    response.into_body().collect().await.unwrap();
    let seen = seen.lock().unwrap().take();
    (status, seen)
}

#[tokio::test]
async fn acme_is_spoken_to_as_it_wants() {
    let messages = json!([{"role": "user", "content": "Hello"}]);
    let body = json!({"model": "demo", "messages": messages, "max_tokens": 9, "new_field": 1});
    let (status, seen) = send("/v1/chat/completions", body).await;
    assert_eq!(status, StatusCode::OK);
    let seen = seen.unwrap();
    assert_eq!(seen.uri, "https://api.acme.example/v1/chat/completions");
    assert_eq!(seen.headers["x-acme-key"], "acme-secret");
    assert!(!seen.headers.contains_key("authorization"));
    let expected =
        json!({"model": "roadrunner-1", "messages": messages, "limit": 9, "new_field": 1});
    assert_eq!(seen.body, expected.to_string());
}

#[tokio::test]
async fn what_acme_does_not_offer_is_refused_without_asking_it() {
    let (status, seen) = send("/v1/embeddings", json!({"model": "demo", "input": "Hello"})).await;
    assert_eq!(status, StatusCode::NOT_IMPLEMENTED);
    assert!(seen.is_none());
}
