//! Schemas and validators of our types.

use std::sync::LazyLock;

use jsonschema::{Draft, Validator};
use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::{Map, Value, json};

use super::{
    ApiKey, CachePolicy, Gateway, Guardrail, GuardrailAttachment, Kind, Model, ProviderKey,
    RateLimitPolicy, Upstream, format::FORMATS,
};

/// The schema of a kind, and what validates it.
pub(crate) struct Checker {
    pub(super) schema: Value,
    pub(super) validator: Validator,
}

/// The JSON Schema (draft 7) of a kind's documents, as strict validation means it.
///
/// `null` is the same as absent everywhere, which the schema does not say.
pub fn json_schema(kind: Kind) -> &'static Value {
    &checker(kind).schema
}

/// The checker of a kind, made once.
pub(super) fn checker(kind: Kind) -> &'static Checker {
    static UPSTREAM: LazyLock<Checker> = LazyLock::new(Checker::of::<Upstream>);
    static PROVIDER_KEY: LazyLock<Checker> = LazyLock::new(Checker::of::<ProviderKey>);
    static MODEL: LazyLock<Checker> = LazyLock::new(Checker::of::<Model>);
    static API_KEY: LazyLock<Checker> = LazyLock::new(Checker::of::<ApiKey>);
    static GATEWAY: LazyLock<Checker> = LazyLock::new(Checker::of::<Gateway>);
    static GUARDRAIL: LazyLock<Checker> = LazyLock::new(Checker::of::<Guardrail>);
    static ATTACHMENT: LazyLock<Checker> = LazyLock::new(Checker::of::<GuardrailAttachment>);
    static RATE_LIMIT_POLICY: LazyLock<Checker> = LazyLock::new(Checker::of::<RateLimitPolicy>);
    static CACHE_POLICY: LazyLock<Checker> = LazyLock::new(Checker::of::<CachePolicy>);
    match kind {
        Kind::Upstream => &UPSTREAM,
        Kind::ProviderKey => &PROVIDER_KEY,
        Kind::Model => &MODEL,
        Kind::ApiKey => &API_KEY,
        Kind::Gateway => &GATEWAY,
        Kind::Guardrail => &GUARDRAIL,
        Kind::GuardrailAttachment => &ATTACHMENT,
        Kind::RateLimitPolicy => &RATE_LIMIT_POLICY,
        Kind::CachePolicy => &CACHE_POLICY,
    }
}

// === impl Checker ===

impl Checker {
    pub(super) fn of<T: JsonSchema>() -> Self {
        let schema = SchemaSettings::draft07()
            .with(|settings| settings.inline_subschemas = true)
            .with_transform(RecursiveTransform(simplify))
            .into_generator()
            .into_root_schema_for::<T>()
            .to_value();
        let mut options = jsonschema::options()
            .with_draft(Draft::Draft7)
            .should_validate_formats(true);
        for format in &FORMATS {
            options = options.with_format(format.name, |text: &str| (format.check)(text).is_ok());
        }
        // Our own rules report a missing or doubled credential in plainer words.
        let mut rules = schema.clone();
        if let Some(root) = rules.as_object_mut() {
            root.remove("oneOf");
        }
        let validator = options
            .build(&rules)
            .expect("schemas are made from our own types");
        Self { schema, validator }
    }
}

/// Brings a schema into the form whose errors are plain: a nullable is its type (null is absent), an
/// enumeration is a list, and integers have their bounds.
fn simplify(schema: &mut Schema) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    for word in ["anyOf", "oneOf"] {
        let Some(Value::Array(choices)) = object.get(word) else {
            continue;
        };
        let choices: Vec<_> = choices
            .iter()
            .filter(|choice| choice["type"] != "null")
            .cloned()
            .collect();
        if let [Value::Object(only)] = choices.as_slice() {
            object.remove(word);
            absorb(object, only.clone());
        } else if let Some(names) = names(&choices) {
            object.remove(word);
            object.insert("type".to_owned(), "string".into());
            object.insert("enum".to_owned(), names);
        }
    }
    let type_name = match object.get("type") {
        Some(Value::Array(types)) => types.iter().find(|name| *name != "null").cloned(),
        _ => None,
    };
    object.extend(type_name.map(|name| ("type".to_owned(), name)));
    if let Some(Value::Array(names)) = object.get_mut("enum") {
        names.retain(|name| !name.is_null());
    }
    let max = match object.get("format").and_then(Value::as_str) {
        Some("uint32") => json!(u32::MAX),
        Some("int32") => {
            object.insert("minimum".to_owned(), json!(i32::MIN));
            json!(i32::MAX)
        }
        Some("uint64") => json!(u64::MAX),
        _ => return,
    };
    object.entry("maximum").or_insert(max);
}

/// Adds what is said further in, where nothing is said further out.
fn absorb(object: &mut Map<String, Value>, inner: Map<String, Value>) {
    for (name, value) in inner {
        object.entry(name).or_insert(value);
    }
}

/// The texts of choices that are constants or enumerations of texts.
fn names(choices: &[Value]) -> Option<Value> {
    let mut names = Vec::new();
    for choice in choices {
        match (choice.get("const"), choice.get("enum")) {
            (Some(name), None) => names.push(name.clone()),
            (None, Some(Value::Array(more))) => names.extend(more.iter().cloned()),
            _ => return None,
        }
    }
    Some(Value::Array(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `see` with every schema inside a schema.
    fn walk(schema: &Value, see: &mut dyn FnMut(&Value)) {
        see(schema);
        match schema {
            Value::Object(members) => members.values().for_each(|inner| walk(inner, see)),
            Value::Array(items) => items.iter().for_each(|inner| walk(inner, see)),
            _ => {}
        }
    }

    #[test]
    fn schemas_have_neither_references_nor_nullable_choices() {
        for kind in Kind::ALL {
            walk(json_schema(kind), &mut |schema| {
                assert!(schema.get("$ref").is_none(), "{kind}: {schema}");
                assert!(schema.get("anyOf").is_none(), "{kind}: {schema}");
                assert!(!schema["type"].is_array(), "{kind}: {schema}");
            });
        }
    }

    #[test]
    fn integers_keep_bounds_of_their_own() {
        #[derive(JsonSchema)]
        struct Bounded {
            #[schemars(range(max = 7))]
            _own: u64,
            _any: u64,
        }
        let schema = Checker::of::<Bounded>().schema;
        assert_eq!(schema["properties"]["_own"]["maximum"], 7);
        assert_eq!(schema["properties"]["_any"]["maximum"], u64::MAX);
    }

    #[test]
    fn every_object_of_fields_is_closed() {
        for kind in Kind::ALL {
            walk(json_schema(kind), &mut |schema| {
                // What else a guardrail has is up to its kind.
                let is_open = schema["additionalProperties"]["x-secrets"] == "texts";
                if schema["properties"].is_object() && schema["type"] == "object" && !is_open {
                    assert_eq!(schema["additionalProperties"], false, "{kind}: {schema}");
                }
            });
        }
    }

    #[test]
    fn every_format_of_ours_is_used() {
        let mut used = std::collections::BTreeSet::new();
        for kind in Kind::ALL {
            walk(json_schema(kind), &mut |schema| {
                used.extend(schema["format"].as_str().map(str::to_owned));
            });
        }
        for format in &FORMATS {
            assert!(used.contains(format.name), "{}", format.name);
        }
    }
}
