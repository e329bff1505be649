//! The chains that are measured, which the tests of plugins look at, too.

use serde_json::{Value, json};

use crate::services;

/// The chains, by what they are called: a hook that is added is a line more.
pub(crate) const CHAINS: &[&str] = &[
    "none",
    "no registry",
    "azure_content_safety",
    "azure_content_safety_text_moderation",
    "bedrock_guardrail",
    "cache, hit",
    "cache, miss",
    "cors",
    "data_masking, request",
    "data_masking, answer",
    "external_api",
    "injection_protection",
    "ip_allowlist",
    "keyword_guard",
    "lakera",
    "openai_moderation",
    "pii_guard",
    "presidio",
    "prompt_caching",
    "prompt_moderation",
    "prompt_template",
    "rate_limiter",
    "request_size_limiter",
    "request_validation",
    "transform",
    "ten",
];

/// Those of the chain that is called `ten`, each twice.
const FIVE: [&str; 5] = [
    "ip_allowlist",
    "keyword_guard",
    "rate_limiter",
    "request_size_limiter",
    "request_validation",
];

/// The elements of a chain.
pub(crate) fn chain(name: &str) -> Vec<Value> {
    let twice = || (0..2).flat_map(|id| FIVE.map(|name| element(name, id)));
    match name {
        "none" | "no registry" => Vec::new(),
        "ten" => twice().collect(),
        name => vec![element(name, 0)],
    }
}

fn element(name: &str, id: usize) -> Value {
    let (hook, how) = name.split_once(", ").unwrap_or((name, ""));
    let id = format!("{hook} {id}");
    let mut element = json!({"name": hook, "id": id, "settings": settings(hook)});
    match how {
        "request" => element["stage"] = json!("pre_request"),
        "answer" => element["stage"] = json!("pre_response"),
        _ => {}
    }
    element
}

/// What a hook is set to, so that it has something to do. Guards that ask a service ask about requests.
fn settings(hook: &str) -> Value {
    let rate = json!({"limit": 1_000_000_000, "window": "1h"});
    let schema = json!({"type": "object", "required": ["model", "messages"],
        "properties": {"messages": {"type": "array", "items": {"required": ["role"]}}}});
    match hook {
        "bedrock_guardrail" => {
            json!({"guardrail_id": "id", "guardrail_version": "1", "region": "eu-west-1",
            "latency_mode": {"kind": "serial"}, "hook_point": "input", "fail_open": false,
            "aws_credentials": {"kind": "static", "access_key_id": "id", "secret_access_key": "secret"}})
        }
        "cache" => json!({"streaming": true}),
        "cors" => json!({"allowed_origins": ["https://app.test"], "allowed_methods": ["POST"]}),
        "data_masking" => json!({"apply_all": true}),
        "external_api" => json!({"endpoint": format!("{}/policy", services::AT)}),
        "injection_protection" => json!({"content_to_check": ["all"]}),
        "ip_allowlist" => json!({"cidrs": ["0.0.0.0/0"]}),
        "keyword_guard" => json!({"patterns": patterns()}),
        "pii_guard" => {
            json!({"detectors": [{"type": "email"}, {"type": "bank_card"}, {"type": "us_ssn"},
            {"type": "ip_address"}, {"type": "api_key"}]})
        }
        "presidio" => {
            json!({"analyzer_url": services::AT, "anonymizer_url": services::AT, "hook_point": "input", "fail_open": false})
        }
        "prompt_caching" => json!({}),
        "prompt_moderation" => json!({"keywords": keywords()}),
        "prompt_template" => json!({"system": {"before": "Be kind."}}),
        "rate_limiter" => json!({"limits": {"per_key": rate, "global": rate}}),
        "request_size_limiter" => json!({"max_chars_per_request": 1_000_000}),
        "request_validation" => json!({"schema": schema}),
        "transform" => json!({"request": {"headers": {"set": {"x-tag": "one"}}}}),
        _ => {
            json!({"api_key": "secret", "endpoint": services::AT, "hook_point": "input", "fail_open": false})
        }
    }
}

fn keywords() -> Vec<String> {
    (0..100).map(|number| format!("codename{number}")).collect()
}

/// A hundred words and expressions, most of which begin as ordinary text does.
pub(crate) fn patterns() -> Vec<Value> {
    let first = [
        "project",
        "internal",
        "confidential",
        "operation",
        "the secret",
        "codename",
        "account",
        "patient",
        "merger",
    ];
    let then = [
        "falcon",
        "ledger",
        "only",
        "number",
        "sunrise",
        "draft",
        "record",
        "of record",
        "memo",
        "watch",
    ];
    let literals = first
        .iter()
        .flat_map(|first| then.map(|then| format!("{first} {then}")));
    let literals = literals.map(|value| json!({"kind": "literal", "value": value}));
    let expressions = (0..10).map(|number| {
        json!({"kind": "regex", "value": format!(r"\b(?:ticket|case)-{number}\d{{3,6}}\b")})
    });
    literals.chain(expressions).collect()
}
