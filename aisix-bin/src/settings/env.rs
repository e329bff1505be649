//! `AISIX_A__B` variables, which override the key `a.b` of the file.

use serde_json::{Map, Value};

use super::block::{Notes, no_effect};

const PREFIX: &str = "AISIX_";

/// Variables that others read, in the same namespace.
const NOT_SETTINGS: [&str; 4] = [
    "AISIX_CONFIG",
    "AISIX_CONFIG_PATH",
    "AISIX_KEY",
    "AISIX_ADMIN_KEY",
];

/// Keys whose variables hold lists with commas between the elements.
const COMMA_LISTS: [&str; 12] = [
    "etcd.endpoints",
    "admin.admin_keys",
    "proxy.real_ip.trusted_proxies",
    "proxy.request_id.accept_headers",
    "observability.metrics.buckets.request_e2e_latency",
    "observability.metrics.buckets.request_ttft",
    "observability.metrics.buckets.guardrail_latency",
    "observability.metrics.buckets.a2a_ttfb",
    "cache.redis.nodes",
    "cache.redis.sentinels",
    "ratelimit.redis.nodes",
    "ratelimit.redis.sentinels",
];

/// Keys whose variables hold JSON.
const JSON_LISTS: [&str; 2] = [
    "proxy.url_rewrites",
    "observability.metrics.client_type_rules",
];

/// Puts the variables into the settings, over what the file says.
pub(super) fn merge(
    settings: &mut Map<String, Value>,
    variables: impl Iterator<Item = (String, String)>,
    notes: &mut Notes,
) {
    let mut ours: Vec<_> = variables
        .filter(|(name, _)| name.starts_with(PREFIX) && !NOT_SETTINGS.contains(&name.as_str()))
        .collect();
    // So that the outcome does not depend on the order of the environment.
    ours.sort();
    for (variable, text) in ours {
        let key = variable[PREFIX.len()..].to_ascii_lowercase();
        let path: Vec<&str> = key.split("__").collect();
        let dotted = path.join(".");
        if path.iter().any(|name| name.is_empty()) {
            notes.warn(no_effect(&variable));
            continue;
        }
        let value = match parse(&dotted, text) {
            Ok(value) => value,
            Err(message) => {
                notes.variables.insert(dotted.clone(), variable);
                notes.error(&dotted, message);
                continue;
            }
        };
        if put(settings, &path, value) {
            notes.variables.insert(dotted, variable);
        } else {
            notes.warn(no_effect(&variable));
        }
    }
}

/// Text stays text: the reader of a key knows its type.
fn parse(key: &str, text: String) -> Result<Value, String> {
    if COMMA_LISTS.contains(&key) {
        let items = text.split(',').map(str::trim);
        return Ok(items.filter(|item| !item.is_empty()).collect());
    }
    if JSON_LISTS.contains(&key) {
        return serde_json::from_str(&text).map_err(|_| "must be a JSON array".to_owned());
    }
    Ok(Value::String(text))
}

/// Sets a value at a path, unless a mapping would give way to it, or it would lie inside a scalar.
fn put(members: &mut Map<String, Value>, path: &[&str], value: Value) -> bool {
    let [name, rest @ ..] = path else {
        return false;
    };
    let member = members.entry(*name).or_insert(Value::Null);
    match (rest, member) {
        ([], Value::Object(_)) => false,
        ([], member) => {
            *member = value;
            true
        }
        (rest, Value::Object(inner)) => put(inner, rest, value),
        (rest, member @ Value::Null) => {
            let mut inner = Map::new();
            let is_set = put(&mut inner, rest, value);
            *member = Value::Object(inner);
            is_set
        }
        _ => false,
    }
}
