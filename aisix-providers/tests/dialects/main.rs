//! Callers of one dialect, providers of another, through the gateway.
#![allow(clippy::unwrap_used, reason = "tests")]

mod caching;
mod counting;
mod embeddings;
mod gemini_callers;
mod responses;
mod unsupported;

use aisix_core::{
    Gateway,
    body::Body,
    testing::{self, Answer, Exchange, MODEL, Setup, Upstream},
    upstream::Settings,
};
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";

/// A gateway in front of one scripted provider.
struct House {
    upstream: Upstream,
    gateway: Gateway,
}

impl House {
    fn of(provider: &str, model_name: &str) -> Self {
        Self::with(provider, json!({"model_name": model_name}))
    }

    /// The model has these members besides.
    fn with(provider: &str, mut model: Value) -> Self {
        model["provider"] = provider.into();
        let upstream = Upstream::new();
        let settings = Settings {
            retries: 0,
            ..Settings::default()
        };
        let gateway = Setup::new()
            .upstream(settings)
            .providers(aisix_providers::registry())
            .provider_key(json!({"provider": provider, "api_key": "sk-upstream"}))
            .model(model)
            .gateway(&upstream);
        Self { upstream, gateway }
    }

    async fn post(
        &self,
        path: &str,
        mut body: Value,
        answer: Answer,
    ) -> (Response<Body>, Exchange) {
        let exchange = self.upstream.answer(answer);
        body["model"] = MODEL.into();
        let request = testing::request(path, body.to_string());
        (
            self.gateway.clone().oneshot(request).await.unwrap(),
            exchange,
        )
    }
}

fn anthropic_answer() -> Answer {
    Answer::json(
        200,
        &json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
            "content": [
                {"type": "text", "text": "hi"},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
            ],
            "stop_reason": "tool_use", "stop_sequence": null,
            "usage": {"input_tokens": 40, "cache_read_input_tokens": 60, "cache_creation_input_tokens": 0, "output_tokens": 9},
        }),
    )
}

fn anthropic_stream() -> Answer {
    let events = [
        json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x", "content": [], "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 7, "output_tokens": 1}}}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "ping"}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "he"}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "y"}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{\"a\":"}}),
        json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "1}"}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": {"output_tokens": 5}}),
        json!({"type": "message_stop"}),
    ];
    events.iter().fold(Answer::stream(), |answer, event| {
        let name = event["type"].as_str().unwrap();
        answer.send(format!("event: {name}\ndata: {event}\n\n"))
    })
}

fn gemini_answer() -> Answer {
    Answer::json(
        200,
        &json!({
            "candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [
                {"text": "plan", "thought": true},
                {"text": "hi"},
                {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"},
            ]}}],
            "usageMetadata": {"promptTokenCount": 10, "cachedContentTokenCount": 4, "candidatesTokenCount": 2, "thoughtsTokenCount": 30, "totalTokenCount": 42},
            "modelVersion": "gemini-x", "responseId": "r1",
        }),
    )
}

fn gemini_stream() -> Answer {
    let event = |part: Value, finish: Value| {
        json!({"candidates": [{"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": finish}],
            "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 12}})
    };
    Answer::stream()
        .event(&event(json!({"text": "he"}), Value::Null))
        .event(&event(json!({"text": "y"}), Value::Null))
        .event(&event(
            json!({"functionCall": {"name": "f", "args": {"a": 1}}}),
            json!("STOP"),
        ))
}

fn question() -> Value {
    json!({
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "hello"},
        ],
        "max_tokens": 100, "temperature": 0.3, "seed": 7,
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}}],
    })
}

fn message() -> Value {
    json!({
        "system": "be brief",
        "messages": [{"role": "user", "content": "hello"}],
        "max_tokens": 100, "temperature": 0.3,
        "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}}}],
    })
}

/// The payloads of a stream.
fn payloads(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]")
        .map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// The text and the arguments of the first tool call in a chat stream.
fn said(chunks: &[Value]) -> (String, String) {
    let deltas = || chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]);
    let text = deltas().filter_map(|delta| delta["content"].as_str());
    let arguments =
        deltas().filter_map(|delta| delta["tool_calls"][0]["function"]["arguments"].as_str());
    (text.collect(), arguments.collect())
}

#[tokio::test]
async fn a_chat_reaches_anthropic_and_its_answer_comes_back() {
    let house = House::of("anthropic", "claude-x");
    let (response, mut exchange) = house.post(CHAT, question(), anthropic_answer()).await;
    let sent = exchange.request().await;
    assert_eq!(
        sent.head.uri.to_string(),
        "https://api.anthropic.com/v1/messages"
    );
    assert_eq!(sent.header("x-api-key"), Some("sk-upstream"));
    assert_eq!(sent.header("anthropic-version"), Some("2023-06-01"));
    assert_eq!(sent.header("authorization"), None);
    let body = sent.json();
    assert_eq!(body["model"], "claude-x");
    assert_eq!(body["max_tokens"], 100);
    assert!(body["system"].to_string().contains("be brief"), "{body}");
    assert_eq!(body["tools"][0]["name"], "f");
    assert_eq!(
        body["tools"][0]["input_schema"]["properties"]["a"]["type"],
        "integer"
    );
    assert_eq!(body["messages"].as_array().unwrap().len(), 1);
    assert_eq!(body.get("seed"), None);

    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-aisix-fidelity"], "translated");
    assert_eq!(response.headers()["x-aisix-dropped-params"], "seed");
    let answer = testing::json(response).await;
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["choices"][0]["message"]["content"], "hi");
    let call = &answer["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(
        (&call["id"], &call["function"]["name"]),
        (&json!("toolu_1"), &json!("f"))
    );
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(answer["usage"]["prompt_tokens"], 100);
    assert_eq!(
        answer["usage"]["prompt_tokens_details"]["cached_tokens"],
        60
    );
    assert_eq!(answer["usage"]["completion_tokens"], 9);
}

#[tokio::test]
async fn a_chat_reaches_gemini_and_its_answer_comes_back() {
    let house = House::of("gemini", "gemini-x");
    let (response, mut exchange) = house.post(CHAT, question(), gemini_answer()).await;
    let sent = exchange.request().await;
    assert_eq!(
        sent.head.uri.to_string(),
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-x:generateContent"
    );
    assert_eq!(sent.header("x-goog-api-key"), Some("sk-upstream"));
    let body = sent.json();
    assert_eq!(body["contents"][0]["role"], "user");
    assert_eq!(body["systemInstruction"]["parts"][0]["text"], "be brief");
    assert_eq!(body["generationConfig"]["maxOutputTokens"], 100);
    assert_eq!(body["generationConfig"]["seed"], 7);

    let answer = testing::json(response).await;
    let message = &answer["choices"][0]["message"];
    assert_eq!(message["content"], "hi");
    assert_eq!(message["reasoning_content"], "plan");
    let call = &message["tool_calls"][0];
    assert_eq!(call["extra_content"]["google"]["thought_signature"], "c2ln");
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(answer["usage"]["completion_tokens"], 32);
}

#[tokio::test]
async fn streams_come_back_as_chat_chunks() {
    let cases = [
        (House::of("anthropic", "claude-x"), anthropic_stream()),
        (House::of("gemini", "gemini-x"), gemini_stream()),
    ];
    for (house, answer) in cases {
        let mut body = question();
        body["stream"] = json!(true);
        body["stream_options"] = json!({"include_usage": true});
        let (response, mut exchange) = house.post(CHAT, body, answer).await;
        let uri = exchange.request().await.head.uri.to_string();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let text = testing::text(response).await;
        assert!(text.ends_with("data: [DONE]\n\n"), "{uri}: {text}");
        let chunks = payloads(&text);
        let (content, arguments) = said(&chunks);
        assert_eq!(content, "hey", "{uri}");
        let arguments: Value = serde_json::from_str(&arguments).unwrap();
        assert_eq!(arguments, json!({"a": 1}), "{uri}");
        let finish = |chunk: &&Value| chunk["choices"][0]["finish_reason"].is_string();
        let finish: Vec<_> = chunks.iter().filter(finish).collect();
        assert_eq!(finish.len(), 1, "{uri}");
        assert_eq!(finish[0]["choices"][0]["finish_reason"], "tool_calls");
        let last = chunks.last().unwrap();
        assert_eq!(last["choices"], json!([]), "{uri}: usage comes last");
        assert_eq!(last["usage"]["total_tokens"], 12, "{uri}");
    }
}

/// A line end of two bytes may be cut in two, and only the bytes that came in one write are together.
#[tokio::test]
async fn a_translated_stream_has_no_lines_of_the_upstream() {
    let event = json!({"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": "hey"}]}, "finishReason": "STOP"}]});
    let answer = Answer::stream()
        .send(": comment\r\n\r")
        .send("\n: more\r\n\r")
        .send(format!("\ndata: {event}\r\n\r"))
        .send("\n\r\n");
    let house = House::of("gemini", "gemini-x");
    let mut body = question();
    body["stream"] = json!(true);
    let (response, _) = house.post(CHAT, body, answer).await;
    let text = testing::text(response).await;
    assert!(text.starts_with(":\n\n:\n\ndata: {"), "{text:?}");
    assert!(text.ends_with("}\n\ndata: [DONE]\n\n"), "{text:?}");
    assert!(!text.contains("\n\n\n") && !text.contains('\r'), "{text:?}");
}

#[tokio::test]
async fn a_message_reaches_an_openai_provider_and_its_answer_comes_back() {
    let house = House::of("openai", "gpt-x");
    let answer = Answer::json(
        200,
        &json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-x",
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": "hi",
                "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]}}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15, "prompt_tokens_details": {"cached_tokens": 8}}}),
    );
    let (response, mut exchange) = house.post(MESSAGES, message(), answer).await;
    let sent = exchange.request().await;
    assert_eq!(
        sent.head.uri.to_string(),
        "https://api.openai.com/v1/chat/completions"
    );
    let body = sent.json();
    assert_eq!(body["model"], "gpt-x");
    assert_eq!(body["messages"][0]["content"], "be brief");
    assert_eq!(body["tools"][0]["function"]["name"], "f");

    assert!(response.headers().contains_key("request-id"));
    let answer = testing::json(response).await;
    assert_eq!(answer["type"], "message");
    assert_eq!(answer["model"], MODEL);
    assert_eq!(answer["content"][0], json!({"type": "text", "text": "hi"}));
    assert_eq!(answer["content"][1]["type"], "tool_use");
    assert_eq!(answer["content"][1]["input"], json!({"a": 1}));
    assert_eq!(answer["stop_reason"], "tool_use");
    assert_eq!(answer["usage"]["input_tokens"], 4);
    assert_eq!(answer["usage"]["cache_read_input_tokens"], 8);
}

#[tokio::test]
async fn streams_come_back_as_message_events() {
    let openai = Answer::stream()
        .role()
        .content("he")
        .content("y")
        .finish()
        .usage(7, 5)
        .done();
    let cases = [
        (House::of("openai", "gpt-x"), openai, "end_turn"),
        (House::of("gemini", "gemini-x"), gemini_stream(), "tool_use"),
    ];
    for (house, answer, reason) in cases {
        let mut body = message();
        body["stream"] = json!(true);
        let (response, mut exchange) = house.post(MESSAGES, body, answer).await;
        let uri = exchange.request().await.head.uri.to_string();
        let text = testing::text(response).await;
        let events = payloads(&text);
        let kinds: Vec<_> = events
            .iter()
            .map(|event| event["type"].as_str().unwrap())
            .collect();
        assert_eq!(kinds.first(), Some(&"message_start"), "{uri}: {text}");
        assert_eq!(kinds.last(), Some(&"message_stop"), "{uri}: {text}");
        let text: String = events
            .iter()
            .filter_map(|event| event["delta"]["text"].as_str())
            .collect();
        assert_eq!(text, "hey", "{uri}");
        let end = events
            .iter()
            .find(|event| event["type"] == "message_delta")
            .unwrap();
        assert_eq!(end["delta"]["stop_reason"], reason, "{uri}");
        assert_eq!(end["usage"]["output_tokens"], 5, "{uri}");
    }
}

#[tokio::test]
async fn a_message_to_anthropic_is_passed_on_as_it_came() {
    let house = House::of("anthropic", MODEL);
    let mut body = message();
    body["model"] = MODEL.into();
    body["unknown_member"] = json!({"b": 1.50});
    let request = body.to_string();
    let (response, mut exchange) = house.post(MESSAGES, body.clone(), anthropic_answer()).await;
    assert_eq!(exchange.request().await.text(), request);
    assert_eq!(response.headers()["x-aisix-fidelity"], "verbatim");
    let answer = testing::text(response).await;
    assert!(
        answer.contains("\"cache_read_input_tokens\":60"),
        "{answer}"
    );

    body["stream"] = json!(true);
    let (response, _) = house.post(MESSAGES, body, anthropic_stream()).await;
    let text = testing::text(response).await;
    assert!(text.starts_with("event: message_start\n"), "{text}");
    assert!(
        text.ends_with("data: {\"type\":\"message_stop\"}\n\n"),
        "{text}"
    );
}

#[tokio::test]
async fn refusals_are_told_in_the_callers_dialect() {
    let overloaded = || {
        let body = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
        Answer::json(529, &body).header("retry-after", "3")
    };
    let house = House::of("anthropic", "claude-x");
    let (response, _) = house.post(CHAT, question(), overloaded()).await;
    assert_eq!(response.status().as_u16(), 529);
    assert_eq!(response.headers()["retry-after"], "3");
    let answer = testing::json(response).await;
    assert_eq!(answer["error"]["type"], "upstream_error");

    let limited =
        json!({"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}});
    let house = House::of("gemini", "gemini-x");
    let (response, _) = house
        .post(MESSAGES, message(), Answer::json(429, &limited))
        .await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let answer = testing::json(response).await;
    assert_eq!(answer["type"], "error");
    assert_eq!(
        answer["error"],
        json!({"type": "rate_limit_error", "message": "slow down"})
    );
}

#[tokio::test]
async fn what_a_provider_cannot_say_is_refused_by_name() {
    let house = House::of("anthropic", "claude-x");
    let mut body = question();
    body["n"] = json!(2);
    let (response, _) = house.post(CHAT, body, anthropic_answer()).await;
    assert_eq!(response.status(), 400);
    assert_eq!(testing::json(response).await["error"]["param"], "n");
    assert!(house.upstream.requests().is_empty());
}

#[tokio::test]
async fn a_stream_cut_short_ends_with_an_error_in_the_callers_dialect() {
    let start = json!({"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {"input_tokens": 7, "output_tokens": 1}}});
    let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    let delta = json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "he"}});
    for path in [CHAT, MESSAGES] {
        let answer = [&start, &block, &delta]
            .iter()
            .fold(Answer::stream(), |answer, event| answer.event(event));
        let house = House::of("anthropic", "claude-x");
        let mut body = if path == CHAT { question() } else { message() };
        body["stream"] = json!(true);
        let (response, _) = house.post(path, body, answer).await;
        let text = testing::text(response).await;
        assert!(text.contains("he"), "{text}");
        let last = text.trim_end().rsplit("\n\n").next().unwrap();
        assert!(last.starts_with("event: error\n"), "{text}");
        assert!(
            !text.contains("[DONE]") && !text.contains("message_stop"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn tools_with_odd_names_come_back_under_their_own() {
    let house = House::of("anthropic", "claude-x");
    let mut body = question();
    body["tools"][0]["function"]["name"] = json!("my.tool/one");
    // What the provider is told, it answers with.
    let (_, mut exchange) = house.post(CHAT, body.clone(), anthropic_answer()).await;
    let told = exchange.request().await.json()["tools"][0]["name"].clone();
    assert_ne!(told, "my.tool/one");
    let answer = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
        "content": [{"type": "tool_use", "id": "toolu_1", "name": told, "input": {}}],
        "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1},
    });
    let (response, _) = house.post(CHAT, body, Answer::json(200, &answer)).await;
    let answer = testing::json(response).await;
    let call = &answer["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(call["function"]["name"], "my.tool/one");
}

#[tokio::test]
async fn gemini_tells_when_to_come_back_and_whose_key_is_wrong() {
    let retry = json!({"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}]}});
    let key = json!({"error": {"code": 400, "message": "API key not valid", "status": "INVALID_ARGUMENT",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]}});
    let house = House::of("gemini", "gemini-x");
    let (response, _) = house
        .post(CHAT, question(), Answer::json(429, &retry))
        .await;
    assert_eq!(response.headers()["retry-after"], "17");
    let (response, _) = house.post(CHAT, question(), Answer::json(400, &key)).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}
