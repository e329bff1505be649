//! Bringing a document into the form that its schema describes.

use serde_json::{Map, Value};

/// A field that the schema does not know.
pub(super) struct Unknown {
    /// The way to it.
    pub(super) path: String,
    /// Its own name.
    pub(super) name: String,
    /// The fields that are known where it stands.
    pub(super) known: Vec<String>,
}

/// The longest name that is repeated, in characters.
const MAX_NAME: usize = 64;

/// Takes unknown fields and nulls out of a document, and writes whole numbers as integers.
///
/// What may hold any names, such as a map of headers, is left as it is.
pub(super) fn tidy(value: &mut Value, schema: &Value, path: &str, unknown: &mut Vec<Unknown>) {
    match value {
        Value::Object(members) => match &schema["properties"] {
            Value::Object(properties) => {
                prune(members, properties, schema, path, unknown);
                for (name, inner) in members {
                    let schema = properties.get(name).unwrap_or(&Value::Null);
                    tidy(inner, schema, &join(path, name), unknown);
                }
            }
            _ if schema["additionalProperties"].is_object() => {
                for (name, inner) in members {
                    tidy(
                        inner,
                        &schema["additionalProperties"],
                        &join(path, name),
                        unknown,
                    );
                }
            }
            _ => {}
        },
        Value::Array(items) => {
            for item in items {
                tidy(item, &schema["items"], &format!("{path}[]"), unknown);
            }
        }
        Value::Number(number) if schema["type"] == "integer" => {
            let whole = number
                .as_f64()
                .filter(|float| number.is_f64() && float.fract() == 0.0);
            // 2^53: up to here every whole number is exactly the one that was written.
            if let Some(float) = whole.filter(|float| float.abs() <= 9_007_199_254_740_992.0) {
                *value = Value::from(float as i64);
            }
        }
        _ => {}
    }
}

/// Takes nulls and unknown members out.
fn prune(
    members: &mut Map<String, Value>,
    properties: &Map<String, Value>,
    schema: &Value,
    path: &str,
    unknown: &mut Vec<Unknown>,
) {
    let is_closed = schema["additionalProperties"] == false;
    members.retain(|name, value| {
        let is_known = !is_closed || properties.contains_key(name);
        if !is_known {
            unknown.push(Unknown {
                path: join(path, name),
                name: name.clone(),
                known: properties.keys().cloned().collect(),
            });
        }
        is_known && !value.is_null()
    });
}

/// Goes one step further on the way to a field.
pub(super) fn join(path: &str, name: &str) -> String {
    let name: String = name.chars().take(MAX_NAME).collect();
    match path {
        "" => name,
        _ => format!("{path}.{name}"),
    }
}
