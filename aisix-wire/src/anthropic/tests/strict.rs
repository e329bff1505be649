//! A strict upstream's view of a request, which shares nothing with the codec.

use std::collections::HashSet;

use serde_json::Value;

/// Whether a real provider would accept the conversation.
pub(crate) fn validate(body: &Value) -> Result<(), String> {
    let messages = body["messages"].as_array().ok_or("no messages")?;
    let fit = |name: &str, max| {
        (1..=max).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    if !body["max_tokens"].is_u64() || !body["model"].is_string() {
        return Err("model or max_tokens".into());
    }
    if !body["temperature"].is_null() && !body["top_p"].is_null() {
        return Err("temperature and top_p".into());
    }
    for tool in body["tools"].as_array().into_iter().flatten() {
        let name = tool["name"].as_str().unwrap_or_default();
        if tool["type"].is_null() && (!fit(name, 128) || tool["input_schema"]["type"] != "object") {
            return Err(format!("tool {tool}"));
        }
    }
    if body["tools"].is_null() && !body["tool_choice"].is_null() {
        return Err("tool_choice without tools".into());
    }
    let mut open: Vec<String> = Vec::new();
    let mut used = HashSet::new();
    let mut role = "assistant";
    for message in messages {
        let this = message["role"].as_str().unwrap_or_default();
        if this == role || !matches!(this, "user" | "assistant") {
            return Err(format!("role {this} after {role}"));
        }
        role = this;
        let mut others = false;
        let blocks = match &message["content"] {
            Value::String(text) if !text.trim().is_empty() => Vec::new(),
            Value::Array(blocks) if !blocks.is_empty() => blocks.clone(),
            other => return Err(format!("content {other}")),
        };
        let mut calls = Vec::new();
        for block in &blocks {
            match block["type"].as_str().unwrap_or_default() {
                "tool_result" => {
                    let id = block["tool_use_id"].as_str().unwrap_or_default();
                    let at = open.iter().position(|open| open == id);
                    let at = at.ok_or_else(|| format!("result {id} without call"))?;
                    open.remove(at);
                    if others || role != "user" {
                        return Err("a result after other blocks".into());
                    }
                    continue;
                }
                "text"
                    if block["text"]
                        .as_str()
                        .is_none_or(|text| text.trim().is_empty()) =>
                {
                    return Err("a blank text".into());
                }
                "tool_use" => {
                    let id = block["id"].as_str().unwrap_or_default().to_owned();
                    let name = block["name"].as_str().unwrap_or_default();
                    if !fit(&id, 512) || !fit(name, 128) || !block["input"].is_object() {
                        return Err(format!("call {block}"));
                    }
                    if !used.insert(id.clone()) || role != "assistant" {
                        return Err(format!("call {id} again"));
                    }
                    calls.push(id);
                }
                "thinking" if block["signature"].as_str().is_none_or(str::is_empty) => {
                    return Err("unsigned thinking".into());
                }
                "image" | "document" if role != "user" => return Err("an image of a model".into()),
                "" => return Err("a block without type".into()),
                _ => {}
            }
            others = true;
        }
        if !open.is_empty() {
            return Err(format!("calls without results: {open:?}"));
        }
        open = calls;
    }
    match (open.is_empty(), messages.is_empty()) {
        (true, false) => Ok(()),
        _ => Err("an open end".into()),
    }
}
