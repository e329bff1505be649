use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

fn apply(body: &str, edit: impl FnOnce(&mut Edits)) -> String {
    let body = Bytes::copy_from_slice(body.as_bytes());
    let envelope = Envelope::scan(&body, &[]).unwrap();
    let mut edits = Edits::new();
    edit(&mut edits);
    let out = edits.apply(&body, &envelope);
    assert!(Envelope::scan(&out, &[]).is_ok(), "{out:?}");
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn a_member_is_replaced_in_place_and_nothing_else_moves() {
    let out = apply("{ \"a\" : 1.0 ,\t\"model\":  \"x\" , \"z\":[ ] }\n", |e| {
        e.set("model", json_string("y"));
    });
    assert_eq!(out, "{ \"a\" : 1.0 ,\t\"model\":  \"y\" , \"z\":[ ] }\n");
}

#[test]
fn an_absent_member_is_appended() {
    assert_eq!(
        apply(r#"{"a":1 }"#, |e| e.set("b", "2")),
        r#"{"a":1,"b":2 }"#
    );
    assert_eq!(apply("{ }", |e| e.set("b\"", "2")), r#"{"b\"":2 }"#);
    let out = apply("{}", |e| {
        e.set("a", "1");
        e.set("b", "2");
    });
    assert_eq!(out, r#"{"a":1,"b":2}"#);
}

#[test]
fn removal_takes_one_comma_along_wherever_the_member_stands() {
    let body = r#"{"a":1, "b":2, "c":3}"#;
    assert_eq!(apply(body, |e| e.remove("a")), r#"{"b":2, "c":3}"#);
    assert_eq!(apply(body, |e| e.remove("b")), r#"{"a":1, "c":3}"#);
    assert_eq!(apply(body, |e| e.remove("c")), r#"{"a":1, "b":2}"#);
    let remove = |names: &'static [&'static str]| {
        apply(body, move |e| names.iter().for_each(|name| e.remove(*name)))
    };
    assert_eq!(remove(&["b", "c"]), r#"{"a":1}"#);
    assert_eq!(remove(&["a", "b"]), r#"{"c":3}"#);
    assert_eq!(remove(&["c", "a", "b"]), "{}");
    assert_eq!(remove(&["nothing"]), body);
}

#[test]
fn removing_the_last_and_appending_meet_without_a_stray_comma() {
    let out = apply(r#"{"a":1, "b":2}"#, |e| {
        e.remove("b");
        e.set("c", "3");
    });
    assert_eq!(out, r#"{"a":1,"c":3}"#);
    let out = apply(r#"{ "a":1 }"#, |e| {
        e.remove("a");
        e.set("a", "3");
    });
    assert_eq!(out, r#"{"a":3  }"#);
}

#[test]
fn defaults_fill_what_is_absent_or_null() {
    let edit = |e: &mut Edits| e.set_default("n", "7");
    assert_eq!(apply("{}", edit), r#"{"n":7}"#);
    assert_eq!(apply(r#"{"n":null}"#, edit), r#"{"n":7}"#);
    assert_eq!(apply(r#"{"n":0}"#, edit), r#"{"n":0}"#);
    assert_eq!(apply(r#"{"n":0,"n":null}"#, edit), r#"{"n":0,"n":null}"#);
}

#[test]
fn renaming_keeps_the_bytes_of_the_value() {
    let edit = |e: &mut Edits| e.rename("max_completion_tokens", "max_tokens");
    assert_eq!(
        apply(r#"{"max_completion_tokens": 1e2 }"#, edit),
        r#"{"max_tokens": 1e2 }"#
    );
    let both = r#"{"max_completion_tokens":1,"max_tokens":2}"#;
    assert_eq!(apply(both, edit), both);
    assert_eq!(
        apply(r#"{"max_completion_tokens":1,"max_tokens":null}"#, edit),
        r#"{"max_tokens":1}"#
    );
    assert_eq!(
        apply(r#"{"max_tokens":null}"#, edit),
        r#"{"max_tokens":null}"#
    );
}

#[test]
fn added_members_can_be_edited_again() {
    let out = apply(r#"{"b":null}"#, |e| {
        e.set("x", "{}");
        e.set_in("x", "in", "1");
        e.rename("x", "b");
        e.set("y", "1");
        e.set_default("y", "2");
        e.remove("b");
    });
    assert_eq!(out, r#"{"y":1}"#);
}

#[test]
fn nested_members_are_set_in_the_object_or_in_a_new_one() {
    let edit = |e: &mut Edits| e.set_in("stream_options", "include_usage", "true");
    let made = r#"{"stream_options":{"include_usage":true}}"#;
    assert_eq!(apply("{}", edit), made);
    assert_eq!(apply(r#"{"stream_options":null}"#, edit), made);
    assert_eq!(apply(r#"{"stream_options":{}}"#, edit), made);
    assert_eq!(
        apply(
            r#"{"stream_options":{ "include_usage" : false, "a":0}, "b":1}"#,
            edit
        ),
        r#"{"stream_options":{ "include_usage" : true, "a":0}, "b":1}"#,
    );
    assert_eq!(
        apply(r#"{"stream_options":7}"#, edit),
        r#"{"stream_options":7}"#
    );
    let twice = apply(r#"{"o":{"z":0}}"#, |e| {
        e.set_in("o", "a", "1");
        e.set_in("o", "b", "2");
        e.set_in("o", "a", "3");
    });
    assert_eq!(twice, r#"{"o":{"z":0,"b":2,"a":3}}"#);
}

#[test]
fn repeated_members_all_yield_to_the_edit() {
    assert_eq!(
        apply(r#"{"a":1,"b":0,"\u0061":2}"#, |e| e.set("a", "9")),
        r#"{"a":9,"b":0}"#
    );
    assert_eq!(
        apply(r#"{"a":1,"b":0,"a":2}"#, |e| e.remove("a")),
        r#"{"b":0}"#
    );
    let out = apply(r#"{"o":{"x":1},"o":{"x":2,"x":3}}"#, |e| {
        e.set_in("o", "x", "4");
    });
    assert_eq!(out, r#"{"o":{"x":4}}"#);
}

#[test]
fn spans_are_replaced_unless_another_edit_has_them() {
    let body = r#"{"a":[1,2],"b":3}"#;
    assert_eq!(
        apply(body, |e| e.replace(6..7, "7")),
        r#"{"a":[7,2],"b":3}"#
    );
    assert_eq!(
        apply(body, |e| e.replace(9..9, ",9")),
        r#"{"a":[1,2,9],"b":3}"#
    );
    let out = apply(body, |e| {
        e.replace(6..7, "7");
        e.replace(15..16, "8");
        e.replace(5..10, "0");
        e.set("a", "[]");
    });
    assert_eq!(out, r#"{"a":[],"b":8}"#);
    for span in [0..1, 16..17, 17..17, 90..99] {
        assert_eq!(apply(body, |e| e.replace(span, "x")), body);
    }
    #[expect(clippy::reversed_empty_ranges, reason = "a caller's mistake")]
    let reversed = apply(body, |e| e.replace(7..6, "x"));
    assert_eq!(reversed, body);
}

#[test]
fn edits_without_effect_return_the_same_allocation() {
    let body = Bytes::from(br#"{"model":"m","n":1}"#.to_vec());
    let envelope = Envelope::scan(&body, &[]).unwrap();
    let mut edits = Edits::new();
    edits.set("model", json_string("m"));
    edits.set_default("n", "5");
    edits.remove("x");
    edits.rename("x", "y");
    edits.replace(17..18, "1");
    assert_eq!(edits.apply(&body, &envelope).as_ptr(), body.as_ptr());
}

#[test]
fn the_envelope_of_another_document_does_no_harm() {
    let envelope = Envelope::scan(br#"{"aaaaaaaaaaaaaaaaaaaaaa":1}"#, &[]).unwrap();
    let mut edits = Edits::new();
    edits.set("a", "1");
    let short = Bytes::from_static(b"{}");
    assert_eq!(edits.apply(&short, &envelope), "{}");
}

/// The same edits on a tree.
fn on_tree(tree: &mut Map<String, Value>, edit: &Edit) {
    let parse = |bytes: &Bytes| serde_json::from_slice::<Value>(bytes).unwrap();
    let absent = |tree: &Map<String, Value>, name: &str| tree.get(name).is_none_or(Value::is_null);
    match edit {
        Edit::Set(name, value) => _ = tree.insert(name.to_string(), parse(value)),
        Edit::SetDefault(name, value) if absent(tree, name) => {
            _ = tree.insert(name.to_string(), parse(value));
        }
        Edit::Remove(name) => _ = tree.remove(name.as_ref()),
        Edit::Rename(from, to) if from != to && absent(tree, to) => {
            if let Some(value) = tree.remove(from.as_ref()) {
                tree.insert(to.to_string(), value);
            }
        }
        Edit::SetIn(name, inner, value) => {
            if absent(tree, name) {
                tree.insert(name.to_string(), json!({}));
            }
            if let Some(object) = tree.get_mut(name.as_ref()).unwrap().as_object_mut() {
                object.insert(inner.to_string(), parse(value));
            }
        }
        Edit::SetDefault(..) | Edit::Rename(..) => {}
    }
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let name = || prop::sample::select(&["a", "b", "c", "d\"", "é"][..]).prop_map(Cow::Borrowed);
    let value = || {
        prop::sample::select(&["null", "1", "\"x\"", "{}", "{\"a\":0}", "[1]"][..])
            .prop_map(|text| Bytes::from_static(text.as_bytes()))
    };
    prop_oneof![
        (name(), value()).prop_map(|(name, value)| Edit::Set(name, value)),
        (name(), value()).prop_map(|(name, value)| Edit::SetDefault(name, value)),
        name().prop_map(Edit::Remove),
        (name(), name()).prop_map(|(from, to)| Edit::Rename(from, to)),
        (name(), name(), value()).prop_map(|(name, inner, value)| Edit::SetIn(name, inner, value)),
    ]
}

/// Objects written with odd white space; names may repeat if `repeats`.
fn any_body(repeats: bool) -> impl Strategy<Value = String> {
    let name = prop::sample::select(&["a", "b", "c", "d\\\"", "é", "\\u0061", "other"][..]);
    let value = prop::sample::select(
        &[
            "null",
            "1.50",
            "\"x\\/y\"",
            "{}",
            "{ \"a\" : 0, \"z\":[ ] }",
            "[ 1,2 ]",
            "{\"b\":null}",
        ][..],
    );
    let space = || prop::sample::select(&["", " ", "\n\t"][..]);
    let member = (name, value, space(), space(), space(), space());
    prop::collection::vec(member, 0..8).prop_map(move |members| {
        let mut seen = std::collections::HashSet::new();
        let mut body = String::from("{ ");
        let key = |name: &str| {
            if name == "\\u0061" {
                "a".to_owned()
            } else {
                name.to_owned()
            }
        };
        let members = members
            .into_iter()
            .filter(|m| repeats || seen.insert(key(m.0)));
        for (index, (name, value, a, b, c, d)) in members.enumerate() {
            let comma = if index == 0 { "" } else { "," };
            body += &format!("{comma}{a}\"{name}\"{b}:{c}{value}{d}");
        }
        body + "} \n"
    })
}

proptest! {
    #[test]
    fn the_result_is_what_the_same_edits_make_of_a_tree(
        body in any_body(false),
        list in prop::collection::vec(any_edit(), 0..6),
    ) {
        let mut tree: Map<String, Value> = serde_json::from_str(&body).unwrap();
        list.iter().for_each(|edit| on_tree(&mut tree, edit));
        let bytes = Bytes::from(body);
        let envelope = Envelope::scan(&bytes, &[]).unwrap();
        let out = Edits { edits: list, replaced: Vec::new() }.apply(&bytes, &envelope);
        let read: Map<String, Value> = serde_json::from_slice(&out).unwrap();
        // As maps: the order of members is not meant here.
        prop_assert_eq!(Value::from(read.clone()), Value::from(tree), "{:?}", out);
        prop_assert_eq!(Envelope::scan(&out, &[]).unwrap().members().len(), read.len());
    }

    #[test]
    fn members_that_no_edit_names_keep_every_byte_and_their_order(
        body in any_body(true),
        list in prop::collection::vec(any_edit(), 0..6),
    ) {
        let named: std::collections::HashSet<&str> = list.iter().flat_map(|edit| match edit {
            Edit::Set(a, _) | Edit::SetDefault(a, _) | Edit::Remove(a) | Edit::SetIn(a, ..) => vec![&**a],
            Edit::Rename(a, b) => vec![&**a, &**b],
        }).collect();
        let kept = |bytes: &[u8]| -> Vec<Vec<u8>> {
            let envelope = Envelope::scan(bytes, &[]).unwrap();
            let members = envelope.members().iter();
            members
                .filter(|member| !named.iter().any(|name| member.is_named(bytes, name)))
                .map(|member| bytes[member.name.start - 1..member.value.end].to_vec())
                .collect()
        };
        let before = kept(body.as_bytes());
        let bytes = Bytes::from(body);
        let envelope = Envelope::scan(&bytes, &[]).unwrap();
        let out = Edits { edits: list.clone(), replaced: Vec::new() }.apply(&bytes, &envelope);
        prop_assert_eq!(kept(&out), before);
        // What was set last holds for every reading of repeated names.
        let after = Envelope::scan(&out, &[]).unwrap();
        if let Some(Edit::Set(name, value)) = list.last() {
            let found: Vec<_> = after.members().iter().filter(|m| m.is_named(&out, name)).collect();
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(found[0].raw(&out), &value[..]);
        }
        if let Some(Edit::Remove(name)) = list.last() {
            prop_assert!(after.member(&out, name).is_none());
        }
    }

    #[test]
    fn replacing_a_value_changes_exactly_its_span(body in any_body(true), pick in any::<prop::sample::Index>()) {
        let bytes = Bytes::from(body);
        let envelope = Envelope::scan(&bytes, &[]).unwrap();
        prop_assume!(!envelope.members().is_empty());
        let span = envelope.members()[pick.index(envelope.members().len())].value.clone();
        let mut edits = Edits::new();
        edits.replace(span.clone(), "\"new\"");
        let out = edits.apply(&bytes, &envelope);
        prop_assert_eq!(&out[..span.start], &bytes[..span.start]);
        prop_assert_eq!(&out[span.start..span.start + 5], b"\"new\"");
        prop_assert_eq!(&out[span.start + 5..], &bytes[span.end..]);
    }

    #[test]
    fn quoted_texts_are_read_back(text in any::<String>()) {
        prop_assert_eq!(serde_json::from_slice::<String>(&json_string(&text)).unwrap(), text);
    }
}
