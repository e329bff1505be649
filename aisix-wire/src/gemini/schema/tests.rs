use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const GOLDEN: [(&str, &str); 5] = [
    (
        "kept",
        include_str!("../../../tests/fixtures/gemini/schema/kept.json"),
    ),
    (
        "rewritten",
        include_str!("../../../tests/fixtures/gemini/schema/rewritten.json"),
    ),
    (
        "weakened",
        include_str!("../../../tests/fixtures/gemini/schema/weakened.json"),
    ),
    (
        "broken",
        include_str!("../../../tests/fixtures/gemini/schema/broken.json"),
    ),
    (
        "recursive",
        include_str!("../../../tests/fixtures/gemini/schema/recursive.json"),
    ),
];

#[test]
fn schemas_become_what_the_fixtures_say() {
    for (name, text) in GOLDEN {
        let golden: Value = serde_json::from_str(text).unwrap();
        let cleaned = clean(&golden["in"]);
        assert_eq!(cleaned.schema, golden["out"], "{name}");
        assert_eq!(json!(cleaned.weakened), golden["weakened"], "{name}");
        assert_eq!(json!(cleaned.broken), golden["broken"], "{name}");
    }
}

#[test]
fn a_clean_schema_stays_as_it_is() {
    for (name, text) in GOLDEN {
        let golden: Value = serde_json::from_str(text).unwrap();
        let again = clean(&golden["out"]);
        assert_eq!(again.schema, golden["out"], "{name}");
        assert!(
            again.weakened.is_empty() && again.broken.is_empty(),
            "{name}"
        );
    }
}

#[test]
fn references_that_multiply_do_not_explode() {
    let mut defs = Map::new();
    for level in 0..40 {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        defs.insert(
            format!("l{level}"),
            json!({"allOf": [next, next, {"title": "x"}]}),
        );
    }
    defs.insert(
        "l40".into(),
        json!({"type": "string", "description": "d".repeat(10_000)}),
    );
    let cleaned = clean(&json!({"allOf": [{"$ref": "#/$defs/l0"}, {"title": "t"}], "$defs": defs}));
    assert!(cleaned.broken.contains("$ref"));
    assert!(cleaned.schema.to_string().len() < 1_000_000);
}

#[test]
fn many_members_of_all_of_do_not_take_forever() {
    let members = |n: usize| -> Value {
        let member = |i| json!({"required": [format!("name{i}")], "properties": {format!("name{i}"): {"type": "string"}}});
        (0..n).map(member).collect()
    };
    let few = clean(&json!({"allOf": members(50)}));
    assert_eq!(few.schema["required"].as_array().unwrap().len(), 50);
    assert!(few.broken.is_empty());
    let many = clean(&json!({"allOf": members(50_000)}));
    assert!(many.broken.contains("allOf"));
}

#[test]
fn a_schema_that_contains_itself_everywhere_comes_to_an_end() {
    let cleaned = clean(&json!({"allOf": [{"$ref": "#"}, {"type": "object"}]}));
    assert!(!cleaned.broken.is_empty());
    let cleaned = clean(
        &json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
    );
    assert_eq!(cleaned.broken, BTreeSet::new());
}

#[test]
fn a_tool_without_arguments_is_recognised() {
    for nothing in [
        json!(null),
        json!({}),
        json!({"type": "object"}),
        json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false}),
    ] {
        assert!(takes_nothing(&nothing), "{nothing}");
    }
    for something in [
        json!({"properties": {"a": {}}}),
        json!({"type": "object", "additionalProperties": true}),
        json!({"$ref": "#/$defs/a"}),
        json!({"type": "string"}),
    ] {
        assert!(!takes_nothing(&something), "{something}");
    }
}

#[test]
fn openapi_schemas_become_json_schemas() {
    let schema = json!({"type": "OBJECT", "nullable": true, "properties": {"type": {"type": "STRING", "enum": ["a"], "nullable": true},
        "l": {"type": "ARRAY", "minItems": "2", "items": {"type": "INTEGER", "example": 3}}}});
    assert_eq!(
        from_openapi(schema),
        json!({"type": ["object", "null"], "properties": {"type": {"type": ["string", "null"], "enum": ["a", null]},
            "l": {"type": "array", "minItems": 2, "items": {"type": "integer", "examples": [3]}}}})
    );
}

#[test]
fn a_single_word_or_null_stays_a_list() {
    let cleaned = clean(&json!({"enum": ["string", null]}));
    assert_eq!(
        cleaned.schema,
        json!({"anyOf": [{"type": "string", "enum": ["string"]}, {"type": "null"}]})
    );
}

/// Everything that stands where a schema may stand is made of known keywords.
fn known_only(schema: &Value) {
    let Value::Object(map) = schema else {
        panic!("not a schema: {schema}");
    };
    for (name, value) in map {
        assert!(KNOWN.contains(&name.as_str()), "{name} in {schema}");
        match (name.as_str(), value) {
            ("properties" | "$defs", Value::Object(map)) => map.values().for_each(known_only),
            ("items", schema) => known_only(schema),
            ("additionalProperties", Value::Object(_)) => known_only(value),
            ("anyOf" | "oneOf" | "prefixItems", Value::Array(list)) => {
                list.iter().for_each(known_only);
            }
            ("enum", Value::Array(list)) => {
                assert!(list.iter().all(|v| v.is_string() || v.is_number()));
            }
            ("$ref", target) => {
                assert_eq!(map.len(), 1, "nothing beside a reference: {schema}");
                assert!(target.is_string());
            }
            _ => {}
        }
    }
}

fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop::sample::select(
            &[
                "string",
                "object",
                "#",
                "#/$defs/a",
                "#/properties/b",
                "#/definitions/c",
                "http://x",
                "null"
            ][..]
        )
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let keyword = prop::sample::select(
            &[
                "type",
                "enum",
                "const",
                "$ref",
                "$defs",
                "definitions",
                "properties",
                "items",
                "prefixItems",
                "allOf",
                "anyOf",
                "oneOf",
                "not",
                "additionalProperties",
                "additionalItems",
                "exclusiveMinimum",
                "minimum",
                "maximum",
                "exclusiveMaximum",
                "nullable",
                "required",
                "pattern",
                "if",
                "default",
                "a",
                "b",
                "propertyNames",
            ][..],
        );
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((keyword, inner), 0..6).prop_map(|members| Value::Object(
                members
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()
            )),
        ]
    })
}

proptest! {
    #[test]
    fn clean_schemas_hold_only_known_keywords(schema in any_schema()) {
        let cleaned = clean(&schema);
        known_only(&cleaned.schema);
    }

    #[test]
    fn cleaning_twice_is_cleaning_once(schema in any_schema()) {
        let once = clean(&schema);
        let twice = clean(&once.schema);
        prop_assert_eq!(&twice.broken, &BTreeSet::new(), "{}", once.schema);
        prop_assert!(twice.weakened.is_empty(), "{}", once.schema);
    }
}
