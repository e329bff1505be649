//! The mock provider, through the gateway.
#![allow(clippy::unwrap_used, reason = "tests")]

use aisix_core::{
    Gateway,
    body::Body,
    testing::{self, MODEL, Setup, Upstream},
    upstream::Settings,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::Response;
use serde_json::{Value, json};
use tower::ServiceExt;

fn gateway() -> Gateway {
    named("mock")
}

fn named(model_name: &str) -> Gateway {
    let settings = Settings {
        retries: 0,
        ..Settings::default()
    };
    Setup::new()
        .upstream(settings)
        .providers(aisix_providers::registry())
        .model(json!({"provider": "mock", "model_name": model_name}))
        .gateway(&Upstream::new())
}

async fn post(gateway: &Gateway, path: &str, mut body: Value) -> Response<Body> {
    body["model"] = MODEL.into();
    let request = testing::request(path, body.to_string());
    gateway.clone().oneshot(request).await.unwrap()
}

async fn chat(gateway: &Gateway, mock: Value, stream: bool) -> Response<Body> {
    let messages = json!([{"role": "user", "content": "hello there"}]);
    let body = json!({"messages": messages, "mock": mock, "stream": stream});
    post(gateway, "/v1/chat/completions", body).await
}

/// The events of a stream that ended well, and the text in them.
fn events(text: &str) -> (Vec<Value>, String) {
    let events = text.strip_suffix("data: [DONE]\n\n").unwrap();
    let parse = |event: &str| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
    let events: Vec<Value> = events.split_terminator("\n\n").map(parse).collect();
    let piece = |event: &Value| {
        event["choices"][0]["delta"]["content"]
            .as_str()
            .map(str::to_owned)
    };
    let text = events.iter().filter_map(piece).collect();
    (events, text)
}

#[tokio::test]
async fn it_says_what_it_is() {
    let answer = testing::json(chat(&gateway(), Value::Null, false).await).await;
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(
        text.contains("mock") && text.ends_with("hello there"),
        "{text}"
    );
    assert_eq!(answer["usage"]["completion_tokens"], text.len().div_ceil(4));
}

#[tokio::test]
async fn a_text_is_cut_into_as_many_pieces_as_asked() {
    let mock = json!({"text": "héllo wörld", "chunks": 5});
    let text = testing::text(chat(&gateway(), mock, true).await).await;
    let (events, said) = events(&text);
    assert_eq!(
        (said.as_str(), events.len()),
        ("héllo wörld", 7),
        "role, pieces, finish"
    );
}

#[tokio::test]
async fn a_tool_is_called_whole_and_in_pieces() {
    let mock =
        json!({"tool_call": {"name": "weather", "arguments": {"city": "Kyiv"}}, "chunks": 3});
    let answer = testing::json(chat(&gateway(), mock.clone(), false).await).await;
    let choice = &answer["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    let function = &choice["message"]["tool_calls"][0]["function"];
    assert_eq!(
        function,
        &json!({"name": "weather", "arguments": "{\"city\":\"Kyiv\"}"})
    );

    let text = testing::text(chat(&gateway(), mock, true).await).await;
    let (events, _) = events(&text);
    let calls = events
        .iter()
        .map(|event| &event["choices"][0]["delta"]["tool_calls"][0]);
    let arguments: String = calls
        .filter_map(|call| call["function"]["arguments"].as_str())
        .collect();
    assert_eq!(arguments, "{\"city\":\"Kyiv\"}");
}

#[tokio::test]
async fn it_fails_as_told() {
    for (mock, status, kind) in [
        (json!({"error": 429}), 429, "upstream_error"),
        (json!({"error": 401}), 401, "upstream_error"),
        (json!({"error": 500}), 502, "upstream_error"),
        (json!({"malformed": true}), 502, "upstream_decode_error"),
        (json!({"unknown": 1}), 400, "upstream_error"),
    ] {
        let response = chat(&gateway(), mock.clone(), false).await;
        assert_eq!(response.status(), status, "{mock}");
        assert_eq!(
            response.headers().contains_key("retry-after"),
            status == 429
        );
        assert_eq!(
            testing::json(response).await["error"]["type"],
            kind,
            "{mock}"
        );
    }
    let response = chat(&named("mock?error=429"), Value::Null, false).await;
    assert_eq!(response.status(), 429);
}

#[tokio::test(start_paused = true)]
async fn the_first_calls_fail_and_the_gateway_tries_again() {
    let gateway = Setup::new()
        .providers(aisix_providers::registry())
        .model(json!({"provider": "mock", "model_name": "mock?fail_first=2"}))
        .gateway(&Upstream::new());
    assert_eq!(chat(&gateway, Value::Null, false).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn streams_break_and_stall_as_told() {
    let cut =
        testing::text(chat(&gateway(), json!({"text": "a b c", "cut_after": 2}), true).await).await;
    assert!(
        cut.contains("\"a \"") && cut.contains("stream_aborted"),
        "{cut}"
    );
    assert!(!cut.contains("[DONE]"));

    let stalling = Setup::new()
        .providers(aisix_providers::registry())
        .model(json!({"provider": "mock", "model_name": "mock", "stream_timeout": 5_000}))
        .gateway(&Upstream::new());
    let stall =
        testing::text(chat(&stalling, json!({"text": "a b c", "stall_after": 2}), true).await)
            .await;
    assert!(stall.contains("timed out after 5000ms"), "{stall}");
}

#[tokio::test(start_paused = true)]
async fn it_takes_its_time() {
    let started = tokio::time::Instant::now();
    let mock = json!({"text": "abcd", "chunks": 4, "delay_ms": 1_000, "chunk_delay_ms": 100});
    testing::text(chat(&gateway(), mock, true).await).await;
    let took = started.elapsed().as_millis();
    // The role, four pieces, the finish, the usage and the end: 100 ms before each.
    assert!((1_800..1_900).contains(&took), "{took}");
}

#[tokio::test]
async fn embeddings_come_as_floats_and_in_base64() {
    let input = json!(["one", "two"]);
    let ask = |more: Value| {
        let mut body = json!({"input": input, "dimensions": 4});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        async move { testing::json(post(&gateway(), "/v1/embeddings", body).await).await }
    };
    let floats = ask(json!({})).await;
    let packed = ask(json!({"encoding_format": "base64"})).await;
    assert_eq!(floats["data"].as_array().unwrap().len(), 2);
    for (floats, packed) in [0, 1].map(|n| (&floats["data"][n], &packed["data"][n])) {
        let floats: Vec<f32> = serde_json::from_value(floats["embedding"].clone()).unwrap();
        let bytes = STANDARD
            .decode(packed["embedding"].as_str().unwrap())
            .unwrap();
        let unpacked: Vec<f32> = bytes
            .chunks(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect();
        assert_eq!((floats.len(), &floats), (4, &unpacked));
        let length: f32 = floats.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5, "a unit vector");
    }
    let tokens = post(&gateway(), "/v1/embeddings", json!({"input": [1, 2, 3]})).await;
    assert_eq!(
        testing::json(tokens).await["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn completions_answer_whole_and_in_pieces() {
    let body = json!({"prompt": "p", "mock": {"text": "a b"}});
    let answer = testing::json(post(&gateway(), "/v1/completions", body.clone()).await).await;
    assert_eq!(
        (&answer["choices"][0]["text"], &answer["object"]),
        (&json!("a b"), &json!("text_completion"))
    );
    let mut body = body;
    body["stream"] = true.into();
    let text = testing::text(post(&gateway(), "/v1/completions", body).await).await;
    let (events, _) = events(&text);
    let said: String = events
        .iter()
        .filter_map(|event| event["choices"][0]["text"].as_str())
        .collect();
    assert_eq!(said, "a b");
}
