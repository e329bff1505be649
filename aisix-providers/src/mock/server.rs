//! The mock as a service over HTTP requests.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use aisix_core::{BoxError, body::Body};
use aisix_wire::sse;
use bytes::Bytes;
use futures_util::stream;
use http::{StatusCode, header::CONTENT_TYPE};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};

use super::{answer, script::Script};

/// An OpenAI-dialect server in this process: a Tower service, and so a transport.
///
/// The member `mock` of a request's body tells it what to do:
///
/// | member | what it does |
/// | --- | --- |
/// | `text` | answers with this text; default: an echo that says where it comes from |
/// | `tool_call` | calls a tool: `{"name", "arguments"}` |
/// | `delay_ms` | waits before the head of the answer |
/// | `chunks`, `chunk_delay_ms` | into how many pieces a stream is cut, and the pause before each |
/// | `error` | answers with this status |
/// | `fail_first` | refuses this many calls with 503 before the first that is answered |
/// | `cut_after`, `stall_after` | after this many pieces of a stream, breaks off or says nothing more |
/// | `malformed` | answers with something that is not JSON |
#[derive(Clone, Debug, Default)]
pub struct MockServer {
    calls: Arc<AtomicU64>,
}

// === impl MockServer ===

impl MockServer {
    /// A server that has served nobody yet.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn counting(calls: Arc<AtomicU64>) -> Self {
        Self { calls }
    }

    async fn answer(self, request: http::Request<Body>) -> http::Response<Body> {
        let (head, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return refuse(StatusCode::BAD_REQUEST, "the body could not be read"),
        };
        let Ok(request) = serde_json::from_slice::<Value>(&body) else {
            return refuse(StatusCode::BAD_REQUEST, "the body is not JSON");
        };
        let script = match Script::of(&request) {
            Ok(script) => script,
            Err(message) => return refuse(StatusCode::BAD_REQUEST, &message),
        };
        if let Some(delay) = script.delay() {
            tokio::time::sleep(delay).await;
        }
        if self.calls.fetch_add(1, Ordering::Relaxed) < script.fail_first {
            return refuse(StatusCode::SERVICE_UNAVAILABLE, "not yet");
        }
        if let Some(status) = script.error {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            return refuse(status, &format!("the mock was told to answer {status}"));
        }
        if script.malformed {
            return respond(
                "text/html",
                Body::full("<html>not what you asked for</html>"),
            );
        }
        let chat = head.uri.path().ends_with("/chat/completions");
        if head.uri.path().ends_with("/embeddings") {
            return json_response(StatusCode::OK, &answer::embeddings(&request));
        }
        if request["stream"] == true {
            let events = answer::events(&request, &script, chat);
            return respond("text/event-stream", stream_of(events, &script));
        }
        json_response(
            StatusCode::OK,
            &match chat {
                true => answer::chat(&request, &script),
                false => answer::completion(&request, &script),
            },
        )
    }
}

impl tower::Service<http::Request<Body>> for MockServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let server = self.clone();
        Box::pin(async move { Ok(server.answer(request).await) })
    }
}

fn stream_of(events: Vec<Value>, script: &Script) -> Body {
    let delay = script.chunk_delay();
    let (cut, stall) = (script.cut_after, script.stall_after);
    let mut frames: Vec<Bytes> = events
        .iter()
        .map(|event| sse::encode(None, event.to_string().as_bytes()))
        .collect();
    frames.push(Bytes::from_static(sse::DONE));
    let frames = stream::unfold(
        (frames.into_iter(), 0),
        move |(mut frames, count)| async move {
            if stall == Some(count) {
                std::future::pending::<()>().await;
            }
            let frame: Result<Bytes, BoxError> = match cut == Some(count) {
                true if frames.len() == 0 => return None,
                true => {
                    frames = Vec::new().into_iter();
                    Err("cut".into())
                }
                false => Ok(frames.next()?),
            };
            if let Some(delay) = delay {
                tokio::time::sleep(delay).await;
            }
            Some((frame.map(Frame::data), (frames, count + 1)))
        },
    );
    Body::new(StreamBody::new(frames))
}

fn respond(content_type: &'static str, body: Body) -> http::Response<Body> {
    let mut response = http::Response::new(body);
    let value = http::HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, value);
    let id = http::HeaderValue::from_static("req_mock");
    response.headers_mut().insert("x-request-id", id);
    response
}

fn json_response(status: StatusCode, value: &Value) -> http::Response<Body> {
    let mut response = respond("application/json", Body::from(value.to_string()));
    *response.status_mut() = status;
    response
}

fn refuse(status: StatusCode, message: &str) -> http::Response<Body> {
    let kind = match status {
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_exceeded",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    };
    let body = json!({"error": {"message": message, "type": kind, "param": null, "code": null}});
    let mut response = json_response(status, &body);
    if status == StatusCode::TOO_MANY_REQUESTS {
        let seconds = http::HeaderValue::from_static("1");
        response.headers_mut().insert("retry-after", seconds);
    }
    response
}
