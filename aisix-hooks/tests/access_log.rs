//! The access log, through the front door of a gateway.
#![allow(clippy::unwrap_used)]

use std::{
    io::{self, Write},
    sync::Arc,
};

use aisix_core::{
    Error, ErrorKind, Gateway,
    body::Body,
    call::Call,
    config::Kind,
    hook::{self, Next},
    testing::{self, Answer, Setup, Upstream},
};
use aisix_hooks::observe::{AccessLog, Flush};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tower::ServiceExt;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// The only line. Every line must be JSON.
    fn only(&self, flush: &Flush) -> Value {
        flush.flush();
        let written = self.0.lock();
        let lines: Vec<Value> = written
            .split_inclusive(|byte| *byte == b'\n')
            .map(|line| serde_json::from_slice(line).expect("a line is JSON"))
            .collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines[0].clone()
    }
}

fn log() -> (AccessLog, Flush, Lines) {
    let lines = Lines::default();
    let (log, flush) = AccessLog::new(lines.clone()).unwrap();
    (log, flush, lines)
}

fn stream_request() -> http::Request<Body> {
    let body = json!({"model": testing::MODEL, "stream": true,
        "messages": [{"role": "user", "content": "hi"}]});
    testing::request("/v1/chat/completions", body.to_string())
}

#[tokio::test]
async fn an_answer_is_one_line_with_its_tokens() {
    let (log, flush, lines) = log();
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello").header("x-request-id", "up-1"));
    let builder = Setup::new().builder(&upstream).observe(log);
    let response = builder
        .build()
        .unwrap()
        .oneshot(testing::chat_request("hi"));
    testing::text(response.await.unwrap()).await;

    let mut line = lines.only(&flush);
    let fields = line.as_object_mut().unwrap();
    let timestamp = fields.remove("timestamp").unwrap();
    assert!(
        timestamp
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .is_ok()
    );
    assert!(fields.remove("request_id").unwrap().as_str().unwrap().len() > 10);
    assert!(fields.remove("latency_ms").unwrap().is_u64());
    assert_eq!(
        line,
        json!({
            "level": "INFO", "target": "aisix::access_log", "message": "proxy request completed",
            "method": "POST", "path": "/v1/chat/completions", "status": 200, "outcome": "success",
            "stream": false, "api_key_id": "caller", "provider": "plain", "model": "test-model",
            "prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12,
            "provider_request_id": "up-1", "served_by_model": "test-model",
            "upstream_model": "upstream-model",
            "routing_attempt_count": 1, "routing_fallback_count": 0,
        })
    );
}

/// A gateway whose model `group` stands for `a` and `b`.
fn group() -> Setup {
    let model = |name: &str| {
        json!({"display_name": name, "provider": "plain", "model_name": format!("up-{name}"),
            "provider_key_id": "key"})
    };
    let targets = json!([{"model": "a"}, {"model": "b"}]);
    let group = json!({"display_name": "group", "routing": {"targets": targets, "retries": 1}});
    Setup::new()
        .add(Kind::Model, "a", model("a"))
        .add(Kind::Model, "b", model("b"))
        .add(Kind::Model, "group", group)
}

#[tokio::test(start_paused = true)]
async fn who_was_tried_before_another_served_is_told() {
    let (log, flush, lines) = log();
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::refusal(503, "no"));
    upstream.answer_for("up-a", Answer::unreachable());
    upstream.answer_for("up-b", Answer::chat("hello"));
    let gateway = group().builder(&upstream).observe(log).build().unwrap();
    let body = json!({"model": "group", "messages": [{"role": "user", "content": "hi"}]});
    let request = testing::request("/v1/chat/completions", body.to_string());
    testing::text(gateway.oneshot(request).await.unwrap()).await;

    let mut line = lines.only(&flush);
    let expected = json!({"model": "group", "served_by_model": "b", "upstream_model": "up-b",
        "routing_attempt_count": 3, "routing_fallback_count": 1, "total_tokens": 12});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(line[name], *value, "{name}");
    }
    let attempts = line["attempts"].as_array_mut().unwrap();
    for attempt in attempts.iter_mut() {
        let latency = attempt.as_object_mut().unwrap().remove("latency_ms");
        assert!(latency.unwrap().is_u64());
    }
    assert_eq!(
        *attempts,
        [
            json!({"model": "a", "kind": "initial", "status": 503, "error": "upstream"}),
            json!({"model": "a", "kind": "retry", "error": "transport"}),
            json!({"model": "b", "kind": "fallback", "status": 200}),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn of_an_attempt_that_was_abandoned_nobody_knows_more() {
    let (log, flush, lines) = log();
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::refusal(503, "no"));
    upstream.answer_for("up-a", Answer::refusal(503, "no"));
    let mut exchange = upstream.answer_for("up-b", Answer::chat("hello").head_stall());
    let gateway = group().builder(&upstream).observe(log).build().unwrap();
    let body = json!({"model": "group", "messages": [{"role": "user", "content": "hi"}]});
    let request = testing::request("/v1/chat/completions", body.to_string());
    let mut response = Box::pin(gateway.oneshot(request));
    tokio::select! {
        _ = &mut response => panic!("there is no answer"),
        _ = exchange.request() => {}
    }
    drop(response);

    let line = lines.only(&flush);
    let last = &line["attempts"][2];
    assert_eq!(
        (&last["model"], &last["abandoned"], &last["error"]),
        (&json!("b"), &json!(true), &Value::Null)
    );
    assert!(line.get("served_by_model").is_none(), "{line}");
}

#[tokio::test]
async fn a_stranger_is_seen_and_the_credential_is_not() {
    let (log, flush, lines) = log();
    let gateway = Setup::new().builder(&Upstream::new()).observe(log).build();
    let mut request = testing::chat_request("hi");
    let wrong = "Bearer sk-very-wrong".parse().unwrap();
    request.headers_mut().insert("authorization", wrong);
    let response = gateway.unwrap().oneshot(request).await.unwrap();
    testing::text(response).await;

    let line = lines.only(&flush);
    assert_eq!(line["status"], 401);
    assert_eq!(line["outcome"], "refused");
    assert_eq!(line["error_kind"], "unauthenticated");
    assert_eq!(line["error"], "invalid API key");
    assert!(line.get("api_key_id").is_none() && line.get("prompt_tokens").is_none());
    assert!(!line.to_string().contains("very-wrong"));
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_is_seen_once_as_499() {
    let (log, flush, lines) = log();
    let upstream = Upstream::new();
    let mut exchange = upstream.answer(Answer::chat("hello").head_stall());
    let gateway = Setup::new()
        .builder(&upstream)
        .observe(log)
        .build()
        .unwrap();
    let mut response = Box::pin(gateway.oneshot(testing::chat_request("hi")));
    tokio::select! {
        _ = &mut response => panic!("there is no answer"),
        _ = exchange.request() => {}
    }
    drop(response);

    let line = lines.only(&flush);
    assert_eq!(
        (&line["status"], &line["outcome"]),
        (&json!(499), &json!("cancelled"))
    );
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_is_seen_once_with_an_estimate() {
    let (log, flush, lines) = log();
    let upstream = Upstream::new();
    upstream.answer(Answer::stream().content("hello, hello").stall());
    let gateway = Setup::new()
        .builder(&upstream)
        .observe(log)
        .build()
        .unwrap();
    let response = gateway.oneshot(stream_request()).await.unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    drop(body);

    let line = lines.only(&flush);
    assert_eq!(
        (&line["status"], &line["outcome"]),
        (&json!(200), &json!("cancelled"))
    );
    assert_eq!(
        (&line["stream"], &line["usage_estimated"]),
        (&json!(true), &json!(true))
    );
    assert_eq!(line["completion_tokens"], 3);
}

#[tokio::test]
async fn whatever_is_in_a_request_the_line_is_json_and_bounded() {
    let (log, flush, lines) = log();
    let upstream = Upstream::new();
    let bytes = http::HeaderValue::from_bytes(b"\"\\\t\xff\xc3").unwrap();
    upstream.answer(Answer::chat("hello"));
    let told = bytes.clone();
    let transport = upstream.map_response(move |mut response| {
        response.headers_mut().insert("x-request-id", told.clone());
        response
    });
    let mark = "\"\u{0}\u{1b}[31m\\é\n".repeat(200);
    let marked = mark.clone();
    let gateway = Gateway::builder(Setup::new().config())
        .transport(transport)
        .hook(hook::from_fn(move |call: Call, next: Next| {
            call.trail().mark("note", marked.clone());
            call.trail().mark("short", "\"\u{7}");
            for value in ["one", "two", "one"] {
                call.trail().mark("often", value);
            }
            async move {
                let _ = next.run(call).await?;
                Err(Error::new(ErrorKind::Blocked, "no \"way\"\r\n".repeat(99))
                    .with_source("é".repeat(999)))
            }
        }))
        .observe(log)
        .build()
        .unwrap();
    let mut request = testing::chat_request("hi");
    request.headers_mut().insert("x-aisix-request-id", bytes);
    let path = format!("/v1/chat/completions?secret={}", "x".repeat(900));
    *request.uri_mut() = path.parse().unwrap();
    testing::text(gateway.oneshot(request).await.unwrap()).await;

    let line = lines.only(&flush);
    let text = |name: &str| line[name].as_str().unwrap();
    assert_eq!(text("path"), "/v1/chat/completions");
    assert!(text("error").starts_with("no \"way\"\r\n") && text("error").len() <= 512);
    assert!(text("error_detail").starts_with("éé") && text("error_detail").len() <= 256);
    assert_eq!(text("provider_request_id"), "\"\\\t\u{fffd}\u{fffd}");
    let note = line["marks"]["note"].as_str().unwrap();
    assert!(mark.starts_with(note) && (250..=256).contains(&note.len()));
    assert_eq!(line["marks"]["short"], "\"\u{7}");
    assert_eq!(line["marks"]["often"], json!(["one", "two", "one"]));
    assert_eq!(line["error_kind"], "blocked");
}

#[tokio::test]
async fn an_unknown_path_is_cut() {
    let (log, flush, lines) = log();
    let gateway = Setup::new().builder(&Upstream::new()).observe(log).build();
    let request = testing::request(&format!("/{}", "p".repeat(5_000)), "");
    let response = gateway.unwrap().oneshot(request).await.unwrap();
    testing::text(response).await;

    let line = lines.only(&flush);
    assert_eq!(line["status"], 404);
    assert_eq!(line["path"].as_str().unwrap().len(), 512);
    assert!(line.get("stream").is_none() && line.get("model").is_none());
}
