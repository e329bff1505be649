//! Streams that upstreams speak, and what callers of every dialect hear.

use aisix_core::{
    body::Body,
    testing::{self, Answer},
};
use http::Response;
use serde_json::{Value, json};

/// A stream that says this, cut into single characters.
pub(crate) fn saying(text: &str) -> Answer {
    let characters = text.split_inclusive(|_| true);
    let stream = characters.fold(Answer::stream().role(), Answer::content);
    stream.finish().done()
}

/// A stream that calls a tool with this, cut into single characters.
pub(crate) fn calling(arguments: &str) -> Answer {
    let delta = |delta: Value| json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]});
    let begun = json!({"role": "assistant", "tool_calls": [
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "send", "arguments": ""}}]});
    let pieces = arguments.split_inclusive(|_| true).map(|piece| {
        delta(json!({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}))
    });
    let stream = Answer::stream().event(&delta(begun));
    let stream = pieces.fold(stream, |stream, piece| stream.event(&piece));
    let end = json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
    stream.event(&end).done()
}

/// The JSON of all events of a stream.
pub(crate) async fn events(response: Response<Body>) -> Vec<Value> {
    let text = testing::text(response).await;
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let json = data.filter(|data| *data != "[DONE]");
    json.map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

/// The pieces of text of a stream in any dialect, joined.
pub(crate) fn said(events: &[Value]) -> String {
    let pieces = events.iter().flat_map(|event| {
        let places = [
            "/choices/0/delta/content",
            "/delta/text",
            "/candidates/0/content/parts/0/text",
        ];
        let mut pieces: Vec<_> = places
            .iter()
            .filter_map(|place| event.pointer(place))
            .collect();
        if event["type"] == "response.output_text.delta" {
            pieces.push(&event["delta"]);
        }
        pieces
    });
    pieces.filter_map(Value::as_str).collect()
}

/// The arguments of the tool that a stream in any dialect calls.
pub(crate) fn called_with(events: &[Value]) -> Value {
    let pieces = events.iter().flat_map(|event| {
        let places = [
            "/choices/0/delta/tool_calls/0/function/arguments",
            "/delta/partial_json",
        ];
        let mut pieces: Vec<_> = places
            .iter()
            .filter_map(|place| event.pointer(place))
            .collect();
        if event["type"] == "response.function_call_arguments.delta" {
            pieces.push(&event["delta"]);
        }
        pieces
    });
    let text: String = pieces.filter_map(Value::as_str).collect();
    match text.as_str() {
        "" => {
            let mut calls = events.iter().filter_map(|event| {
                event.pointer("/candidates/0/content/parts/0/functionCall/args")
            });
            calls.next().unwrap().clone()
        }
        text => serde_json::from_str(text).unwrap(),
    }
}
