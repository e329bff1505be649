//! What Anthropic refuses of a request to `/v1/messages`, in its own words.

use http::Method;
use serde_json::Value;

use crate::upstream::{KEY, Reply, Request, message::refusal};

/// What SDKs and the gateway send. What is refused here is what the oldest of them refuses.
const VERSIONS: [&str; 2] = ["2023-06-01", "2026-10-21"];

/// The members that a request may have; Anthropic refuses every other.
const KNOWN: [&str; 15] = [
    "model",
    "messages",
    "max_tokens",
    "system",
    "metadata",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
    "tools",
    "tool_choice",
    "thinking",
    "service_tier",
    "output_config",
];

pub(super) fn check(request: &Request) -> Result<(), Reply> {
    if request.path.split('?').next() != Some("/v1/messages") {
        return Err(refusal(404, "not_found_error", "Not found"));
    }
    if request.method != Method::POST {
        return Err(refusal(405, "invalid_request_error", "Method Not Allowed"));
    }
    let bearer = format!("Bearer {KEY}");
    let sent = |name| request.headers.get_all(name).iter().collect::<Vec<_>>();
    match (
        sent("x-api-key").as_slice(),
        sent("authorization").as_slice(),
    ) {
        ([key], []) if *key == KEY => {}
        ([], [token]) if *token == bearer.as_str() => {}
        _ => return Err(refusal(401, "authentication_error", "invalid x-api-key")),
    }
    if !request
        .header("anthropic-version")
        .is_some_and(|version| VERSIONS.contains(&version))
    {
        return Err(invalid("anthropic-version: header is required"));
    }
    if request.header("content-type") != Some("application/json") {
        return Err(invalid("content-type: must be application/json"));
    }
    let body: Value = serde_json::from_slice(&request.body)
        .map_err(|_| invalid("The request body is not valid JSON"))?;
    members(&body).map_err(|fault| invalid(&fault))
}

fn members(body: &Value) -> Result<(), String> {
    let members = body.as_object().ok_or("the body is not an object")?;
    if let Some(unknown) = members.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(format!("{unknown}: Extra inputs are not permitted"));
    }
    if !body["model"].is_string() {
        return Err("model: Field required".to_owned());
    }
    if body["max_tokens"].as_u64().is_none_or(|count| count == 0) {
        return Err("max_tokens: Field required".to_owned());
    }
    let messages = body["messages"]
        .as_array()
        .ok_or("messages: Field required")?;
    if messages.is_empty() {
        return Err("messages: at least one message is required".to_owned());
    }
    let mut calls: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if message["role"] != "user" && message["role"] != "assistant" {
            return Err(format!("messages.{index}.role: unknown role"));
        }
        let blocks = match &message["content"] {
            Value::String(_) => &[][..],
            Value::Array(blocks) => blocks,
            _ => return Err(format!("messages.{index}.content: Field required")),
        };
        let ids = |kind: &'static str, id: &'static str| {
            let of_kind = blocks.iter().filter(move |block| block["type"] == kind);
            of_kind.filter_map(move |block| block[id].as_str())
        };
        if !calls.iter().copied().eq(ids("tool_result", "tool_use_id")) {
            return Err(format!(
                "messages.{index}: tool_use ids without tool_result"
            ));
        }
        calls = ids("tool_use", "id").collect();
    }
    Ok(())
}

fn invalid(message: &str) -> Reply {
    refusal(400, "invalid_request_error", message)
}
