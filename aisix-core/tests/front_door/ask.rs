//! Short words for asking and for looking at answers.

use aisix_core::{
    Gateway,
    body::Body,
    testing::{self, API_KEY, MODEL, UPSTREAM_MODEL},
};
use http::{Request, Response};
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const CHAT: &str = "/v1/chat/completions";

/// Sends a request.
pub(crate) async fn send(gateway: &Gateway, request: Request<Body>) -> Response<Body> {
    gateway.clone().oneshot(request).await.unwrap()
}

/// Sends a chat, whole.
pub(crate) async fn chat(gateway: &Gateway) -> Response<Body> {
    send(gateway, testing::chat_request("hi")).await
}

/// The body of a chat with `members` added.
pub(crate) fn chat_body(members: &Value) -> String {
    let mut body = json!({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]});
    let document = body.as_object_mut().unwrap();
    document.extend(members.as_object().unwrap().clone());
    body.to_string()
}

/// Sends a chat that streams.
pub(crate) async fn stream(gateway: &Gateway) -> Response<Body> {
    let body = chat_body(&json!({"stream": true}));
    send(gateway, testing::request(CHAT, body)).await
}

/// Sends a GET with the caller's key.
pub(crate) fn get(path: &str) -> Request<Body> {
    Request::get(path)
        .header("authorization", format!("Bearer {API_KEY}"))
        .body(Body::empty())
        .unwrap()
}

/// The status and the JSON of an answer.
pub(crate) async fn refusal(response: Response<Body>) -> (u16, Value) {
    (response.status().as_u16(), testing::json(response).await)
}

/// An error in OpenAI's envelope; absent members are left out.
pub(crate) fn error(kind: &str, message: &str) -> Value {
    json!({"error": {"message": message, "type": kind}})
}

/// The error that the caller sees for [`Answer::refusal`](testing::Answer::refusal).
pub(crate) fn refused_upstream(message: &str) -> Value {
    json!({"error": {"message": message, "type": "upstream_error", "code": "some_code"}})
}

/// What reaches the upstream of `body`, which names [`MODEL`], when nothing else is changed.
pub(crate) fn renamed(body: &str) -> String {
    body.replacen(MODEL, UPSTREAM_MODEL, 1)
}

/// The same chat in every dialect that callers speak.
pub(crate) fn in_every_dialect(streams: bool) -> [Request<Body>; 4] {
    let message = json!({"role": "user", "content": "hi"});
    let verb = match streams {
        true => "streamGenerateContent?alt=sse",
        false => "generateContent",
    };
    let gemini = format!("/v1beta/models/{MODEL}:{verb}");
    [
        (
            CHAT,
            json!({"model": MODEL, "messages": [message], "stream": streams}),
        ),
        (
            "/v1/responses",
            json!({"model": MODEL, "input": [message], "stream": streams}),
        ),
        (
            "/v1/messages",
            json!({"model": MODEL, "max_tokens": 9, "messages": [message], "stream": streams}),
        ),
        (
            &gemini,
            json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
        ),
    ]
    .map(|(path, body)| testing::request(path, body.to_string()))
}
