//! A strict reader of streams that shares nothing with the codec.

use serde_json::Value;

/// The events of a stream: name and data.
pub(super) fn events(stream: &[u8]) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(stream).expect("a stream is text");
    let blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
    blocks
        .map(|block| {
            let mut lines = block.lines();
            let name = lines.next().and_then(|line| line.strip_prefix("event: "));
            let data = lines.next().and_then(|line| line.strip_prefix("data: "));
            assert_eq!(lines.next(), None, "two lines per event: {block}");
            let data = serde_json::from_str(data.expect("a data line")).expect("JSON");
            (name.expect("an event line").to_owned(), data)
        })
        .collect()
}

/// Whether the stream is one that an SDK accepts: complete if it ends well, a prefix if it ends in an error.
pub(super) fn validate(stream: &[u8]) -> Result<(), String> {
    let events = events(stream);
    let mut open: Option<(u64, String)> = None;
    let mut next = 0;
    let (mut started, mut delta, mut stopped, mut failed) = (false, false, false, false);
    let mut input = String::new();
    for (name, data) in &events {
        if data["type"] != name.as_str() {
            return Err(format!("{name} says it is {}", data["type"]));
        }
        if stopped || failed {
            return Err(format!("{name} after the end"));
        }
        if !started && !matches!(name.as_str(), "message_start" | "ping" | "error") {
            return Err(format!("{name} before message_start"));
        }
        match name.as_str() {
            "ping" => {}
            "error" => {
                if !data["error"]["type"].is_string() || !data["error"]["message"].is_string() {
                    return Err("an error without type or message".into());
                }
                failed = true;
            }
            "message_start" => {
                if started {
                    return Err("message_start twice".into());
                }
                started = true;
                let message = &data["message"];
                let well = message["type"] == "message"
                    && message["role"] == "assistant"
                    && message["id"].as_str().is_some_and(|id| !id.is_empty())
                    && message["model"].is_string()
                    && message["content"] == Value::Array(vec![])
                    && message["stop_reason"].is_null()
                    && message["usage"]["input_tokens"].is_u64()
                    && message["usage"]["output_tokens"].is_u64();
                if !well {
                    return Err(format!("a bad message: {message}"));
                }
            }
            "content_block_start" => {
                let index = data["index"].as_u64().ok_or("no index")?;
                if open.is_some() || delta || index != next {
                    return Err(format!("block {index} opened out of order"));
                }
                next += 1;
                let block = &data["content_block"];
                let kind = block["type"].as_str().ok_or("a block without type")?;
                let well = match kind {
                    "text" => block["text"] == "",
                    "thinking" => block["thinking"] == "" && block["signature"] == "",
                    "tool_use" => {
                        block["input"] == serde_json::json!({})
                            && block["id"].as_str().is_some_and(|id| !id.is_empty())
                            && block["name"].as_str().is_some_and(|name| !name.is_empty())
                    }
                    "redacted_thinking" => block["data"].is_string(),
                    _ => true,
                };
                if !well {
                    return Err(format!("a bad block: {block}"));
                }
                input.clear();
                open = Some((index, kind.to_owned()));
            }
            "content_block_delta" => {
                let (index, kind) = open.as_ref().ok_or("a delta without a block")?;
                if data["index"].as_u64() != Some(*index) {
                    return Err("a delta of another block".into());
                }
                let of = data["delta"]["type"].as_str().unwrap_or_default();
                let fits = match of {
                    "text_delta" => kind == "text" && data["delta"]["text"].is_string(),
                    "citations_delta" => kind == "text" && data["delta"]["citation"].is_object(),
                    "thinking_delta" => kind == "thinking" && data["delta"]["thinking"].is_string(),
                    "signature_delta" => {
                        kind == "thinking" && data["delta"]["signature"].is_string()
                    }
                    "input_json_delta" => {
                        input.push_str(data["delta"]["partial_json"].as_str().unwrap_or("!"));
                        kind.ends_with("tool_use")
                    }
                    _ => false,
                };
                if !fits {
                    return Err(format!("{of} in a {kind} block"));
                }
            }
            "content_block_stop" => {
                let (index, kind) = open.take().ok_or("a stop without a block")?;
                if data["index"].as_u64() != Some(index) {
                    return Err("the stop of another block".into());
                }
                if kind == "tool_use"
                    && !input.is_empty()
                    && !serde_json::from_str::<Value>(&input).is_ok_and(|input| input.is_object())
                {
                    return Err(format!("a tool input that is no object: {input}"));
                }
            }
            "message_delta" => {
                if open.is_some() || delta {
                    return Err("message_delta out of order".into());
                }
                delta = true;
                let reasons = [
                    "end_turn",
                    "max_tokens",
                    "stop_sequence",
                    "tool_use",
                    "pause_turn",
                    "refusal",
                    "model_context_window_exceeded",
                ];
                let reason = data["delta"]["stop_reason"].as_str().unwrap_or_default();
                if !reasons.contains(&reason) {
                    return Err(format!("stop reason {reason}"));
                }
                if !data["usage"]["output_tokens"].is_u64() {
                    return Err("message_delta without usage".into());
                }
            }
            "message_stop" => {
                if !delta {
                    return Err("message_stop before message_delta".into());
                }
                stopped = true;
            }
            other => return Err(format!("unknown event {other}")),
        }
    }
    if stopped || failed || events.is_empty() {
        Ok(())
    } else {
        Err("the stream does not end".into())
    }
}
