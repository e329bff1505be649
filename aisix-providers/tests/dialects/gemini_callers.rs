//! Callers of Gemini's own API, in front of every provider.

use std::sync::Arc;

use aisix_core::{
    body::Body,
    testing::{self, Answer, MODEL},
};
use http::{Method, Request, Response};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{House, anthropic_answer, anthropic_stream, gemini_answer, gemini_stream, payloads};

fn whole() -> String {
    format!("/v1beta/models/{MODEL}:generateContent")
}

fn streamed(query: &str) -> String {
    format!("/v1beta/models/{MODEL}:streamGenerateContent{query}")
}

fn question() -> Value {
    json!({
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "contents": [{"role": "user", "parts": [{"text": "hello"}]}],
        "generationConfig": {"maxOutputTokens": 100, "temperature": 0.30},
        "tools": [{"functionDeclarations": [{"name": "f", "description": "d", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "INTEGER"}}}}]}],
    })
}

async fn ask(
    house: &House,
    path: &str,
    answer: Answer,
) -> (Response<Body>, Arc<testing::Recorded>) {
    let mut exchange = house.upstream.answer(answer);
    let request = testing::request(path, question().to_string());
    let response = house.gateway.clone().oneshot(request).await.unwrap();
    (response, exchange.request().await)
}

fn text_of(events: &[Value]) -> String {
    let parts = events
        .iter()
        .filter_map(|event| event["candidates"][0]["content"]["parts"].as_array());
    parts
        .flatten()
        .filter_map(|part| part["text"].as_str())
        .collect()
}

#[tokio::test]
async fn gemini_gets_the_very_bytes() {
    let house = House::of("gemini", "gemini-x");
    let (response, sent) = ask(&house, &whole(), gemini_answer()).await;
    let base = "https://generativelanguage.googleapis.com/v1beta/models/gemini-x";
    assert_eq!(sent.head.uri.to_string(), format!("{base}:generateContent"));
    assert_eq!(sent.text(), question().to_string());
    assert_eq!(sent.header("x-goog-api-key"), Some("sk-upstream"));
    assert_eq!(response.headers()["x-aisix-fidelity"], "verbatim");
    let answer = testing::json(response).await;
    assert_eq!(answer["responseId"], "r1");

    let (response, sent) = ask(&house, &streamed("?alt=sse&key=sk-caller"), gemini_stream()).await;
    let address = format!("{base}:streamGenerateContent?alt=sse");
    assert_eq!(sent.head.uri.to_string(), address);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = testing::text(response).await;
    assert_eq!(text_of(&payloads(&text)), "hey");
    assert!(!text.contains("[DONE]"), "{text}");
}

#[tokio::test]
async fn other_providers_answer_in_geminis_words() {
    let openai = Answer::json(
        200,
        &json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-x",
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": "hi",
                "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]}}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109, "prompt_tokens_details": {"cached_tokens": 60}}}),
    );
    let cases = [
        (House::of("openai", "gpt-x"), openai),
        (House::of("anthropic", "claude-x"), anthropic_answer()),
    ];
    for (house, answer) in cases {
        let (response, sent) = ask(&house, &whole(), answer).await;
        let body = sent.json();
        assert!(body.to_string().contains("be brief"), "{body}");
        assert_eq!(response.headers()["x-aisix-fidelity"], "translated");
        let answer = testing::json(response).await;
        let candidate = &answer["candidates"][0];
        assert_eq!(candidate["content"]["parts"][0]["text"], "hi", "{answer}");
        let call = &candidate["content"]["parts"][1]["functionCall"];
        assert_eq!(
            (&call["name"], &call["args"]),
            (&json!("f"), &json!({"a": 1}))
        );
        assert_eq!(candidate["finishReason"], "STOP");
        assert_eq!(answer["usageMetadata"]["promptTokenCount"], 100);
        assert_eq!(answer["usageMetadata"]["cachedContentTokenCount"], 60);
        assert_eq!(answer["modelVersion"], MODEL);
    }
}

#[tokio::test]
async fn the_path_says_that_an_answer_streams() {
    let openai = Answer::stream()
        .role()
        .content("he")
        .content("y")
        .finish()
        .usage(7, 5)
        .done();
    let cases = [
        (House::of("openai", "gpt-x"), openai),
        (House::of("anthropic", "claude-x"), anthropic_stream()),
    ];
    for (house, answer) in cases {
        let (response, sent) = ask(&house, &streamed("?alt=sse"), answer).await;
        assert_eq!(sent.json()["stream"], true);
        let text = testing::text(response).await;
        let events = payloads(&text);
        assert_eq!(text_of(&events), "hey", "{text}");
        let last = events.last().unwrap();
        assert_eq!(last["candidates"][0]["finishReason"], "STOP", "{last}");
        assert_eq!(last["usageMetadata"]["totalTokenCount"], 12, "{last}");
    }
}

#[tokio::test]
async fn without_alt_sse_a_stream_is_an_array() {
    for (house, answer) in [
        (House::of("gemini", "gemini-x"), gemini_stream()),
        (House::of("anthropic", "claude-x"), anthropic_stream()),
    ] {
        let (response, _) = ask(&house, &streamed(""), answer).await;
        assert_eq!(response.headers()["content-type"], "application/json");
        let answer: Value = serde_json::from_str(&testing::text(response).await).unwrap();
        assert_eq!(text_of(answer.as_array().unwrap()), "hey");
    }
    // One that breaks is an array all the same, and says so at its end.
    let house = House::of("gemini", "gemini-x");
    let event = json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "he"}]}}]});
    let cut = Answer::stream().event(&event).cut();
    let (response, _) = ask(&house, &streamed("?alt=json"), cut).await;
    let answer: Value = serde_json::from_str(&testing::text(response).await).unwrap();
    assert_eq!(answer[0], event);
    assert_eq!(answer[1]["error"]["status"], "UNAVAILABLE", "{answer}");
}

#[tokio::test]
async fn refusals_are_googles() {
    let house = House::of("anthropic", "claude-x");
    let limited =
        json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}});
    let answer = Answer::json(429, &limited).header("retry-after", "9");
    let (response, _) = ask(&house, &streamed("?alt=sse"), answer).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "9");
    let error = testing::json(response).await;
    let expected = json!({"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"});
    assert_eq!(error["error"], expected);

    for (path, code, status) in [
        ("/v1beta/models/none:generateContent", 404, "NOT_FOUND"),
        ("/v1beta/models/none:embedContent", 405, "INVALID_ARGUMENT"),
        ("/v1beta/else", 404, "NOT_FOUND"),
    ] {
        let request = testing::request(path, question().to_string());
        let response = house.gateway.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), code, "{path}");
        let error = testing::json(response).await["error"].clone();
        assert_eq!(
            (&error["code"], &error["status"]),
            (&json!(code), &json!(status))
        );
    }
}

#[tokio::test]
async fn the_key_may_stand_where_google_has_it() {
    let house = House::of("gemini", "gemini-x");
    let call = async |path: String, key: Option<&str>| {
        let mut request = Request::post(path);
        if let Some(key) = key {
            request = request.header("x-goog-api-key", key);
        }
        let body = Body::full(question().to_string());
        let request = request.body(body).unwrap();
        house
            .gateway
            .clone()
            .oneshot(request)
            .await
            .unwrap()
            .status()
    };
    let key = testing::API_KEY;
    house.upstream.answer(gemini_answer());
    assert_eq!(call(whole(), Some(key)).await, 200);
    house.upstream.answer(gemini_answer());
    assert_eq!(call(format!("{}?key={key}", whole()), None).await, 200);
    assert_eq!(call(whole(), None).await, 401);
    assert_eq!(call(whole(), Some("wrong")).await, 401);
    // Elsewhere a query never holds credentials.
    let chat = format!("/v1/chat/completions?key={key}");
    assert_eq!(call(chat, None).await, 401);
}

#[tokio::test]
async fn models_are_listed_as_google_lists_them() {
    let house = House::of("gemini", "gemini-x");
    let get = async |path: &str| {
        let mut request = testing::request(path, "");
        *request.method_mut() = Method::GET;
        let response = house.gateway.clone().oneshot(request).await.unwrap();
        testing::json(response).await
    };
    let list = get("/v1beta/models").await;
    assert_eq!(list["models"][0]["name"], format!("models/{MODEL}"));
    let one = get(&format!("/v1beta/models/{MODEL}")).await;
    assert_eq!(one["name"], format!("models/{MODEL}"));
}
