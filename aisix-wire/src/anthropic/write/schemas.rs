//! JSON schemas that an answer or the input of a strict tool is held to.
//!
//! The dialect refuses keywords that it cannot hold a model to; which, is what Anthropic's page “Structured
//! outputs” says under “JSON Schema limitations” (November 2026). Objects must be closed.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The formats of strings that a model can be held to.
const FORMATS: &[&str] = &[
    "date-time",
    "time",
    "date",
    "duration",
    "email",
    "hostname",
    "uri",
    "ipv4",
    "ipv6",
    "uuid",
];

/// A schema that is accepted, and what it lost on the way.
pub(super) struct Fitted<'a> {
    /// The schema: the caller's text if nothing had to change.
    pub(super) text: Cow<'a, str>,
    /// Keywords that only narrow single values.
    pub(super) weakened: BTreeSet<String>,
    /// Keywords that decide what shape a value has.
    pub(super) broken: BTreeSet<String>,
}

/// Closes objects, and leaves out what the dialect refuses.
pub(super) fn fit(text: &str) -> Fitted<'_> {
    let mut fitted = Fitted {
        text: Cow::Borrowed(text),
        weakened: BTreeSet::new(),
        broken: BTreeSet::new(),
    };
    let Ok(schema) = serde_json::from_str::<Value>(text) else {
        return fitted;
    };
    let closed = fitted.schema(&schema);
    if closed != schema {
        fitted.text = Cow::Owned(closed.to_string());
    }
    fitted
}

// === impl Fitted ===

impl Fitted<'_> {
    fn schema(&mut self, schema: &Value) -> Value {
        let Value::Object(map) = schema else {
            return schema.clone();
        };
        let mut out = Map::new();
        for (name, value) in map {
            if let Some((name, value)) = self.keyword(name, value) {
                out.insert(name.to_owned(), value);
            }
        }
        if map.contains_key("properties") || map.get("type").is_some_and(|kind| kind == "object") {
            out.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
        Value::Object(out)
    }

    /// What becomes of a keyword, if anything.
    fn keyword<'n>(&mut self, name: &'n str, value: &Value) -> Option<(&'n str, Value)> {
        let value = match (name, value) {
            ("$schema" | "$id" | "id" | "$comment" | "examples" | "deprecated", _)
            | ("readOnly" | "writeOnly" | "additionalProperties", Value::Bool(_)) => return None,
            ("type" | "const" | "title" | "description" | "default" | "required" | "$ref", _) => {
                value.clone()
            }
            ("enum", Value::Array(values)) if !values.iter().any(is_complex) => value.clone(),
            ("format", Value::String(format)) if FORMATS.contains(&format.as_str()) => {
                value.clone()
            }
            ("pattern", Value::String(pattern)) if is_simple(pattern) => value.clone(),
            ("minItems", Value::Number(least)) if least.as_u64().is_some_and(|n| n <= 1) => {
                value.clone()
            }
            ("properties" | "$defs" | "definitions", Value::Object(schemas)) => schemas
                .iter()
                .map(|(name, schema)| (name.clone(), self.schema(schema)))
                .collect(),
            ("items", Value::Object(_)) => self.schema(value),
            ("anyOf" | "allOf", Value::Array(schemas)) => {
                schemas.iter().map(|schema| self.schema(schema)).collect()
            }
            // One of them is any of them where they do not overlap, and the model can be held to no more.
            ("oneOf", Value::Array(schemas)) => {
                let schemas = schemas.iter().map(|schema| self.schema(schema)).collect();
                return Some(("anyOf", schemas));
            }
            (
                "enum"
                | "properties"
                | "items"
                | "anyOf"
                | "allOf"
                | "oneOf"
                | "not"
                | "if"
                | "then"
                | "else"
                | "prefixItems"
                | "contains"
                | "additionalProperties"
                | "patternProperties"
                | "dependentSchemas",
                _,
            ) => {
                note(&mut self.broken, name);
                return None;
            }
            _ => {
                note(&mut self.weakened, name);
                return None;
            }
        };
        Some((name, value))
    }
}

/// How many lost keywords are named, and with how many characters.
const NAMED: (usize, usize) = (32, 64);

fn note(list: &mut BTreeSet<String>, keyword: &str) {
    if list.len() < NAMED.0 {
        list.insert(keyword.chars().take(NAMED.1).collect());
    }
}

fn is_complex(value: &Value) -> bool {
    value.is_array() || value.is_object()
}

/// Whether a pattern looks neither around nor back, which is refused.
fn is_simple(pattern: &str) -> bool {
    let escapes = pattern.as_bytes().windows(2);
    let odd = |pair: &[u8]| pair[0] == b'\\' && matches!(pair[1], b'b' | b'B' | b'1'..=b'9' | b'k');
    !pattern.contains("(?") && !escapes.into_iter().any(odd)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fitted(schema: Value) -> (Value, Vec<String>, Vec<String>) {
        let text = schema.to_string();
        let fitted = fit(&text);
        (
            serde_json::from_str(&fitted.text).unwrap(),
            fitted.weakened.into_iter().collect(),
            fitted.broken.into_iter().collect(),
        )
    }

    #[test]
    fn a_schema_that_is_accepted_keeps_its_text() {
        let text = r#"{"type":"object","properties":{"minimum":{"type":"string","format":"date" ,"pattern":"^a+$"}},"required":["minimum"],"additionalProperties":false}"#;
        let fitted = fit(text);
        assert_eq!(fitted.text, text);
        assert!(fitted.weakened.is_empty() && fitted.broken.is_empty());
    }

    #[test]
    fn objects_are_closed_and_limits_left_out_at_any_depth() {
        let schema = json!({
            "$schema": "x",
            "type": "object",
            "properties": {
                "a": {"type": "array", "minItems": 1, "maxItems": 3, "items": {"$ref": "#/$defs/b"}},
                "c": {"oneOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
            },
            "$defs": {"b": {"properties": {"d": {"type": "string", "format": "regex"}}}},
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "a": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/b"}},
                "c": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            },
            "$defs": {"b": {
                "properties": {"d": {"type": "string"}},
                "additionalProperties": false,
            }},
            "additionalProperties": false,
        });
        let lost = ["format", "maxItems", "minimum"].map(String::from).to_vec();
        assert_eq!(fitted(schema), (expected, lost, vec![]));
    }

    #[test]
    fn what_decides_the_shape_is_told_apart() {
        let schema = json!({
            "type": "object",
            "additionalProperties": {"type": "string"},
            "not": {},
            "enum": [{}],
        });
        let (out, weakened, broken) = fitted(schema);
        assert_eq!(
            out,
            json!({"type": "object", "additionalProperties": false})
        );
        assert_eq!(weakened, [""; 0]);
        assert_eq!(broken, ["additionalProperties", "enum", "not"]);
    }
}
