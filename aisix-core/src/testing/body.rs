//! Reading what the gateway answers.

use http_body_util::BodyExt;
use serde_json::Value;

use crate::body::Body;

/// The whole body as text.
///
/// # Panics
///
/// When the body breaks or is not UTF-8.
pub async fn text(response: http::Response<Body>) -> String {
    let body = response.into_body().collect().await;
    let body = body.expect("the body arrives").to_bytes();
    String::from_utf8(body.into()).expect("the body is UTF-8")
}

/// The whole body as JSON.
///
/// # Panics
///
/// When the body breaks or is not JSON.
pub async fn json(response: http::Response<Body>) -> Value {
    serde_json::from_str(&text(response).await).expect("the body is JSON")
}

/// The next frame of a body as text; `None` at its end.
///
/// # Panics
///
/// When the body breaks or the frame is not UTF-8.
pub async fn next_text(body: &mut Body) -> Option<String> {
    let frame = body.frame().await?.expect("the frame arrives");
    let data = frame.into_data().expect("there are no trailers");
    Some(String::from_utf8(data.into()).expect("the frame is UTF-8"))
}
