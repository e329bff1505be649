//! Bad requests, and what good ones become.

use aisix_core::testing::{self, Answer, MODEL, Setup, Upstream};
use serde_json::json;

use crate::ask::*;

const BAD_JSON: &str = "request payload is invalid: invalid JSON request body";

#[tokio::test]
async fn what_is_not_json_is_refused() {
    let deep = format!("{{\"model\":{}", "[".repeat(10_000));
    let late = format!(r#"{{"model":"{MODEL}","messages":[{{}}],"x":[1,2,}}"#);
    let broken: [&[u8]; 8] = [
        b"",
        b"not json",
        b"[]",
        b"null",
        b"{\"model\":\"\xff\"}",
        b"{} {}",
        deep.as_bytes(),
        late.as_bytes(),
    ];
    let gateway = testing::gateway(&Upstream::new());
    for body in broken {
        let request = testing::request(CHAT, bytes::Bytes::copy_from_slice(body));
        let (status, body) = refusal(send(&gateway, request).await).await;
        assert_eq!(
            (status, &body["error"]["type"]),
            (400, &json!("invalid_request_error"))
        );
        let message = body["error"]["message"].as_str().unwrap();
        assert!(message.starts_with(BAD_JSON), "{message}");
    }
}

#[tokio::test]
async fn wrong_members_are_named() {
    let huge = format!(r#"{{"model":"{}","messages":[{{}}]}}"#, "m".repeat(100_000));
    let gateway = testing::gateway(&Upstream::new());
    for (body, param, message) in [
        (
            r#"{"messages":[{}]}"#,
            "model",
            "missing required field \"model\"",
        ),
        (
            r#"{"model":"","messages":[{}]}"#,
            "model",
            "\"model\" must not be empty",
        ),
        (
            r#"{"model":7,"messages":[{}]}"#,
            "model",
            "\"model\" must be a string",
        ),
        (&huge, "model", "\"model\" must be at most 512 bytes long"),
        (
            r#"{"model":"m"}"#,
            "messages",
            "missing required field \"messages\"",
        ),
        (
            r#"{"model":"m","messages":[]}"#,
            "messages",
            "\"messages\" must not be empty",
        ),
        (
            r#"{"model":"m","messages":"hi"}"#,
            "messages",
            "\"messages\" must be an array",
        ),
        (
            r#"{"model":"m","model":"m","messages":[{}]}"#,
            "model",
            "duplicate field \"model\"",
        ),
        (
            r#"{"stream":true,"messages":[{}],"str\u0065am":false,"model":"m"}"#,
            "stream",
            "duplicate field \"stream\"",
        ),
    ] {
        let (status, got) =
            refusal(send(&gateway, testing::request(CHAT, body.to_owned())).await).await;
        let expected = json!({"message": message, "type": "invalid_request_error", "param": param});
        assert_eq!((status, got), (400, json!({"error": expected})));
    }
}

#[tokio::test]
async fn ten_thousand_tools_are_the_providers_business() {
    let tools = vec![r#"{"type":"function"}"#; 10_000].join(",");
    let body = format!(r#"{{"model":"test-model","messages":[{{}}],"tools":[{tools}]}}"#);
    let upstream = Upstream::new();
    upstream.answer(Answer::refusal(400, "too many tools"));
    let request = testing::request(CHAT, body.clone());
    let (status, got) = refusal(send(&testing::gateway(&upstream), request).await).await;
    assert_eq!((status, got), (400, refused_upstream("too many tools")));
    assert_eq!(upstream.last_request().text(), renamed(&body));
}

#[tokio::test]
async fn embeddings_and_completions_have_their_own_rules() {
    let gateway = testing::gateway(&Upstream::new());
    for (path, body, message) in [
        (
            "/v1/embeddings",
            json!({"model": MODEL}),
            "missing required field \"input\"",
        ),
        (
            "/v1/embeddings",
            json!({"model": MODEL, "input": []}),
            "\"input\" must not be empty",
        ),
        (
            "/v1/completions",
            json!({"model": MODEL, "prompt": 7}),
            "\"prompt\" must be a string or an array",
        ),
    ] {
        let request = testing::request(path, body.to_string());
        let (status, got) = refusal(send(&gateway, request).await).await;
        assert_eq!((status, &got["error"]["message"]), (400, &json!(message)));
    }
}

#[tokio::test]
async fn a_request_that_needs_no_edit_is_forwarded_byte_for_byte() {
    let upstream = Upstream::new();
    let gateway = Setup::new()
        .model(json!({"model_name": MODEL}))
        .gateway(&upstream);
    let body = "\n{ \"seed\" : 0, \"model\":\"test\\u002dmodel\" ,\"messages\":[{\"content\":\"h\\u00e9\"}],\
                \"x\":1.0e+2,\"x\":2,\"metadata\":{ } }\t";
    upstream.answer(Answer::chat("hello"));
    assert_eq!(
        send(&gateway, testing::request(CHAT, body)).await.status(),
        200
    );
    assert_eq!(upstream.last_request().text(), body);
}

#[tokio::test]
async fn only_the_models_name_is_exchanged() {
    let upstream = Upstream::new();
    let gateway = testing::gateway(&upstream);
    for (path, body) in [
        (
            CHAT,
            r#"{"temperature":0,"model": "test-model","messages":[{"role":"user","content":"test-model"}]}"#,
        ),
        (
            "/v1/completions",
            r#"{"prompt":["a",[1,2]],"model":"test-model"  }"#,
        ),
        (
            "/v1/embeddings",
            r#"{"input":[[1,2],[3]],"model":"test-model","encoding_format":"base64"}"#,
        ),
    ] {
        upstream.answer(Answer::chat("hello"));
        assert_eq!(
            send(&gateway, testing::request(path, body)).await.status(),
            200
        );
        let request = upstream.last_request();
        assert_eq!(request.text(), renamed(body));
        assert_eq!(request.head.uri, *format!("http://upstream.test{path}"));
        assert_eq!(request.head.method, "POST");
    }
}

#[tokio::test]
async fn usage_is_asked_for_on_streams() {
    let upstream = Upstream::new();
    let gateway = testing::gateway(&upstream);
    for (body, sent) in [
        (
            r#"{"model":"test-model","messages":[{}],"stream":true}"#,
            r#"{"model":"upstream-model","messages":[{}],"stream":true,"stream_options":{"include_usage":true}}"#,
        ),
        (
            r#"{"model":"test-model","messages":[{}],"stream_options":null,"stream":true}"#,
            r#"{"model":"upstream-model","messages":[{}],"stream_options":{"include_usage":true},"stream":true}"#,
        ),
        (
            r#"{"model":"test-model","messages":[{}],"stream_options":{"include_usage":false,"x":1},"stream":true}"#,
            r#"{"model":"upstream-model","messages":[{}],"stream_options":{"include_usage":true,"x":1},"stream":true}"#,
        ),
        (
            r#"{"model":"test-model","messages":[{}],"stream_options":{"include_usage":true},"stream":true}"#,
            r#"{"model":"upstream-model","messages":[{}],"stream_options":{"include_usage":true},"stream":true}"#,
        ),
        (
            r#"{"model":"test-model","messages":[{}],"stream":false}"#,
            r#"{"model":"upstream-model","messages":[{}],"stream":false}"#,
        ),
    ] {
        upstream.answer(Answer::stream().content("x").finish().done());
        send(&gateway, testing::request(CHAT, body)).await;
        assert_eq!(upstream.last_request().text(), sent);
    }
}
