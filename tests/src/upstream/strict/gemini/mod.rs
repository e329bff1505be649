//! What Gemini refuses of a request to its own API, in its own words.

mod config;
mod contents;
mod fields;
mod proto;

use http::Method;
use serde_json::Value;

use crate::upstream::{KEY, Reply, Request, candidate::refusal};

/// Why a request is refused.
#[derive(Debug)]
pub(super) struct Fault {
    status: u16,
    word: &'static str,
    message: String,
}

// === impl Fault ===

impl Fault {
    fn new(status: u16, word: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            status,
            word,
            message,
        }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }
}

pub(super) fn check(request: &Request) -> Result<(), Reply> {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let versions = ["/v1beta/models/", "/v1/models/"];
    let named = versions
        .iter()
        .find_map(|version| path.strip_prefix(version));
    let Some((model, method)) = named.and_then(|named| named.split_once(':')) else {
        return Err(told(Fault::new(404, "NOT_FOUND", "Not Found")));
    };
    if request.method != Method::POST {
        return Err(told(Fault::new(404, "NOT_FOUND", "Not Found")));
    }
    credential(request)?;
    let body: Value = serde_json::from_slice(&request.body).map_err(|_| {
        told(Fault::invalid(
            "Invalid JSON payload received. Parsing terminated.",
        ))
    })?;
    let checked = match method {
        "generateContent" if query.is_empty() => generate(&body, model),
        "streamGenerateContent" if query.is_empty() || query == "alt=sse" => generate(&body, model),
        "batchEmbedContents" if query.is_empty() => embed(&body, model),
        _ => Err(Fault::new(
            404,
            "NOT_FOUND",
            format!("unknown method or query: {method}?{query}"),
        )),
    };
    checked.map_err(|fault| {
        let reply = told(fault);
        // The stream that is no event stream is an array, and so is its error.
        match method == "streamGenerateContent" && query.is_empty() {
            true => reply.in_array(),
            false => reply,
        }
    })
}

fn credential(request: &Request) -> Result<(), Reply> {
    let keys: Vec<_> = request.headers.get_all("x-goog-api-key").iter().collect();
    if request.headers.contains_key("authorization") {
        return Err(told(Fault::new(
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token.",
        )));
    }
    match keys.as_slice() {
        [key] if *key == KEY => Ok(()),
        [] => Err(told(Fault::new(
            403,
            "PERMISSION_DENIED",
            "Method doesn't allow unregistered callers (callers without established identity).",
        ))),
        _ => Err(refusal(
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
            &[
                serde_json::json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID", "domain": "googleapis.com"}),
            ],
        )),
    }
}

fn generate(body: &Value, model: &str) -> Result<(), Fault> {
    let body = fields::GENERATE.read(body, "")?;
    if body
        .get("model")
        .is_some_and(|named| *named != format!("models/{model}"))
    {
        return Err(Fault::invalid(
            "The model of the body is not that of the path.",
        ));
    }
    contents::check(&body, config::is_third(model))?;
    config::check(&body, model)
}

fn embed(body: &Value, model: &str) -> Result<(), Fault> {
    let body = fields::EMBED.read(body, "")?;
    let requests = body["requests"].as_array().filter(|list| !list.is_empty());
    let requests = requests.ok_or_else(|| {
        Fault::invalid("* BatchEmbedContentsRequest.requests: at least one request is required.\n")
    })?;
    for (index, request) in requests.iter().enumerate() {
        let place = format!("BatchEmbedContentsRequest.requests[{index}]");
        if request["model"] != format!("models/{model}") {
            return Err(Fault::invalid(format!(
                "* {place}.model: must match the model of the batch.\n"
            )));
        }
        let parts = request["content"]["parts"].as_array();
        let texts = parts.filter(|parts| parts.iter().any(|part| part["text"].is_string()));
        if texts.is_none() {
            return Err(Fault::invalid(format!(
                "* {place}.content: content is required.\n"
            )));
        }
    }
    Ok(())
}

fn told(fault: Fault) -> Reply {
    refusal(fault.status, fault.word, &fault.message, &[])
}
