//! The schemas of answers: JSON schemas without what cannot be turned into a grammar.

use serde_json::Value;

use super::object;

/// Keywords that are refused wherever they stand.
const UNSUPPORTED: [&str; 21] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "contains",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
    "dependentSchemas",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "unevaluatedProperties",
];

pub(super) fn check(schema: &Value, place: &str) -> Result<(), String> {
    let members = object(schema, place)?;
    let kind = match &schema["type"] {
        Value::Array(kinds) if kinds.iter().any(|kind| kind == "object") => "object",
        kind => kind.as_str().unwrap_or_default(),
    };
    if let Some(name) = UNSUPPORTED.iter().find(|name| members.contains_key(**name)) {
        return Err(format!(
            "{place}: For '{kind}' type, property '{name}' is not supported"
        ));
    }
    if schema["minItems"].as_u64().is_some_and(|least| least > 1) {
        return Err(format!(
            "{place}: For 'array' type, 'minItems' values other than 0 or 1 are not supported"
        ));
    }
    if kind == "object" && schema["additionalProperties"] != false {
        return Err(format!(
            "{place}: For 'object' type, 'additionalProperties' must be explicitly set to false"
        ));
    }
    if schema["$ref"]
        .as_str()
        .is_some_and(|to| !to.starts_with("#/"))
    {
        return Err(format!("{place}: External $ref is not supported"));
    }
    let values = schema["enum"].as_array().into_iter().flatten();
    if values
        .clone()
        .any(|value| value.is_object() || value.is_array())
    {
        return Err(format!("{place}.enum: complex types are not supported"));
    }
    for name in ["properties", "$defs", "definitions"] {
        for (inner, schema) in schema[name].as_object().into_iter().flatten() {
            check(schema, &format!("{place}.{name}.{inner}"))?;
        }
    }
    for name in ["anyOf", "allOf"] {
        for (index, schema) in schema[name].as_array().into_iter().flatten().enumerate() {
            check(schema, &format!("{place}.{name}.{index}"))?;
        }
    }
    match schema["items"].is_object() {
        true => check(&schema["items"], &format!("{place}.items")),
        false => Ok(()),
    }
}
