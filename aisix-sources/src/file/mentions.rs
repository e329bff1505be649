//! The keys and models that rate limit policies are about: by name in a file, by id in a store.
//!
//! Nothing demands that they exist. What is no name of anything stays as it is: it is taken for an id.

use aisix_core::config::Kind;
use serde_json::{Map, Value};

/// Calls `see` with everything in a policy that is the id, or the name, of a key or a model.
pub(super) fn of_policy(members: &mut Map<String, Value>, mut see: impl FnMut(Kind, &mut String)) {
    let scope = members.get("scope").and_then(Value::as_str).and_then(kind);
    if let (Some(kind), Some(Value::String(text))) = (scope, members.get_mut("scope_ref")) {
        see(kind, text);
    }
    if let Some(conditions) = members.get_mut("conditions") {
        of_conditions(conditions, &mut see);
    }
}

fn of_conditions(list: &mut Value, see: &mut impl FnMut(Kind, &mut String)) {
    for condition in list.as_array_mut().into_iter().flatten() {
        let dimension = condition.get("dimension").and_then(Value::as_str);
        if let Some(kind) = dimension.and_then(kind) {
            match condition.get_mut("value") {
                Some(Value::String(text)) => see(kind, text),
                Some(Value::Array(texts)) => {
                    for text in texts {
                        if let Value::String(text) = text {
                            see(kind, text);
                        }
                    }
                }
                _ => {}
            }
        }
        if let Some(children) = condition.get_mut("children") {
            of_conditions(children, see);
        }
    }
}

/// What the ids in a scope or dimension are ids of.
fn kind(word: &str) -> Option<Kind> {
    match word {
        "api_key" => Some(Kind::ApiKey),
        "model" => Some(Kind::Model),
        _ => None,
    }
}
