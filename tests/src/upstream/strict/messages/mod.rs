//! What Anthropic refuses of a request to `/v1/messages`, and to count its tokens, in its own words.

mod blocks;
mod config;
mod schema;
mod turns;

use http::Method;
use serde_json::{Map, Value, json};

use crate::upstream::{KEY, Reply, Request, message::refusal};

/// What SDKs and the gateway send. What is refused here is what the oldest of them refuses.
const VERSIONS: [&str; 2] = ["2023-06-01", "2026-10-21"];

/// The members that a request may have; Anthropic refuses every other.
const KNOWN: [&str; 16] = [
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
    "cache_control",
];

/// Those of them that counting does not know, because nothing is answered.
const ANSWERED: [&str; 8] = [
    "max_tokens",
    "metadata",
    "service_tier",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
];

/// Those that only some `anthropic-beta` knows.
const BETA: [&str; 3] = ["container", "context_management", "mcp_servers"];

pub(super) fn check(request: &Request) -> Result<(), Reply> {
    let path = request.path.split('?').next().unwrap_or_default();
    let counts = path == "/v1/messages/count_tokens";
    if path != "/v1/messages" && !counts {
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
    let beta = request.header("anthropic-beta").is_some();
    if !body["thread"].is_null() {
        return Err(unthreaded());
    }
    members(&body, beta, counts).map_err(|fault| invalid(&fault))
}

fn members(body: &Value, beta: bool, counts: bool) -> Result<(), String> {
    let members = object(body, "body")?;
    let known = |name: &str| {
        let there = KNOWN.contains(&name) || beta && BETA.contains(&name);
        there && !(counts && ANSWERED.contains(&name))
    };
    if let Some(unknown) = members.keys().find(|name| !known(name)) {
        return Err(extra(unknown));
    }
    if body["model"].as_str().is_none_or(str::is_empty) {
        return Err("model: Field required".to_owned());
    }
    if !counts && body["max_tokens"].as_u64().is_none_or(|count| count == 0) {
        return Err("max_tokens: Field required".to_owned());
    }
    turns::check(body)?;
    config::check(body)
}

fn object<'v>(value: &'v Value, place: &str) -> Result<&'v Map<String, Value>, String> {
    let object = value.as_object();
    object.ok_or_else(|| format!("{place}: Input should be a valid dictionary"))
}

/// The members are among these.
fn only(value: &Value, place: &str, known: &[&str]) -> Result<(), String> {
    let mut names = object(value, place)?.keys();
    match names.find(|name| !known.contains(&name.as_str())) {
        Some(unknown) => Err(extra(&format!("{place}.{unknown}"))),
        None => Ok(()),
    }
}

fn extra(place: &str) -> String {
    format!("{place}: Extra inputs are not permitted")
}

/// What an organisation is told of which nothing is kept.
fn unthreaded() -> Reply {
    let message = "thread: not available with zero data retention";
    let details =
        json!({"error_code": "thread_unsupported_request", "unsupported": ["zero_data_retention"]});
    let error = json!({"type": "invalid_request_error", "message": message, "details": details});
    Reply::json(&json!({"type": "error", "error": error, "request_id": "req_refused"}))
        .status(400)
        .header("request-id", "req_refused")
}

fn invalid(message: &str) -> Reply {
    refusal(400, "invalid_request_error", message)
}
