//! Callers of OpenAI's Responses, in front of every provider.

use aisix_core::testing::{self, Answer, MODEL};
use serde_json::{Value, json};

use crate::{House, anthropic_answer, anthropic_stream, gemini_answer, gemini_stream, payloads};

const PATH: &str = "/v1/responses";

fn question() -> Value {
    json!({
        "instructions": "be brief",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "hello"}]}],
        "max_output_tokens": 100, "temperature": 0.30,
        "tools": [{"type": "function", "name": "f", "description": "d", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}],
    })
}

fn compatible() -> House {
    // A server of the dialect that is not OpenAI has chat completions only.
    House::of("deepseek", "d-x")
}

fn chat_answer() -> Answer {
    Answer::json(
        200,
        &json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "d-x",
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": "hi",
                "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]}}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109}}),
    )
}

#[tokio::test]
async fn openai_gets_the_very_bytes() {
    let house = House::of("openai", MODEL);
    let mut body = question();
    body["model"] = MODEL.into();
    body["previous_response_id"] = json!("resp_0");
    body["unknown_member"] = json!({"b": 1.50});
    let bytes = body.to_string();
    let said = json!({"id": "resp_1", "object": "response", "status": "completed", "output": [], "own": 1.50,
        "usage": {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}});
    let (response, mut exchange) = house.post(PATH, body, Answer::json(200, &said)).await;
    let sent = exchange.request().await;
    let address = "https://api.openai.com/v1/responses";
    assert_eq!(sent.head.uri.to_string(), address);
    assert_eq!(sent.text(), bytes);
    assert_eq!(response.headers()["x-aisix-fidelity"], "verbatim");
    assert_eq!(testing::text(response).await, said.to_string());
}

fn verbatim_stream() -> Answer {
    let named = |answer: Answer, event: Value| {
        let name = event["type"].as_str().unwrap();
        answer.send(format!("event: {name}\ndata: {event}\n\n"))
    };
    let events = [
        json!({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "status": "in_progress"}}),
        json!({"type": "response.output_text.delta", "sequence_number": 1, "item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": "hey"}),
    ];
    events.into_iter().fold(Answer::stream(), named)
}

#[tokio::test]
async fn openais_stream_passes_as_it_came() {
    let house = House::of("openai", MODEL);
    let mut body = question();
    body["stream"] = json!(true);
    let last = json!({"type": "response.completed", "sequence_number": 2, "response": {"id": "resp_1", "status": "completed",
        "usage": {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}}});
    let answer = verbatim_stream().send(format!("event: response.completed\ndata: {last}\n\n"));
    let (response, mut exchange) = house.post(PATH, body.clone(), answer).await;
    let sent = exchange.request().await.json();
    assert_eq!(sent.get("stream_options"), None, "nothing is added");
    let text = testing::text(response).await;
    assert!(text.starts_with("event: response.created\n"), "{text}");
    assert!(text.ends_with(&format!("data: {last}\n\n")), "{text}");

    // One that is cut goes on counting.
    let (response, _) = house.post(PATH, body, verbatim_stream().cut()).await;
    let events = payloads(&testing::text(response).await);
    let last = events.last().unwrap();
    assert_eq!(last["type"], "error", "{last}");
    assert_eq!(last["sequence_number"], 2, "{last}");
    assert!(last["message"].is_string(), "{last}");
}

#[tokio::test]
async fn other_providers_answer_in_its_words() {
    let cases = [
        (compatible(), chat_answer()),
        (House::of("anthropic", "claude-x"), anthropic_answer()),
        (House::of("gemini", "gemini-x"), gemini_answer()),
    ];
    for (house, answer) in cases {
        let (response, mut exchange) = house.post(PATH, question(), answer).await;
        let sent = exchange.request().await;
        assert!(sent.text().contains("be brief"), "{}", sent.text());
        assert_eq!(response.headers()["x-aisix-fidelity"], "translated");
        let answer = testing::json(response).await;
        assert_eq!(answer["object"], "response");
        assert_eq!(answer["model"], MODEL);
        assert_eq!(answer["instructions"], "be brief");
        let items = answer["output"].as_array().unwrap();
        let item = |kind: &str| items.iter().find(|item| item["type"] == kind).unwrap();
        assert_eq!(item("message")["content"][0]["text"], "hi", "{answer}");
        let call = item("function_call");
        assert_eq!(call["name"], "f");
        let arguments = call["arguments"].as_str().unwrap();
        let arguments: Value = serde_json::from_str(arguments).unwrap();
        assert_eq!(arguments, json!({"a": 1}));
        assert!(
            answer["usage"]["total_tokens"].as_u64() > Some(40),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn other_providers_stream_its_events() {
    let openai = Answer::stream()
        .role()
        .content("he")
        .content("y")
        .finish()
        .usage(7, 5)
        .done();
    let cases = [
        (compatible(), openai),
        (House::of("anthropic", "claude-x"), anthropic_stream()),
        (House::of("gemini", "gemini-x"), gemini_stream()),
    ];
    for (house, answer) in cases {
        let mut body = question();
        body["stream"] = json!(true);
        let (response, _) = house.post(PATH, body, answer).await;
        let text = testing::text(response).await;
        let events = payloads(&text);
        let numbers = events.iter().map(|event| event["sequence_number"].as_u64());
        assert!(numbers.eq((0..).map(Some).take(events.len())), "{text}");
        let deltas = events
            .iter()
            .filter(|event| event["type"] == "response.output_text.delta");
        let said: String = deltas.filter_map(|event| event["delta"].as_str()).collect();
        assert_eq!(said, "hey");
        let last = events.last().unwrap();
        assert_eq!(last["type"], "response.completed", "{text}");
        assert_eq!(last["response"]["usage"]["total_tokens"], 12);
        assert!(!text.contains("[DONE]"));
    }
}

#[tokio::test]
async fn what_only_openai_holds_is_refused_elsewhere_by_name() {
    for (member, value) in [
        ("previous_response_id", json!("resp_0")),
        ("conversation", json!("conv_0")),
        ("background", json!(true)),
    ] {
        for provider in ["anthropic", "gemini", "deepseek"] {
            let house = House::of(provider, "x");
            let mut body = question();
            body[member] = value.clone();
            let (response, _) = house.post(PATH, body, anthropic_answer()).await;
            assert_eq!(response.status(), 400, "{provider}: {member}");
            let error = testing::json(response).await;
            assert_eq!(error["error"]["param"], member, "{provider}");
            assert!(house.upstream.requests().is_empty());
        }
    }
}

#[tokio::test]
async fn a_stream_that_breaks_elsewhere_ends_with_a_numbered_error() {
    let house = House::of("gemini", "gemini-x");
    let event = json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "he"}]}}]});
    let mut body = question();
    body["stream"] = json!(true);
    let cut = Answer::stream().event(&event).cut();
    let (response, _) = house.post(PATH, body, cut).await;
    let text = testing::text(response).await;
    let events = payloads(&text);
    assert!(
        events.iter().any(|event| event["type"] == "error"),
        "{text}"
    );
    assert!(!text.contains("response.completed"), "{text}");
    let last = events.last().unwrap();
    assert_eq!(last["sequence_number"], events.len() - 1, "{text}");
}
