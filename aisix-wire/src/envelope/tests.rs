use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn scan(text: &str) -> Result<Envelope, ScanErrorKind> {
    Envelope::scan(text.as_bytes(), &["model", "stream"]).map_err(|error| error.kind)
}

/// What a document must be to be accepted, told by another parser.
fn is_object(bytes: &[u8]) -> bool {
    matches!(serde_json::from_slice(bytes), Ok(Value::Object(_)))
}

/// Documents up to eight deep, with strings that need escapes and bytes of all widths.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z\"\\\\\n\u{1}é漢🦀 ]{0,80}".prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("[a-c\"é]{0,4}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The document compact or pretty: the scan looks for control characters in one way or the other.
fn document() -> impl Strategy<Value = Vec<u8>> {
    let object = prop::collection::hash_map("[a-c\"é]{0,4}", value(), 0..6)
        .prop_map(|members| Value::Object(members.into_iter().collect()));
    (object, any::<bool>()).prop_map(|(object, pretty)| match pretty {
        true => serde_json::to_vec_pretty(&object).unwrap(),
        false => serde_json::to_vec(&object).unwrap(),
    })
}

proptest! {
    #[test]
    fn every_object_is_taken_apart_like_the_tree_parser_does(document in document()) {
        let envelope = Envelope::scan(&document, &[]).unwrap();
        let tree: serde_json::Map<String, Value> = serde_json::from_slice(&document).unwrap();
        prop_assert_eq!(envelope.members().len(), tree.len());
        for (name, value) in &tree {
            let member = envelope.member(&document, name).unwrap();
            prop_assert_eq!(&serde_json::from_slice::<Value>(member.raw(&document)).unwrap(), value);
            match value {
                Value::Null => prop_assert!(member.is_null()),
                Value::Bool(value) => prop_assert_eq!(member.as_bool(), Some(*value)),
                Value::Number(number) => {
                    prop_assert_eq!(member.as_u64(&document), number.as_u64());
                    // The tree parser rounds some floats to a neighbour.
                    let (ours, theirs) = (member.as_f64(&document), number.as_f64());
                    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
                    prop_assert!((ours - theirs).abs() <= ours.abs() * 4.0 * f64::EPSILON);
                }
                Value::String(text) => {
                    let read = member.as_str(&document);
                    prop_assert_eq!(read.as_deref(), Some(text.as_str()));
                }
                Value::Array(items) => {
                    prop_assert_eq!(member.len, items.len());
                    let read: Vec<Value> = elements(&document, member.value.clone())
                        .map(|(span, _)| serde_json::from_slice(&document[span]).unwrap())
                        .collect();
                    prop_assert_eq!(&read, items);
                }
                Value::Object(members) => {
                    prop_assert_eq!(member.len, members.len());
                    let nested = Envelope::scan_at(&document, member.value.clone()).unwrap();
                    prop_assert_eq!(nested.members().len(), members.len());
                }
            }
        }
    }

    #[test]
    fn any_other_value_is_not_an_object(value in value()) {
        let text = serde_json::to_vec(&value).unwrap();
        match Envelope::scan(&text, &[]) {
            Ok(_) => prop_assert!(value.is_object()),
            Err(error) => {
                prop_assert!(!value.is_object());
                prop_assert_eq!(error.kind, ScanErrorKind::NotObject);
            }
        }
    }

    #[test]
    fn damaged_documents_are_accepted_only_if_the_tree_parser_accepts(
        document in document(),
        damage in prop::collection::vec(
            (any::<prop::sample::Index>(), prop_oneof![any::<u8>(), prop::sample::select(&b"{}[]\",:\\u0dD8e-+.1 \n\t\r\x00tfn"[..])], 0..3u8),
            1..4,
        ),
    ) {
        let mut bytes = document;
        for (index, byte, how) in damage {
            let at = index.index(bytes.len().max(1));
            match how {
                0 if at < bytes.len() => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => bytes.truncate(at),
            }
        }
        // A number of any size is fine with us; the tree parser wants it to fit.
        let too_large = serde_json::from_slice::<Value>(&bytes)
            .is_err_and(|error| error.to_string().contains("out of range"));
        prop_assume!(!too_large);
        prop_assert_eq!(Envelope::scan(&bytes, &[]).is_ok(), is_object(&bytes));
    }

    #[test]
    fn nested_reads_of_anything_end_without_a_panic(
        bytes in prop::collection::vec(prop::sample::select(&b"{}[]\",:\\u1 ax\xC3"[..]), 0..60),
        start in 0..70usize,
        end in 0..70usize,
    ) {
        let _ = Envelope::scan_at(&bytes, start..end);
        prop_assert!(elements(&bytes, start..end).count() <= bytes.len());
    }

    #[test]
    fn the_first_special_byte_of_a_long_string_is_found_wherever_it_is(
        before in 0..200usize,
        after in 0..100usize,
        special in prop::sample::select(&["\u{1}", "\n", "\\", "\\q", "\"", "\\u00e9", "\\n", "é", "\u{7f}"][..]),
        pretty in any::<bool>(),
    ) {
        let space = if pretty { "\n" } else { "" };
        let text = format!("{{{space}\"a\":\"{}{special}{}\"}}", "x".repeat(before), "y".repeat(after));
        prop_assert_eq!(scan(&text).is_ok(), is_object(text.as_bytes()), "{}", text);
    }
}

#[test]
fn grammar_is_that_of_the_standard() {
    let good = [
        "{}",
        " { } ",
        "\t{\"a\":1}\r\n",
        r#"{"a":[]}"#,
        r#"{"a":[[],{}]}"#,
        r#"{"":0}"#,
        r#"{"a":-0.0e+1}"#,
        r#"{"a":1E9}"#,
        r#"{"a":"\ud83e\udd80"}"#,
        r#"{"a":"\/"}"#,
        r#"{"a":0,"a":1}"#,
        "{\"a\":\"\u{7f}\"}",
    ];
    for text in good {
        assert!(scan(text).is_ok(), "{text}");
        assert!(is_object(text.as_bytes()), "{text}");
    }
    let bad = [
        "",
        " ",
        "{",
        "}",
        "{}x",
        "{}{}",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{a:1}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":[,1]}"#,
        r#"{"a":[1 2]}"#,
        r#"{"a":[}]"#,
        r#"{"a":{"b":1]}"#,
        r#"{"a":01}"#,
        r#"{"a":+1}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":1e}"#,
        r#"{"a":-}"#,
        r#"{"a":tru}"#,
        r#"{"a":nulL}"#,
        r#"{"a":NaN}"#,
        r#"{"a":'b'}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":"\u12g4"}"#,
        r#"{"a":"\u+123"}"#,
        r#"{"a":"\u12"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":"\ud800\u0041"}"#,
        r#"{"a":"\ud800x"}"#,
        r#"{"a":"\udc00"}"#,
        "{\"a\":\"\n\"}",
        "\u{feff}{}",
        "{\"a\":1}\u{0}",
        r#"{"a":"b\"}"#,
        r#"{"a" 1}"#,
        r#"{"a"::1}"#,
        "{\u{a0}}",
    ];
    for text in bad {
        assert_eq!(scan(text).unwrap_err(), ScanErrorKind::Syntax, "{text}");
        assert!(!is_object(text.as_bytes()), "{text}");
    }
}

#[test]
fn other_values_than_objects_are_told_apart_from_bad_syntax() {
    for text in ["[]", "1", "\"a\"", " null ", "[{}]"] {
        assert_eq!(scan(text).unwrap_err(), ScanErrorKind::NotObject, "{text}");
    }
    assert_eq!(scan("[1").unwrap_err(), ScanErrorKind::Syntax);
    assert_eq!(scan("1 2").unwrap_err(), ScanErrorKind::Syntax);
}

#[test]
fn bytes_that_are_not_utf8_are_refused_where_they_are() {
    let error = Envelope::scan(b"{\"a\":\"\xC3\"}", &[]).unwrap_err();
    assert_eq!(
        error,
        ScanError {
            kind: ScanErrorKind::Utf8,
            at: 6
        }
    );
}

#[test]
fn depth_is_limited_and_costs_no_stack() {
    let nested = |levels: usize| {
        format!(
            "{{\"a\":{}{}}}",
            "[".repeat(levels - 1),
            "]".repeat(levels - 1)
        )
    };
    assert!(scan(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(
        scan(&nested(MAX_DEPTH + 1)).unwrap_err(),
        ScanErrorKind::TooDeep
    );
    let objects = format!("{}1{}", "{\"a\":".repeat(MAX_DEPTH), "}".repeat(MAX_DEPTH));
    assert!(scan(&objects).is_ok());
    assert_eq!(
        scan(&format!("{{\"a\":{objects}}}")).unwrap_err(),
        ScanErrorKind::TooDeep
    );
    assert_eq!(
        scan(&"{\"a\":[".repeat(1_000_000)).unwrap_err(),
        ScanErrorKind::TooDeep
    );
}

#[test]
fn members_are_limited_at_the_top_only() {
    let members = |count: usize| {
        let members: Vec<_> = (0..count)
            .map(|index| format!("\"m{index}\":{index}"))
            .collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(scan(&members(MAX_MEMBERS)).is_ok());
    assert_eq!(
        scan(&members(MAX_MEMBERS + 1)).unwrap_err(),
        ScanErrorKind::TooManyMembers
    );
    assert!(scan(&format!("{{\"a\":{}}}", members(MAX_MEMBERS + 1))).is_ok());
}

#[test]
fn a_member_that_is_read_may_stand_only_once_however_it_is_written() {
    let duplicate = |name: &str| ScanErrorKind::Duplicate(name.to_owned());
    assert_eq!(
        scan(r#"{"model":1,"model":2}"#).unwrap_err(),
        duplicate("model")
    );
    assert_eq!(
        scan(r#"{"str\u0065am":1,"a":0,"stream":2}"#).unwrap_err(),
        duplicate("stream")
    );
    assert!(scan(r#"{"seed":1,"seed":2,"model":"m"}"#).is_ok());
    assert!(scan(r#"{"a":{"model":1,"model":2}}"#).is_ok());
    assert!(scan(r#"{"model":1,"Model":2}"#).is_ok());
}

#[test]
fn escaped_names_are_found_by_their_text() {
    let text = br#"{"m\u006fdel":"x","a\"b":1}"#;
    let envelope = Envelope::scan(text, &[]).unwrap();
    assert_eq!(
        envelope
            .member(text, "model")
            .unwrap()
            .as_str(text)
            .unwrap(),
        "x"
    );
    assert_eq!(envelope.member(text, "a\"b").unwrap().as_u64(text), Some(1));
    assert!(envelope.member(text, "m\\u006fdel").is_none());
}

#[test]
fn the_last_of_repeated_members_is_the_one_that_is_found() {
    let text = br#"{"a":1,"a":2}"#;
    let envelope = Envelope::scan(text, &[]).unwrap();
    assert_eq!(envelope.member(text, "a").unwrap().as_u64(text), Some(2));
}

#[test]
fn numbers_convert_only_when_they_fit() {
    let text =
        br#"{"a":18446744073709551615,"b":18446744073709551616,"c":-1,"d":1.0,"e":1e999,"f":"1"}"#;
    let envelope = Envelope::scan(text, &[]).unwrap();
    let member = |name| envelope.member(text, name).unwrap();
    assert_eq!(member("a").as_u64(text), Some(u64::MAX));
    for name in ["b", "c", "d", "e", "f"] {
        assert_eq!(member(name).as_u64(text), None, "{name}");
    }
    assert_eq!(member("c").as_f64(text), Some(-1.0));
    assert_eq!(member("d").as_f64(text), Some(1.0));
    assert_eq!(member("e").as_f64(text), None);
}

#[test]
fn messages_quote_nothing_of_the_document() {
    let error = Envelope::scan(br#"{"key":"sk-secret" "#, &[]).unwrap_err();
    assert_eq!(error.to_string(), "invalid JSON at byte 19");
    let error = Envelope::scan(br#"{"model":"sk-secret","model":1}"#, &["model"]).unwrap_err();
    assert_eq!(error.to_string(), "duplicate member \"model\" at byte 22");
}
