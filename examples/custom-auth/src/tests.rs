use axum::{Router, body::Body};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::app;

async fn ask(app: Router, cookie: &str, model: &str) -> (StatusCode, Value) {
    let body = json!({"model": model, "messages": [{"role": "user", "content": "Hello"}]});
    let request = Request::post("/llm/v1/chat/completions")
        .header("cookie", cookie)
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn a_user_of_the_app_is_a_caller_of_the_gateway() {
    let (status, _) = ask(app().unwrap(), "a=b; session=alice-token", "demo").await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn who_is_not_logged_in_is_refused() {
    let (status, answer) = ask(app().unwrap(), "session=stolen", "demo").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer["error"]["message"], "log in first");
}

#[tokio::test]
async fn a_guest_may_use_some_models_only() {
    let app = app().unwrap();
    let (status, _) = ask(app.clone(), "session=guest-token", "small-demo").await;
    assert_eq!(status, StatusCode::OK);
    let (status, _) = ask(app, "session=guest-token", "demo").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn each_user_has_limits_of_their_own() {
    let app = app().unwrap();
    // More than two windows hold, so that a minute which ends in between does not matter.
    let mut last = StatusCode::OK;
    for _ in 0..61 {
        (last, _) = ask(app.clone(), "session=alice-token", "demo").await;
        if last == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    let (status, _) = ask(app, "session=guest-token", "small-demo").await;
    assert_eq!(status, StatusCode::OK);
}
