//! Mutations that keep an input what it is: a document stays JSON, a stream one of events.
//!
//! The fuzzer changes bytes, which breaks the grammar most of the time. Every second change is one of these.

use serde_json::{Map, Value, json};

use crate::Dice;

/// Names and values of all dialects.
const WORDS: &[&str] = &[
    "model",
    "messages",
    "system",
    "role",
    "content",
    "type",
    "text",
    "user",
    "assistant",
    "developer",
    "tool",
    "tools",
    "function",
    "functions",
    "name",
    "description",
    "parameters",
    "arguments",
    "strict",
    "tool_choice",
    "auto",
    "none",
    "required",
    "any",
    "allowed_tools",
    "parallel_tool_calls",
    "tool_calls",
    "tool_call_id",
    "id",
    "call_1",
    "f",
    "image_url",
    "url",
    "data:image/png;base64,iVBORw0KGgo=",
    "https://example.com/a.pdf",
    "detail",
    "input_audio",
    "data",
    "format",
    "file",
    "file_id",
    "file_data",
    "filename",
    "refusal",
    "annotations",
    "response_format",
    "json_object",
    "json_schema",
    "schema",
    "stream",
    "stream_options",
    "include_usage",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "top_k",
    "n",
    "seed",
    "stop",
    "stop_sequences",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "reasoning_effort",
    "low",
    "minimal",
    "high",
    "xhigh",
    "reasoning_content",
    "metadata",
    "user_id",
    "service_tier",
    "default",
    "cache_control",
    "ephemeral",
    "thinking",
    "enabled",
    "adaptive",
    "disabled",
    "budget_tokens",
    "display",
    "signature",
    "redacted_thinking",
    "tool_use",
    "tool_result",
    "tool_use_id",
    "is_error",
    "input",
    "input_schema",
    "image",
    "document",
    "source",
    "base64",
    "media_type",
    "image/png",
    "application/pdf",
    "title",
    "citations",
    "search_result",
    "server_tool_use",
    "output_config",
    "effort",
    "disable_parallel_tool_use",
    "choices",
    "index",
    "delta",
    "message",
    "finish_reason",
    "length",
    "content_filter",
    "usage",
    "prompt_tokens",
    "completion_tokens",
    "prompt_tokens_details",
    "cached_tokens",
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "stop_reason",
    "end_turn",
    "stop_sequence",
    "error",
    "message_start",
    "content_block",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "text_delta",
    "input_json_delta",
    "partial_json",
    "thinking_delta",
    "signature_delta",
    "citations_delta",
    "citation",
    "ping",
    "contents",
    "parts",
    "systemInstruction",
    "inlineData",
    "mimeType",
    "fileData",
    "fileUri",
    "functionCall",
    "functionResponse",
    "args",
    "response",
    "thought",
    "thoughtSignature",
    "c2ln",
    "functionDeclarations",
    "parametersJsonSchema",
    "toolConfig",
    "functionCallingConfig",
    "mode",
    "ANY",
    "allowedFunctionNames",
    "generationConfig",
    "maxOutputTokens",
    "candidateCount",
    "responseMimeType",
    "responseJsonSchema",
    "responseSchema",
    "thinkingConfig",
    "thinkingBudget",
    "thinkingLevel",
    "includeThoughts",
    "candidates",
    "finishReason",
    "STOP",
    "SAFETY",
    "usageMetadata",
    "promptTokenCount",
    "candidatesTokenCount",
    "promptFeedback",
    "blockReason",
    "embeddings",
    "values",
    "dimensions",
    "encoding_format",
    "object",
    "array",
    "string",
    "integer",
    "properties",
    "items",
    "enum",
    "anyOf",
    "oneOf",
    "allOf",
    "$ref",
    "#/$defs/a",
    "$defs",
    "additionalProperties",
    "nullable",
    "const",
    "minimum",
    "input_text",
    "output_text",
    "function_call",
    "function_call_output",
    "call_id",
    "output",
    "instructions",
    "reasoning",
    "encrypted_content",
    "summary",
];

/// Changes an input in place; gives its new size, or `None` when it is no document and no stream.
pub(crate) fn mutate(data: &mut [u8], size: usize, seed: u32) -> Option<usize> {
    let mut dice = Dice(u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let text = std::str::from_utf8(&data[..size]).ok()?;
    let changed = match serde_json::from_str::<Value>(text) {
        Ok(mut document) => {
            value(&mut document, &mut dice);
            document.to_string()
        }
        Err(_) if text.contains("data:") => stream(text, &mut dice),
        Err(_) => return None,
    };
    data.get_mut(..changed.len())?
        .copy_from_slice(changed.as_bytes());
    Some(changed.len())
}

/// Changes one event of a stream, or where it stands.
fn stream(text: &str, dice: &mut Dice) -> String {
    let mut events: Vec<String> = text.split("\n\n").map(str::to_owned).collect();
    let (one, other) = (dice.roll(events.len()), dice.roll(events.len()));
    match dice.roll(8) {
        0 => events.swap(one, other),
        1 => drop(events.remove(one)),
        2 => events.insert(one, events[other].clone()),
        3 => events.truncate(one + 1),
        _ => {
            let line = events[one]
                .rsplit_once("data:")
                .map(|(head, data)| (head.to_owned(), data.trim().to_owned()));
            if let Some((head, data)) = line
                && let Ok(mut document) = serde_json::from_str(&data)
            {
                value(&mut document, dice);
                events[one] = format!("{head}data: {document}");
            }
        }
    }
    events.join("\n\n")
}

/// Changes one value in a document.
fn value(document: &mut Value, dice: &mut Dice) {
    let count = count(document);
    let donor = nth(document, &mut dice.roll(count)).map(|value| value.clone());
    let mut at = dice.roll(count);
    let Some(target) = nth(document, &mut at) else {
        return;
    };
    let word = |dice: &mut Dice| dice.choose(WORDS).to_owned();
    match (dice.roll(6), &mut *target) {
        (0, _) => *target = donor.unwrap_or_default(),
        (1, _) => {
            let pool = [
                json!(null),
                json!(true),
                json!(false),
                json!(0),
                json!(1),
                json!(-1),
                json!(0.5),
                json!(4096),
                json!(1e99),
                json!(u64::MAX),
                json!(""),
                json!(" "),
                json!("{}"),
                json!("{\"a\":1}"),
                json!({}),
                json!([]),
                json!([{}]),
                json!("\u{1f980}\u{0}\n\"\\"),
                json!("[DONE]"),
            ];
            *target = pool[dice.roll(pool.len())].clone();
        }
        (2, _) => *target = word(dice).into(),
        (3, _) if dice.roll(4) == 0 => *target = Value::Array(vec![target.take()]),
        (_, Value::Object(map)) => object(map, donor, dice),
        (_, Value::Array(list)) => {
            let at = dice.roll(list.len() + 1);
            match (dice.roll(3), list.get(at).cloned()) {
                (0, _) => list.insert(at, donor.unwrap_or_default()),
                (1, Some(item)) => list.insert(at, item),
                (_, Some(_)) => drop(list.remove(at)),
                (_, None) => list.truncate(at / 2),
            }
        }
        (_, Value::Number(number)) => {
            let change = dice.choose(&[1.0, -1.0, 0.25, 1000.0]);
            *target = json!(number.as_f64().unwrap_or_default() + change);
        }
        (_, Value::String(text)) => match dice.roll(3) {
            0 => text.push_str(&word(dice)),
            1 => *text = text.repeat(2),
            _ => *text = text.chars().take(dice.roll(4)).collect(),
        },
        _ => *target = word(dice).into(),
    }
}

/// Adds, removes or renames a member.
fn object(map: &mut Map<String, Value>, donor: Option<Value>, dice: &mut Dice) {
    let names: Vec<String> = map.keys().cloned().collect();
    let new = dice.choose(WORDS).to_owned();
    let old = names.get(dice.roll(names.len().max(1)));
    match (dice.roll(3), old) {
        (0, Some(old)) => drop(map.remove(old)),
        (1, Some(old)) => {
            let value = map.remove(old).unwrap_or_default();
            map.insert(new, value);
        }
        _ => drop(map.insert(new, donor.unwrap_or_default())),
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(count).sum(),
        Value::Object(map) => map.values().map(count).sum(),
        _ => 0,
    }
}

/// The value with this number, counted from the outside in.
fn nth<'v>(value: &'v mut Value, at: &mut usize) -> Option<&'v mut Value> {
    if *at == 0 {
        return Some(value);
    }
    *at -= 1;
    match value {
        Value::Array(list) => list.iter_mut().find_map(|value| nth(value, at)),
        Value::Object(map) => map.values_mut().find_map(|value| nth(value, at)),
        _ => None,
    }
}
