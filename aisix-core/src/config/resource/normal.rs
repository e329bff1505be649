//! Documents that mean the same in one form.

use serde_json::{Map, Value};

use super::{Kind, model::of_today, schema::json_schema};

/// Takes out of a document what means no more than its absence: nulls, defaults, and mappings and lists
/// that are empty. A field that has two spellings gets the usual one, and whole numbers are integers.
///
/// Two documents of one kind that come to the same here mean the same.
pub fn normalize(kind: Kind, document: &mut Value) {
    let schema = json_schema(kind);
    if let (Kind::ProviderKey, Value::Object(members)) = (kind, &mut *document)
        && !members.contains_key("api_key")
        && let Some(secret) = members.shift_remove("secret")
    {
        members.insert("api_key".to_owned(), secret);
    }
    super::tidy::tidy(document, schema, "", &mut Vec::new());
    reduce(document, schema);
    if kind == Kind::Model {
        of_model(document);
    }
    if kind == Kind::Upstream && document["algorithm"] == "least-connections" {
        document["algorithm"] = "least-conn".into();
    }
}

/// What only models can say in two ways.
fn of_model(document: &mut Value) {
    if let Some(strategy) = document.pointer_mut("/routing/strategy")
        && let Some(today) = strategy.as_str().and_then(of_today)
    {
        *strategy = today.into();
    }
    for (block, name) in [
        ("", "stream_timeout"),
        ("/ensemble", "timeout_ms"),
        ("/semantic", "embedding_timeout_ms"),
    ] {
        if let Some(Value::Object(members)) = document.pointer_mut(block)
            && members.get(name).is_some_and(|it| *it == 0)
        {
            members.shift_remove(name);
        }
    }
}

/// Takes out optional members that say nothing.
fn reduce(value: &mut Value, schema: &Value) {
    if let Value::Array(items) = value {
        for item in items {
            reduce(item, &schema["items"]);
        }
        return;
    }
    let (Value::Object(members), Value::Object(properties)) = (value, &schema["properties"]) else {
        return;
    };
    let required = schema["required"].as_array();
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|it| it == name));
    members.retain(|name, value| {
        let schema = properties.get(name).unwrap_or(&Value::Null);
        reduce(value, schema);
        is_required(name) || !says_nothing(value, schema)
    });
}

fn says_nothing(value: &Value, schema: &Value) -> bool {
    match schema.get("default") {
        Some(default) if !default.is_null() && !default.as_object().is_some_and(Map::is_empty) => {
            value == default
        }
        _ => match value {
            Value::Object(members) => {
                members.is_empty() && schema["x-means-something-when-empty"] != true
            }
            Value::Array(items) => items.is_empty(),
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn normal(kind: Kind, mut document: Value) -> Value {
        normalize(kind, &mut document);
        document
    }

    #[test]
    fn what_says_nothing_is_taken_out() {
        let full = json!({
            "display_name": "p", "secret": "s", "provider": "", "adapter": null,
            "strip_headers": ["authorization", "cookie", "set-cookie", "x-api-key"],
            "request": {"param_renames": {}, "param_constraints": {"temperature_min": null},
                "default_headers": {}, "default_body_fields": {}, "forward_client_headers": []},
            "response": {"stream_done_marker": "optional", "content_list_to_string": false},
            "tls": {"verify": true}, "telemetry_tags": {"featured": false},
        });
        let plain = json!({"display_name": "p", "api_key": "s"});
        assert_eq!(normal(Kind::ProviderKey, full), plain);
        let full = json!({
            "display_name": "m", "provider": "openai", "model_name": "m", "provider_key_id": "k",
            "timeout": 5.0, "stream_timeout": 0, "rate_limit": {}, "allowed_cidrs": [],
            "embedding": {"dimensions": 3, "normalize": true},
        });
        let plain = json!({
            "display_name": "m", "provider": "openai", "model_name": "m", "provider_key_id": "k",
            "timeout": 5, "embedding": {"dimensions": 3},
        });
        assert_eq!(normal(Kind::Model, full), plain);
        let full = json!({"key_hash": "h", "allowed_models": [], "disabled": false, "rate_limit": {"rpm": null}});
        let plain = json!({"key_hash": "h", "allowed_models": []});
        assert_eq!(normal(Kind::ApiKey, full), plain);
    }

    #[test]
    fn what_says_something_stays() {
        for (kind, document) in [
            (
                Kind::ProviderKey,
                json!({"display_name": "p", "api_key": "s", "strip_headers": [],
                    "response": {"content_list_to_string": true}, "tls": {"verify": false},
                    "request": {"default_body_fields": {"user": null, "tags": {}}}}),
            ),
            (
                Kind::Model,
                json!({"display_name": "m", "provider": "o", "provider_key_id": "k", "timeout": 0,
                    "stream_timeout": 1, "rate_limit": {"rpm": 0}, "embedding": {"dimensions": 3, "normalize": false}}),
            ),
            (
                Kind::ApiKey,
                json!({"key_hash": "h", "allowed_models": ["*"], "disabled": true}),
            ),
        ] {
            assert_eq!(normal(kind, document.clone()), document);
        }
    }
}
