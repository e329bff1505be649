//! One schema, keyword by keyword.

use serde_json::{Map, Value, json};

use super::Cleaner;

/// What waits until the rest of a schema is known.
#[derive(Default)]
struct Later<'a> {
    values: Option<&'a [Value]>,
    nullable: bool,
    all_of: &'a [Value],
}

impl<'a> Cleaner<'a> {
    /// Cleans a schema without `$ref`, or what stands beside one.
    pub(super) fn keywords(
        &mut self,
        map: &'a Map<String, Value>,
        depth: usize,
    ) -> Map<String, Value> {
        let mut out = Map::new();
        let mut later = Later::default();
        for (name, value) in map {
            self.keyword(name, value, map, &mut out, &mut later, depth);
        }
        for (name, step, limit) in [
            ("exclusiveMinimum", 1, "minimum"),
            ("exclusiveMaximum", -1, "maximum"),
        ] {
            if let Some(value) = map.get(name) {
                self.exclusive(name, value, step, limit, &mut out);
            }
        }
        for schema in later.all_of {
            self.conjoin(&mut out, schema, later.all_of.len() == 1, depth + 1);
        }
        self.nulls_and_values(&mut out, &later);
        out
    }

    fn keyword(
        &mut self,
        name: &'a str,
        value: &'a Value,
        map: &'a Map<String, Value>,
        out: &mut Map<String, Value>,
        later: &mut Later<'a>,
        depth: usize,
    ) {
        match (name, value) {
            ("$ref" | "$defs" | "definitions" | "exclusiveMinimum" | "exclusiveMaximum", _)
            | ("$schema" | "$id" | "id" | "$anchor" | "$comment" | "$vocabulary", _)
            | ("nullable", Value::Bool(false)) => {}
            ("nullable", Value::Bool(true)) => later.nullable = true,
            ("type", Value::String(_))
            | ("format" | "title" | "description", Value::String(_))
            | ("minItems" | "maxItems" | "minimum" | "maximum", Value::Number(_))
            | ("required" | "propertyOrdering", Value::Array(_))
            | ("additionalProperties", Value::Bool(_)) => put(out, name, value.clone()),
            ("type", Value::Array(types)) if !types.is_empty() => put(out, name, value.clone()),
            ("additionalProperties", _) => {
                let schema = self.schema(value, depth + 1);
                put(out, name, schema);
            }
            ("const", _) => later.values = Some(std::slice::from_ref(value)),
            ("enum", Value::Array(values)) => {
                later.values = later.values.or(Some(values));
            }
            ("properties", Value::Object(properties)) => {
                let properties = properties
                    .iter()
                    .map(|(name, schema)| (name.clone(), self.schema(schema, depth + 1)))
                    .collect();
                put(out, name, Value::Object(properties));
            }
            ("anyOf" | "oneOf", Value::Array(list)) if !list.is_empty() => {
                let list = self.schemas(list, depth);
                put(out, name, list);
            }
            ("allOf", Value::Array(list)) => later.all_of = list,
            ("items", Value::Array(list)) | ("prefixItems", Value::Array(list)) => {
                let list = self.schemas(list, depth);
                put(out, "prefixItems", list);
            }
            ("items", Value::Bool(true)) | ("additionalItems", Value::Bool(true)) => {}
            ("items", Value::Bool(false)) => {
                let heads = map.get("prefixItems").and_then(Value::as_array);
                put(out, "maxItems", heads.map_or(0, Vec::len).into());
            }
            ("items", Value::Object(_)) => {
                let schema = self.schema(value, depth + 1);
                put(out, name, schema);
            }
            ("additionalItems", _) => match (map.get("items"), value) {
                (Some(Value::Array(heads)), Value::Bool(false)) => {
                    put(out, "maxItems", heads.len().into());
                }
                (Some(Value::Array(_)), _) => {
                    let schema = self.schema(value, depth + 1);
                    put(out, "items", schema);
                }
                // It means nothing without a list of items.
                _ => {}
            },
            // Every name is a string.
            ("propertyNames", names) if *names == json!({"type": "string"}) => {}
            (
                "not"
                | "if"
                | "then"
                | "else"
                | "patternProperties"
                | "dependentSchemas"
                | "dependencies"
                | "unevaluatedProperties"
                | "unevaluatedItems"
                | "$dynamicRef"
                | "$recursiveRef",
                _,
            )
            | ("type" | "enum" | "properties" | "anyOf" | "oneOf" | "allOf" | "items", _) => {
                self.breaks(name);
            }
            _ => self.weakens(name),
        }
    }

    /// An exclusive limit is an inclusive one that is one further, for integers.
    fn exclusive(
        &mut self,
        name: &str,
        value: &Value,
        step: i64,
        limit: &str,
        out: &mut Map<String, Value>,
    ) {
        let bound = match value {
            Value::Bool(true) => out.get(limit).cloned(),
            Value::Number(_) => Some(value.clone()),
            _ => return,
        };
        let Some(bound) = bound else { return };
        let integer = out.get("type").is_some_and(|kind| kind == "integer");
        let exact = bound.as_i64().and_then(|bound| bound.checked_add(step));
        let bound = match exact.filter(|_| integer) {
            Some(exact) => exact.into(),
            None => {
                self.weakens(name);
                bound
            }
        };
        super::merge::limit(out, limit, bound);
    }

    /// Lists of values hold only strings and numbers, and `null` is a type of its own.
    fn nulls_and_values(&mut self, out: &mut Map<String, Value>, later: &Later<'_>) {
        let Some(values) = later.values else {
            if later.nullable {
                allow_null(out);
            }
            return;
        };
        let null = values.iter().any(Value::is_null) && allows_null(out);
        let mut types = Types::default();
        values.iter().for_each(|value| types.count(value));
        if types.other > 0 || (types.bools > 0 && types.strings + types.numbers > 0) {
            self.breaks("enum");
            return;
        }
        if types.bools > 0 {
            let both = values.contains(&Value::Bool(true)) && values.contains(&Value::Bool(false));
            if !both {
                self.breaks("enum");
            }
            put(out, "type", "boolean".into());
        } else if types.strings + types.numbers > 0 {
            let listed = values
                .iter()
                .filter(|value| !value.is_null())
                .cloned()
                .collect();
            if let Some(kind) = types.only().filter(|_| !out.contains_key("type")) {
                put(out, "type", kind.into());
            }
            put(out, "enum", Value::Array(listed));
        } else {
            put(out, "type", "null".into());
            return;
        }
        if !(null || later.nullable) {
            return;
        }
        if out.contains_key("anyOf") || out.contains_key("oneOf") {
            self.breaks("enum");
            return;
        }
        let mut listed = Map::new();
        if let Some(kind) = out.shift_remove("type") {
            put(&mut listed, "type", without_null(kind));
        }
        for name in ["format", "enum"] {
            if let Some(value) = out.shift_remove(name) {
                put(&mut listed, name, value);
            }
        }
        put(out, "anyOf", json!([listed, {"type": "null"}]));
    }
}

/// How many values of each type a list holds, `null` aside.
#[derive(Default)]
struct Types {
    strings: usize,
    integers: usize,
    numbers: usize,
    bools: usize,
    other: usize,
}

// === impl Types ===

impl Types {
    fn count(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::String(_) => self.strings += 1,
            Value::Number(number) => {
                self.numbers += 1;
                self.integers += usize::from(!number.is_f64());
            }
            Value::Bool(_) => self.bools += 1,
            Value::Array(_) | Value::Object(_) => self.other += 1,
        }
    }

    /// The type that all of them have.
    fn only(&self) -> Option<&'static str> {
        match (self.strings, self.numbers) {
            (1.., 0) => Some("string"),
            (0, 1..) if self.integers == self.numbers => Some("integer"),
            (0, 1..) => Some("number"),
            _ => None,
        }
    }
}

pub(super) fn put(out: &mut Map<String, Value>, name: &str, value: Value) {
    out.insert(name.to_owned(), value);
}

fn allows_null(schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        None => true,
        Some(Value::Array(types)) => types.iter().any(|kind| kind == "null"),
        Some(kind) => kind == "null",
    }
}

fn allow_null(schema: &mut Map<String, Value>) {
    match schema.get_mut("type") {
        Some(Value::Array(types)) if !types.iter().any(|kind| kind == "null") => {
            types.push("null".into());
        }
        Some(kind @ Value::String(_)) if kind != "null" => *kind = json!([kind, "null"]),
        Some(_) => {}
        None => {
            if let Some(Value::Array(list)) = schema.get_mut("anyOf") {
                list.push(json!({"type": "null"}));
            }
        }
    }
}

/// A list of types without `null`; a single type needs no list.
fn without_null(mut kind: Value) -> Value {
    if let Value::Array(list) = &mut kind {
        list.retain(|kind| kind != "null");
        if let [only @ Value::String(_)] = list.as_slice() {
            return only.clone();
        }
    }
    kind
}
