use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn at(path: &str) -> Pointer {
    Pointer::parse(path).unwrap()
}

/// What becomes of a document.
fn after(
    text: &'static str,
    step: impl FnOnce(&mut Document) -> Result<(), PatchError>,
) -> Result<String, PatchError> {
    let mut document = Document::new(text.into()).unwrap();
    let before = document.clone().into_bytes();
    let done = step(&mut document);
    if done.is_err() {
        assert_eq!(document.clone().into_bytes(), before);
    }
    done.map(|()| String::from_utf8(document.into_bytes().into()).unwrap())
}

#[test]
fn what_is_not_touched_stays_byte_for_byte() {
    const TEXT: &str =
        " { \"n\" : 1e400,\"big\":12345678901234567890123, \"a\":[ 1.0 , {\"x\":\"\\u0041\"} ] }\n";
    let added = after(TEXT, |it| it.add(&at("/a/1/y"), b"2"));
    let expected = TEXT.replace(r#""\u0041"}"#, r#""\u0041","y":2}"#);
    assert_eq!(added.unwrap(), expected);
    let replaced = after(TEXT, |it| it.replace(&at("/a/0"), b"[]"));
    assert_eq!(replaced.unwrap(), TEXT.replace("1.0", "[]"));
    let removed = after(TEXT, |it| it.remove(&at("/a/0")));
    assert_eq!(removed.unwrap(), TEXT.replace("1.0 , ", ""));
    let moved = after(TEXT, |it| it.move_to(&at("/n"), &at("/a/-")));
    let moved = moved.unwrap();
    assert!(
        moved.contains("},1e400 ]") && !moved.contains("\"n\""),
        "{moved}"
    );
    let copied = after(TEXT, |it| it.copy(&at("/big"), &at("/a/0")));
    assert!(copied.unwrap().contains("[ 12345678901234567890123,1.0 ,"));
}

#[test]
fn a_name_that_occurs_twice_is_dealt_with_as_one() {
    const TEXT: &str = r#"{"o":{"a":1,"b":0,"\u0061":2}}"#;
    assert_eq!(
        after(TEXT, |it| it.replace(&at("/o/a"), b"3")).unwrap(),
        r#"{"o":{"a":3,"b":0}}"#
    );
    assert_eq!(
        after(TEXT, |it| it.remove(&at("/o/a"))).unwrap(),
        r#"{"o":{"b":0}}"#
    );
    assert!(after(TEXT, |it| it.test(&at("/o/a"), b"2")).is_ok());
}

#[test]
fn tests_compare_values_not_texts() {
    const TEXT: &str = r#"{"a":1.0,"b":{"x":1,"y":[1e400]},"c":"\u0041"}"#;
    for (path, value, expected) in [
        ("/a", "1", Ok(())),
        ("/a", "2", Err(PatchError::Different)),
        ("/b/y/0", "1e400", Ok(())),
        ("/b/y", "[1e401]", Err(PatchError::Different)),
        ("/c", "\"A\"", Ok(())),
        ("/d", "null", Err(PatchError::NoPlace)),
    ] {
        let tested = after(TEXT, |it| it.test(&at(path), value.as_bytes()));
        assert_eq!(tested.map(|_| ()), expected, "{path} {value}");
    }
    let text = r#"{"b":{"x":1,"y":2}}"#;
    assert!(after(text, |it| it.test(&at("/b"), br#"{"y":2.0,"x":1}"#)).is_ok());
}

#[test]
fn objects_on_the_way_are_made() {
    let put = |text, path: &str| after(text, |it| it.put(&Pointer::dotted(path).unwrap(), b"1"));
    assert_eq!(put("{}", "a.b.c").unwrap(), r#"{"a":{"b":{"c":1}}}"#);
    assert_eq!(put(r#"{"a":{}}"#, "a.b").unwrap(), r#"{"a":{"b":1}}"#);
    assert_eq!(put(r#"{"a":null}"#, "a.b").unwrap(), r#"{"a":{"b":1}}"#);
    assert_eq!(put(r#"{"a":[{}]}"#, "a.0.b").unwrap(), r#"{"a":[{"b":1}]}"#);
    assert_eq!(put(r#"{"a":"x"}"#, "a.b"), Err(PatchError::NoPlace));
}

#[test]
fn copies_of_copies_come_to_an_end() {
    let mut document = Document::new(r#"{"a":["0123456789012345678901234567"]}"#.into()).unwrap();
    let doubled = (0..64).try_for_each(|_| document.copy(&at("/a"), &at("/a/-")));
    assert_eq!(doubled, Err(PatchError::TooLarge));
    assert!(document.into_bytes().len() <= 16 * 1024 * 1024 + 64);
}

#[test]
fn pointers_are_read() {
    assert_eq!(at("/a~1b/~01/").steps(), ["a/b", "~1", ""]);
    assert_eq!(at("").steps(), <[String; 0]>::default());
    for wrong in ["a", "/~", "/~2", "/a~"] {
        assert_eq!(Pointer::parse(wrong), None, "{wrong}");
    }
    assert_eq!(Pointer::dotted("a.b").unwrap(), at("/a/b"));
    for wrong in ["", "a.", ".a", "a..b"] {
        assert_eq!(Pointer::dotted(wrong), None, "{wrong}");
    }
    for array in ["01", "+1", "x", "", "99999999999999999999"] {
        let path = at("/a").steps().to_vec();
        let path = Pointer([path, vec![array.to_owned()]].concat());
        let added = after(r#"{"a":[1,2]}"#, |it| it.add(&path, b"1"));
        assert_eq!(added, Err(PatchError::NoPlace), "{array}");
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9..9_i64).prop_map(Value::from),
        "[a-c~/\"]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-c~/]{1,2}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn paths() -> impl Strategy<Value = String> {
    let step = prop_oneof![
        "[a-c]",
        "[0-3]",
        Just("-".to_owned()),
        Just("~0".to_owned()),
        "a~1"
    ];
    prop::collection::vec(step, 1..4).prop_map(|steps| format!("/{}", steps.join("/")))
}

fn steps() -> impl Strategy<Value = Value> {
    prop_oneof![
        (paths(), values())
            .prop_map(|(path, value)| json!({"op": "add", "path": path, "value": value})),
        (paths(), values())
            .prop_map(|(path, value)| json!({"op": "replace", "path": path, "value": value})),
        (paths(), values())
            .prop_map(|(path, value)| json!({"op": "test", "path": path, "value": value})),
        paths().prop_map(|path| json!({"op": "remove", "path": path})),
        (paths(), paths())
            .prop_map(|(from, path)| json!({"op": "move", "from": from, "path": path})),
        (paths(), paths())
            .prop_map(|(from, path)| json!({"op": "copy", "from": from, "path": path})),
    ]
}

fn take(document: &mut Document, step: &Value) -> Result<(), PatchError> {
    let path = at(step["path"].as_str().unwrap());
    let from = || at(step["from"].as_str().unwrap());
    let value = step["value"].to_string();
    match step["op"].as_str().unwrap() {
        "add" => document.add(&path, value.as_bytes()),
        "replace" => document.replace(&path, value.as_bytes()),
        "test" => document.test(&path, value.as_bytes()),
        "remove" => document.remove(&path),
        "move" => document.move_to(&from(), &path),
        _ => document.copy(&from(), &path),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Each step does what the library for trees does, or fails where it fails.
    #[test]
    fn steps_do_what_the_standard_says(
        members in prop::collection::hash_map("[a-c~]{1,2}", values(), 0..4),
        steps in prop::collection::vec(steps(), 1..5),
        pretty in any::<bool>(),
    ) {
        let mut tree = Value::Object(members.into_iter().collect());
        let text = match pretty {
            true => serde_json::to_string_pretty(&tree).unwrap(),
            false => tree.to_string(),
        };
        let mut document = Document::new(text.into()).unwrap();
        for step in steps {
            let patch: json_patch::Patch = serde_json::from_value(json!([step])).unwrap();
            let before = tree.clone();
            let expected = json_patch::patch(&mut tree, &patch).is_ok();
            if !expected {
                // The library leaves the value of a failed move away.
                tree = before;
            }
            prop_assert_eq!(take(&mut document, &step).is_ok(), expected, "{}", step);
            let is: Value = serde_json::from_slice(&document.clone().into_bytes()).unwrap();
            prop_assert_eq!(&is, &tree, "{}", step);
        }
    }
}
