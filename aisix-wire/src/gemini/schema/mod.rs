//! JSON schemas, as far as Gemini understands them.
//!
//! `responseJsonSchema` and `parametersJsonSchema` take JSON Schema, of which the server knows the keywords
//! in [`KNOWN`]; others fail the whole request. [`clean`] says the same in those keywords where it can.

mod keyword;
mod merge;
mod openapi;
mod refs;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

pub use self::openapi::from_openapi;
use self::refs::Refs;

/// The keywords that Gemini documents, beside `$id` and `$anchor`, which only matter to references.
pub const KNOWN: &[&str] = &[
    "$defs",
    "$ref",
    "type",
    "format",
    "title",
    "description",
    "enum",
    "items",
    "prefixItems",
    "minItems",
    "maxItems",
    "minimum",
    "maximum",
    "anyOf",
    "oneOf",
    "properties",
    "additionalProperties",
    "required",
    "propertyOrdering",
];

/// A schema in keywords that Gemini knows, and what it lost on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Cleaned {
    /// The schema.
    pub schema: Value,
    /// Keywords that were left out and only narrow or describe single values, like `pattern`.
    pub weakened: BTreeSet<String>,
    /// Keywords that were left out and decide what shape a value has, like `not`, or a reference that
    /// leads nowhere.
    pub broken: BTreeSet<String>,
}

/// Says a schema in keywords that Gemini knows.
///
/// Rewrites what has an equal (`const`, `allOf`, `definitions`, `exclusiveMinimum` of integers, `nullable`,
/// lists of `items`, references into other places), drops what says nothing of values (`$schema`,
/// `$comment`), and lists the rest. Property names are never taken for keywords. The work is linear in the
/// size of the schema; one that repeats itself through references beyond four times its size is broken.
pub fn clean(schema: &Value) -> Cleaned {
    let mut cleaner = Cleaner {
        refs: Refs::new(schema),
        budget: SPARE.saturating_add(size(schema).saturating_mul(4)),
        weakened: BTreeSet::new(),
        broken: BTreeSet::new(),
    };
    let mut out = cleaner.schema(schema, 0);
    let mut defs = Map::new();
    while let Some((name, target)) = cleaner.refs.next() {
        let schema = cleaner.schema(target, 0);
        defs.insert(name, schema);
    }
    if let (Value::Object(out), false) = (&mut out, defs.is_empty()) {
        out.insert("$defs".to_owned(), Value::Object(defs));
    }
    Cleaned {
        schema: out,
        weakened: cleaner.weakened,
        broken: cleaner.broken,
    }
}

/// Whether a tool's parameters allow no argument; Gemini wants none then.
pub fn takes_nothing(schema: &Value) -> bool {
    let Value::Object(schema) = schema else {
        return matches!(schema, Value::Null);
    };
    let empty = |name| match schema.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => true,
        Some(Value::Object(object)) => object.is_empty(),
        Some(Value::Array(array)) => array.is_empty(),
        Some(_) => false,
    };
    let object = schema.get("type").is_none_or(|kind| kind == "object");
    let extra = schema.get("additionalProperties");
    object
        && empty("properties")
        && extra.is_none_or(|extra| extra == &Value::Bool(false))
        && [
            "$ref",
            "anyOf",
            "oneOf",
            "allOf",
            "patternProperties",
            "enum",
            "const",
        ]
        .iter()
        .all(|name| empty(name))
}

/// What a small schema may grow by.
const SPARE: usize = 64 * 1024;

/// How deep schemas may nest, expanded references included.
const DEPTH: usize = 96;

/// How many lost keywords are named, and with how many characters.
const NAMED: (usize, usize) = (32, 64);

struct Cleaner<'a> {
    refs: Refs<'a>,
    budget: usize,
    weakened: BTreeSet<String>,
    broken: BTreeSet<String>,
}

// === impl Cleaner ===

impl<'a> Cleaner<'a> {
    fn schema(&mut self, schema: &'a Value, depth: usize) -> Value {
        match schema {
            Value::Bool(true) => {}
            Value::Bool(false) => self.breaks("false"),
            Value::Object(map) => return Value::Object(self.object(map, depth)),
            _ => self.breaks("schema"),
        }
        Value::Object(Map::new())
    }

    fn object(&mut self, map: &'a Map<String, Value>, depth: usize) -> Map<String, Value> {
        let cost = map
            .iter()
            .map(|(name, value)| name.len() + shallow(value))
            .sum();
        if depth >= DEPTH || !self.affords(cost) {
            self.breaks("$ref");
            return Map::new();
        }
        match map.get("$ref") {
            Some(reference) => self.reference(reference, map, depth),
            None => self.keywords(map, depth),
        }
    }

    fn schemas(&mut self, list: &'a [Value], depth: usize) -> Value {
        list.iter()
            .map(|schema| self.schema(schema, depth + 1))
            .collect()
    }

    /// Whether so much work may still be done.
    fn affords(&mut self, cost: usize) -> bool {
        let left = self.budget.checked_sub(cost);
        self.budget = left.unwrap_or(0);
        left.is_some()
    }

    fn weakens(&mut self, keyword: &str) {
        note(&mut self.weakened, keyword);
    }

    fn breaks(&mut self, keyword: &str) {
        note(&mut self.broken, keyword);
    }
}

fn note(list: &mut BTreeSet<String>, keyword: &str) {
    if list.len() < NAMED.0 {
        list.insert(keyword.chars().take(NAMED.1).collect());
    }
}

/// What it costs to copy a value, all of it.
fn size(value: &Value) -> usize {
    1 + match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(size).sum(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| name.len() + size(value))
            .sum(),
        _ => 0,
    }
}

/// As [`size`], without what lies in nested objects; their names only.
fn shallow(value: &Value) -> usize {
    1 + match value {
        Value::String(text) => text.len(),
        Value::Array(list) => list.iter().map(shallow).sum(),
        Value::Object(map) => map.len(),
        _ => 0,
    }
}
