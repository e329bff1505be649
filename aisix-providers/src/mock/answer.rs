//! What the mock answers, in OpenAI's shapes.

use serde_json::{Value, json};

use super::script::{Script, ToolCall};

const CREATED: u64 = 1_767_225_600;
/// The length of an embedding nobody asked a length of.
const DIMENSIONS: usize = 8;
const MAX_DIMENSIONS: usize = 4_096;

/// The text of an answer: what was told, or an echo that says where it comes from.
pub(super) fn text(request: &Value, script: &Script) -> String {
    if let Some(text) = &script.text {
        return text.clone();
    }
    let said = last_words(request);
    let said: String = said.chars().take(200).collect();
    format!("This is AISIX's built-in mock, not a real model. You said: {said}")
}

fn last_words(request: &Value) -> &str {
    if let Some(prompt) = request["prompt"].as_str() {
        return prompt;
    }
    let messages = request["messages"].as_array();
    let last = messages
        .into_iter()
        .flatten()
        .rev()
        .find(|m| m["role"] == "user");
    let content = last.map(|message| &message["content"]);
    match content {
        Some(Value::String(text)) => text,
        Some(Value::Array(parts)) => parts
            .iter()
            .find_map(|part| part["text"].as_str())
            .unwrap_or_default(),
        _ => "",
    }
}

fn tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

pub(super) fn usage(request: &Value, text: &str) -> Value {
    let prompt = ["messages", "prompt", "input"]
        .iter()
        .map(|name| &request[*name])
        .find(|value| !value.is_null())
        .map_or(0, |value| tokens(&value.to_string()));
    let completion = tokens(text);
    json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    })
}

fn model(request: &Value) -> &str {
    let model = request["model"].as_str().unwrap_or("mock");
    model.split('?').next().unwrap_or(model)
}

fn call(tool: &ToolCall) -> Value {
    let arguments = match &tool.arguments {
        Value::Null => "{}".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    json!({"id": "call_mock", "type": "function", "function": {"name": tool.name, "arguments": arguments}})
}

pub(super) fn chat(request: &Value, script: &Script) -> Value {
    let text = text(request, script);
    let (message, reason) = match &script.tool_call {
        Some(tool) => (
            json!({"role": "assistant", "content": null, "tool_calls": [call(tool)]}),
            "tool_calls",
        ),
        None => (
            json!({"role": "assistant", "content": text, "refusal": null}),
            "stop",
        ),
    };
    json!({
        "id": "chatcmpl-mock", "object": "chat.completion", "created": CREATED,
        "model": model(request), "system_fingerprint": "aisix-mock",
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": reason}],
        "usage": usage(request, &text),
    })
}

pub(super) fn completion(request: &Value, script: &Script) -> Value {
    let text = text(request, script);
    json!({
        "id": "cmpl-mock", "object": "text_completion", "created": CREATED,
        "model": model(request), "system_fingerprint": "aisix-mock",
        "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": "stop"}],
        "usage": usage(request, &text),
    })
}

/// The events of a stream, without `[DONE]`.
pub(super) fn events(request: &Value, script: &Script, chat: bool) -> Vec<Value> {
    let (id, object) = match chat {
        true => ("chatcmpl-mock", "chat.completion.chunk"),
        false => ("cmpl-mock", "text_completion"),
    };
    let asks_usage = request["stream_options"]["include_usage"] == true;
    let event = |choices: Value, usage: Value| {
        let mut event = json!({
            "id": id, "object": object, "created": CREATED, "model": model(request),
            "system_fingerprint": "aisix-mock", "choices": choices,
        });
        if asks_usage {
            event["usage"] = usage;
        }
        event
    };
    let choice = |delta: Value, reason: Value| match chat {
        true => json!([{"index": 0, "delta": delta, "finish_reason": reason}]),
        false => json!([{"index": 0, "text": delta, "logprobs": null, "finish_reason": reason}]),
    };
    let text = text(request, script);
    let mut choices = Vec::new();
    if chat {
        choices.push(choice(
            json!({"role": "assistant", "content": ""}),
            Value::Null,
        ));
    }
    match script.tool_call.as_ref().filter(|_| chat) {
        Some(tool) => {
            let mut head = call(tool);
            let arguments = head["function"]["arguments"].take();
            head["index"] = json!(0);
            head["function"]["arguments"] = json!("");
            choices.push(choice(json!({"tool_calls": [head]}), Value::Null));
            for piece in script.pieces(arguments.as_str().unwrap_or_default()) {
                let fragment = json!({"index": 0, "function": {"arguments": piece}});
                choices.push(choice(json!({"tool_calls": [fragment]}), Value::Null));
            }
            choices.push(choice(json!({}), json!("tool_calls")));
        }
        None => {
            for piece in script.pieces(&text) {
                let delta = match chat {
                    true => json!({"content": piece}),
                    false => json!(piece),
                };
                choices.push(choice(delta, Value::Null));
            }
            let last = match chat {
                true => json!({}),
                false => json!(""),
            };
            choices.push(choice(last, json!("stop")));
        }
    }
    let mut events: Vec<Value> = choices
        .into_iter()
        .map(|choices| event(choices, Value::Null))
        .collect();
    if asks_usage {
        events.push(event(json!([]), usage(request, &text)));
    }
    events
}

/// Vectors that depend on the input alone.
pub(super) fn embeddings(request: &Value) -> Value {
    let inputs: Vec<String> = match &request["input"] {
        Value::Array(items) if items.iter().all(Value::is_number) => {
            vec![request["input"].to_string()]
        }
        Value::Array(items) => items.iter().map(Value::to_string).collect(),
        one => vec![one.to_string()],
    };
    let dimensions = request["dimensions"]
        .as_u64()
        .map_or(DIMENSIONS, |n| (n as usize).clamp(1, MAX_DIMENSIONS));
    let base64 = request["encoding_format"] == "base64";
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = vector(input, dimensions);
            let embedding = match base64 {
                true => json!(packed(&vector)),
                false => json!(vector),
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let prompt = tokens(&inputs.concat());
    json!({
        "object": "list", "data": data, "model": model(request),
        "usage": {"prompt_tokens": prompt, "total_tokens": prompt},
    })
}

/// A unit vector from the bytes of `input` (FNV-1a, then xorshift).
fn vector(input: &str, dimensions: usize) -> Vec<f32> {
    let mut state = input.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let raw: Vec<f32> = (0..dimensions)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        })
        .collect();
    let length = raw
        .iter()
        .map(|x| x * x)
        .sum::<f32>()
        .sqrt()
        .max(f32::EPSILON);
    raw.iter().map(|x| x / length).collect()
}

/// Little-endian floats in base64.
fn packed(vector: &[f32]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}
