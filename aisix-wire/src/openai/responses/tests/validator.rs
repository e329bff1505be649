//! A strict reader of streams, which does what the accumulators of the official SDKs do and shares nothing with
//! the codec.

use serde_json::{Value, json};

/// How a valid stream ended.
#[derive(Debug, PartialEq)]
pub(super) enum End {
    /// With the whole response.
    Response(Value),
    /// With an error of this message.
    Error(String),
}

/// The members that a response must have.
const REQUIRED: &[&str] = &[
    "id",
    "object",
    "created_at",
    "status",
    "error",
    "incomplete_details",
    "instructions",
    "model",
    "tools",
    "output",
    "parallel_tool_calls",
    "metadata",
    "tool_choice",
    "temperature",
    "top_p",
    "usage",
    "text",
    "reasoning",
    "truncation",
];

/// The events of a stream.
pub(super) fn events(stream: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stream).expect("a stream is text");
    let blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
    blocks
        .map(|block| {
            let mut lines = block.lines();
            let name = lines.next().and_then(|line| line.strip_prefix("event: "));
            let data = lines.next().and_then(|line| line.strip_prefix("data: "));
            assert_eq!(lines.next(), None, "two lines per event: {block}");
            let data: Value = serde_json::from_str(data.expect("a data line")).expect("JSON");
            assert_eq!(data["type"].as_str(), name);
            data
        })
        .collect()
}

/// Checks a response.
pub(super) fn response(response: &Value) -> Result<(), String> {
    let object = response.as_object().ok_or("a response is an object")?;
    if let Some(name) = REQUIRED.iter().find(|name| !object.contains_key(**name)) {
        return Err(format!("{name} is missing"));
    }
    let well = response["object"] == "response"
        && response["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("resp_"))
        && response["created_at"].is_u64()
        && response["model"].is_string()
        && response["tools"].is_array()
        && response["metadata"].is_object()
        && response["parallel_tool_calls"].is_boolean()
        && (response["status"] == "incomplete") == response["incomplete_details"].is_object()
        && (response["status"] == "failed") == response["error"].is_object();
    if !well {
        return Err(format!("a bad response: {response}"));
    }
    let mut ids = std::collections::HashSet::new();
    for item in response["output"].as_array().ok_or("no output")? {
        let id = match item["type"].as_str() {
            Some("function_call") => item["call_id"].as_str(),
            _ => item["id"].as_str(),
        };
        let id = id.filter(|id| !id.is_empty()).ok_or("an item without id")?;
        if !ids.insert(id.to_owned()) {
            return Err(format!("two items {id}"));
        }
    }
    Ok(())
}

/// Checks a whole stream.
pub(super) fn validate(stream: &[u8]) -> Result<End, String> {
    let events = events(stream);
    let mut output: Vec<Value> = Vec::new();
    let mut done: Vec<Value> = Vec::new();
    let mut part_open = false;
    let mut end = None;
    let mut id = Value::Null;
    for (number, event) in events.iter().enumerate() {
        let name = event["type"].as_str().unwrap_or_default();
        if event["sequence_number"].as_u64() != Some(number as u64) {
            return Err(format!(
                "{name} has the number {}",
                event["sequence_number"]
            ));
        }
        if let Some(response) = event.get("response") {
            self::response(response)?;
            if number > 0 && response["id"] != id {
                return Err("another response".into());
            }
            id = response["id"].clone();
        }
        match (&end, name) {
            (None, _) => {}
            (Some(End::Error(_)), "response.failed") => continue,
            _ => return Err(format!("{name} after the end")),
        }
        match name {
            "error" => {
                let message = event["error"]["message"].as_str().ok_or("no error")?;
                if event["message"] != message {
                    return Err("two messages".into());
                }
                end = Some(End::Error(message.to_owned()));
                continue;
            }
            "response.created" if number == 0 => continue,
            "response.in_progress" if number == 1 => continue,
            _ if number < 2 => return Err(format!("{name} comes first")),
            "response.completed" | "response.incomplete" => {
                let response = event["response"].clone();
                if done.len() != output.len() || response["output"] != json!(done) {
                    return Err("the output is not what was done".into());
                }
                if name.strip_prefix("response.") != response["status"].as_str() {
                    return Err(format!("{name} is {}", response["status"]));
                }
                end = Some(End::Response(response));
                continue;
            }
            _ => {}
        }
        let index = event["output_index"].as_u64().ok_or("no output_index")? as usize;
        if name == "response.output_item.added" {
            if index != output.len() || done.len() != output.len() {
                return Err(format!("item {index} is added out of order"));
            }
            if event["item"]["status"] != "in_progress" {
                return Err("an item that begins is in progress".into());
            }
            output.push(event["item"].clone());
            part_open = false;
            continue;
        }
        if index != done.len() || index + 1 != output.len() {
            return Err(format!("{name} of item {index}, which is not open"));
        }
        let item = output.last_mut().ok_or("no item")?;
        if name == "response.output_item.done" {
            let mut whole = event["item"].clone();
            if part_open {
                return Err("an item is done before its part".into());
            }
            done.push(whole.clone());
            // What only the end tells.
            whole["status"] = json!("in_progress");
            for late in ["encrypted_content", "result"] {
                if item.get(late).is_some() {
                    whole[late] = item[late].clone();
                }
            }
            // How likely tokens were comes with deltas.
            if whole != *item {
                return Err(format!("{item} is done as {whole}"));
            }
            continue;
        }
        if event["item_id"] != item["id"] {
            return Err(format!("{name} of another item"));
        }
        let delta = event["delta"].as_str().unwrap_or_default();
        let (list, at) = match event.get("summary_index") {
            Some(at) => ("summary", at.as_u64()),
            None => ("content", event["content_index"].as_u64()),
        };
        let at = at.unwrap_or_default() as usize;
        match name {
            "response.function_call_arguments.delta" => append(item, "arguments", delta)?,
            "response.function_call_arguments.done" => {
                same(&item["arguments"], &event["arguments"])?;
                same(&item["name"], &event["name"])?;
            }
            "response.content_part.added" | "response.reasoning_summary_part.added" => {
                let parts = item[list].as_array_mut().ok_or("no parts")?;
                if part_open || at != parts.len() {
                    return Err(format!("part {at} is added out of order"));
                }
                parts.push(event["part"].clone());
                part_open = true;
            }
            _ => {
                let part = item[list]
                    .get_mut(at)
                    .ok_or(format!("{name}: no part {at}"))?;
                let (kind, member) = match name {
                    n if n.starts_with("response.output_text.") => ("output_text", "text"),
                    n if n.starts_with("response.refusal.") => ("refusal", "refusal"),
                    n if n.starts_with("response.reasoning_summary_text.") => {
                        ("summary_text", "text")
                    }
                    "response.content_part.done" | "response.reasoning_summary_part.done" => {
                        same(part, &event["part"])?;
                        part_open = false;
                        continue;
                    }
                    _ => return Err(format!("unknown event {name}")),
                };
                if part["type"] != kind || !part_open {
                    return Err(format!("{name} in {part}"));
                }
                if name.ends_with(".done") {
                    same(&part[member], &event[member])?;
                    continue;
                }
                append(part, member, delta)?;
                if kind == "output_text" {
                    let more = event["logprobs"].as_array().ok_or("no logprobs")?.clone();
                    let all = part["logprobs"].as_array_mut().ok_or("no logprobs")?;
                    all.extend(more);
                }
            }
        }
    }
    end.ok_or_else(|| "the stream does not end".into())
}

fn append(holder: &mut Value, member: &str, delta: &str) -> Result<(), String> {
    let Some(Value::String(text)) = holder.get_mut(member) else {
        return Err(format!("no {member} in {holder}"));
    };
    text.push_str(delta);
    Ok(())
}

fn same(ours: &Value, theirs: &Value) -> Result<(), String> {
    match ours == theirs {
        true => Ok(()),
        false => Err(format!("{ours} is done as {theirs}")),
    }
}
