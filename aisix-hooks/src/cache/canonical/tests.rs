#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn form(value: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write(value.as_bytes(), &mut out);
    out
}

#[test]
fn the_same_written_differently_is_the_same() {
    for (a, b) in [
        (
            r#"{"a":1,"b":[true,null]}"#,
            "{ \"b\" : [ true ,\n null ] , \"a\" : 1 }",
        ),
        (r#"{"x":{"b":{},"a":[]}}"#, r#"{"x":{"a":[ ],"b":{ }}}"#),
        (r#""A/é""#, r#""\u0041\/\u00e9""#),
        (r#"{"\u0061":1,"b":2}"#, r#"{"b":2,"a":1}"#),
        (
            r#""\b\f\n\r\t\"\\\/""#,
            r#""\u0008\u000c\u000a\u000D\u0009\u0022\u005c\u002f""#,
        ),
        (r#""\ud83d\uDE00""#, r#""😀""#),
        ("1", "1.0"),
        ("10", "1e1"),
        ("0.1", "1E-1"),
        ("-0", "0.00"),
        ("120e-1", "12"),
    ] {
        assert_eq!(form(a), form(b), "{a} {b}");
    }
}

#[test]
fn what_differs_is_different() {
    let values = [
        "1",
        "-1",
        "10",
        "0.1",
        "\"1\"",
        "\"\"",
        "[]",
        "{}",
        "[1]",
        "[1,1]",
        "[11]",
        "[[1],1]",
        "[[1,1]]",
        "null",
        "true",
        "false",
        "\"true\"",
        r#"{"a":1}"#,
        r#"{"a":"1"}"#,
        r#"{"a":1,"b":2}"#,
        r#"{"a":{"b":2}}"#,
        r#"["a","b"]"#,
        r#"["ab"]"#,
        r#"["a\"b"]"#,
        r#"{"a":1,"a":2}"#,
        r#"{"a":2,"a":1}"#,
        "1e999999999999999999999",
        r#""\ud800""#,
        r#""\\ud800""#,
        r#""\ud800\u0041""#,
        r#""\udc00\ud800""#,
        "[\" \"]",
        "[\"\"]",
    ];
    for (at, a) in values.iter().enumerate() {
        for b in &values[at + 1..] {
            assert_ne!(form(a), form(b), "{a} {b}");
        }
    }
}

#[test]
fn sorting_ends_at_some_depth() {
    let nest = |object: &str| format!("{}{object}{}", "[".repeat(20), "]".repeat(20));
    assert_ne!(
        form(&nest(r#"{"a":1,"b":2}"#)),
        form(&nest(r#"{"b":2,"a":1}"#))
    );
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~é\"\\\\]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-c\"é]{0,2}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The same value with its members the other way round and white space around everything.
fn rewritten(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            out.push_str("{ ");
            for (at, (name, value)) in members.iter().rev().enumerate() {
                out.push_str(if at == 0 { "" } else { " ,\t" });
                out.push_str(&json!(name).to_string());
                out.push_str(" :\n");
                rewritten(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "\r" } else { " , " });
                rewritten(item, out);
            }
            out.push(']');
        }
        other => out.push_str(&other.to_string()),
    }
}

proptest! {
    #[test]
    fn escapes_stand_for_what_they_stand_for(text: String, rest in "[a-z]{0,3}") {
        let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        let plain = json!(text + &rest).to_string();
        prop_assert_eq!(form(&format!("\"{escaped}{rest}\"")), form(&plain));
    }

    #[test]
    fn forms_are_equal_exactly_when_values_are(a in values(), b in values()) {
        let mut other = String::new();
        rewritten(&a, &mut other);
        prop_assert_eq!(form(&a.to_string()), form(&other));
        prop_assert_eq!(form(&a.to_string()) == form(&b.to_string()), a == b);
    }

    #[test]
    fn any_bytes_are_read(bytes: Vec<u8>, json in r#"[\[\]{}":,0-9a-z\\ .-]{0,40}"#) {
        write(&bytes, &mut Vec::new());
        form(&json);
    }
}
