//! Gemini's older form of schemas, a subset of OpenAPI's.

use serde_json::{Map, Value, json};

/// Turns a `responseSchema` or `parameters` into JSON Schema.
///
/// Types become lower case, `nullable` a type, counts written as strings become numbers, and `example`
/// becomes `examples`. The rest stays. Nesting is bounded by whoever parsed the value.
pub fn from_openapi(schema: Value) -> Value {
    let Value::Object(schema) = schema else {
        return schema;
    };
    let mut out = Map::new();
    let mut nullable = false;
    for (name, value) in schema {
        let value = match (name.as_str(), value) {
            ("nullable", Value::Bool(value)) => {
                nullable = value;
                continue;
            }
            ("type", Value::String(kind)) => kind.to_ascii_lowercase().into(),
            ("items" | "additionalProperties", value) => from_openapi(value),
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(list)) => {
                list.into_iter().map(from_openapi).collect()
            }
            ("properties" | "defs" | "$defs", Value::Object(map)) => map
                .into_iter()
                .map(|(name, schema)| (name, from_openapi(schema)))
                .collect(),
            ("example", value) => {
                out.insert("examples".to_owned(), json!([value]));
                continue;
            }
            (
                "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties"
                | "maxProperties",
                Value::String(count),
            ) => match count.parse::<u64>() {
                Ok(count) => count.into(),
                Err(_) => continue,
            },
            (_, value) => value,
        };
        out.insert(name, value);
    }
    if nullable {
        if let Some(kind) = out.get_mut("type") {
            *kind = json!([kind, "null"]);
        } else if let Some(Value::Array(list)) = out.get_mut("anyOf") {
            list.push(json!({"type": "null"}));
        }
        if let Some(Value::Array(values)) = out.get_mut("enum") {
            values.push(Value::Null);
        }
    }
    Value::Object(out)
}
