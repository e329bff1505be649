use std::sync::Arc;

use aisix_core::wire::{Dialect, sse};
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{hold::Hold, *};
use crate::{
    mask::{Check, Entity, Finder, known, near},
    text,
};

/// Writes the number of an entity in its place.
struct Numbered(Finder);

impl Editor for Numbered {
    fn look(&self, text: &str, from: usize, is_whole: bool) -> Result<Seen, Stop> {
        let write = |entity, _: &str| Some(format!("<\"{entity}\">"));
        Ok(self.0.look(text, from, text.len(), is_whole, write))
    }
}

/// Where in a chat a text is said.
#[derive(Clone, Copy, Debug)]
enum Place {
    Content,
    Arguments,
}

fn editor() -> Arc<Numbered> {
    let entity = |expression: &str| Entity::read(expression.to_owned(), Check::None).unwrap();
    let mut entities: Vec<Entity> = known::ALL.iter().map(known::Known::entity).collect();
    entities.push(Entity::ours(known::PRIVATE_KEY, Check::None));
    entities.push(entity(r"key=(\w+);?"));
    entities.push(entity(r"^first|\blast$|é+"));
    entities.extend(near("project falcon", 1, 0.8).unwrap());
    entities.extend(near("éclair", 1, 0.8).unwrap());
    Arc::new(Numbered(Finder::compile(entities).unwrap()))
}

fn said(place: Place, text: &str) -> Value {
    match place {
        Place::Content => json!({"content": text}),
        Place::Arguments => json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}),
    }
}

fn saying(place: Place, message: &Value) -> &str {
    let text = match place {
        Place::Content => &message["content"],
        Place::Arguments => &message["tool_calls"][0]["function"]["arguments"],
    };
    text.as_str().unwrap()
}

/// What becomes of a whole answer.
fn whole(editor: &dyn Editor, place: Place, text: &str) -> String {
    let answer = json!({"choices": [{"message": said(place, text)}]}).to_string();
    let answer = Bytes::from(answer);
    let edits = texts(editor, text::of_answer(Dialect::OpenAi, &answer)).unwrap();
    let answer = text::replace(&answer, edits).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    saying(place, &answer["choices"][0]["message"]).to_owned()
}

/// What becomes of a stream that is cut like this, and how much of it came out before its end.
fn streamed(editor: Arc<Numbered>, place: Place, pieces: &[&str]) -> (String, usize) {
    let mut hold = Hold::new(editor, Dialect::OpenAi, 1 << 20);
    let mut out = String::new();
    let mut take = |hold: &mut Hold| {
        while let Some(event) = hold.pop().unwrap() {
            let data: Value = serde_json::from_slice(&event.data().unwrap()).unwrap();
            out.push_str(saying(place, &data["choices"][0]["delta"]));
        }
        out.len()
    };
    let mut early = 0;
    for piece in pieces {
        let data = json!({"choices": [{"index": 0, "delta": said(place, piece)}]});
        let mut decoder = sse::Decoder::new(1 << 20);
        decoder.push(sse::encode(None, data.to_string().as_bytes()));
        hold.push(decoder.next().unwrap().unwrap()).unwrap();
        early = take(&mut hold);
    }
    hold.end().unwrap();
    take(&mut hold);
    (out, early)
}

/// Cuts a text after the characters for which there is a `true`.
fn cut<'t>(text: &'t str, cuts: &[bool]) -> Vec<&'t str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let ends = text.char_indices().skip(1).map(|(at, _)| at);
    for (end, _) in ends.zip(cuts.iter().cycle()).filter(|(_, cut)| **cut) {
        pieces.push(&text[start..end]);
        start = end;
    }
    pieces.push(&text[start..]);
    pieces
}

#[test]
fn an_entity_is_found_wherever_it_is_cut() {
    let editor = editor();
    for text in [
        "mail a.b@example.com, or 4111 1111 1111 1111 (DE89 3704 0044 0532 0130 00).",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIabc+/=\n-----END RSA PRIVATE KEY----- and é",
        "a key=secret; of projekt\nfalcon at 2001:db8::1, 10.0.0.1",
        "4111 1111 1111 1111",
    ] {
        let expected = whole(&*editor, Place::Content, text);
        assert_ne!(expected, text);
        for (at, _) in text.char_indices() {
            let (one, two) = text.split_at(at);
            let (said, _) = streamed(editor.clone(), Place::Content, &[one, two]);
            assert_eq!(said, expected, "cut at {at}");
        }
        let each = cut(text, &[true]);
        let (said, _) = streamed(editor.clone(), Place::Content, &each);
        assert_eq!(said, expected, "cut everywhere");
    }
}

#[test]
fn arguments_stay_json() {
    let editor = editor();
    let arguments = r#"{ "to" : "x\n\u0061@b.io\u0021" , "a@b.io":[4111111111111111 , 1.5, true],"é\/":"\ud83d\ude00 \"a@b.io\"", "n": {"card":4111111111111111}}"#;
    let expected = r#"{ "to" : "x\n<\"3\">\u0021" , "<\"3\">":["<\"0\">" , 1.5, true],"<\"49\">\/":"\ud83d\ude00 \"<\"3\">\"", "n": {"card":"<\"0\">"}}"#;
    assert_eq!(whole(&*editor, Place::Arguments, arguments), expected);
    serde_json::from_str::<Value>(expected).unwrap();
    for (at, _) in arguments.char_indices() {
        let (one, two) = arguments.split_at(at);
        let (said, _) = streamed(editor.clone(), Place::Arguments, &[one, two]);
        assert_eq!(said, expected, "cut at {at}");
    }
    let each = cut(arguments, &[true]);
    assert_eq!(streamed(editor, Place::Arguments, &each).0, expected);
}

#[test]
fn arguments_that_are_no_json_are_read_all_the_same() {
    let editor = editor();
    for (text, expected) in [
        ("to a@b.io", "to <\"3\">"),
        (r#"{"to": "a@b.io"#, r#"{"to": "<\"3\">"#),
        (
            r#"{"to": "\q a@b.io \ud800a@b.io \ud83d\n\ud83d\u12 \ud83d\u0041@b.io \u12""#,
            r#"{"to": "\q <\"3\"> \ud800<\"3\"> \ud83d\n\ud83d\u12 \ud83d<\"3\"> \u12""#,
        ),
        ("a@b.io", "<\"3\">"),
        (r#""\"#, r#""\"#),
    ] {
        assert_eq!(whole(&*editor, Place::Arguments, text), expected);
        let each = cut(text, &[true]);
        assert_eq!(
            streamed(editor.clone(), Place::Arguments, &each).0,
            expected
        );
    }
}

#[test]
fn what_cannot_become_an_entity_goes_on_at_once() {
    let text = "So far, there is nothing to hide here: (";
    let (said, early) = streamed(editor(), Place::Content, &[text, "now"]);
    assert_eq!(said.len() - early, "now".len());
    let (said, early) = streamed(editor(), Place::Arguments, &[r#"{"a": "b", "#, r#""c": ""#]);
    assert_eq!(said.len(), early);
}

/// Texts of parts that are entities, or nearly.
fn texts_with_entities() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "a",
        "1",
        " ",
        "@",
        ".io",
        "b.io",
        "-",
        "\n",
        "é",
        "\"",
        "\\",
        "{",
        "}",
        ",",
        ":",
        "first",
        "last",
        "key=",
        ";",
        "4111",
        "1111",
        "4111 1111 1111 1111",
        "a.b@example.com",
        "DE89 3704 0044 0532 0130 00",
        "078-05-1120",
        "192.168.0.1",
        "fe80::1",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "project",
        "falcon",
        "falkon ",
        "eclair",
        "éclar",
        "2024-02-29",
        "+1 555 123 4567",
        "Bearer ",
        "eyJhbGciOi.eyJzdWIiOi.sig",
        "password: ",
    ]);
    prop::collection::vec(parts, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// However a text is cut, it is edited as the whole is.
    #[test]
    fn cuts_do_not_matter(text in texts_with_entities(), cuts in prop::collection::vec(any::<bool>(), 1..40)) {
        let editor = EDITOR.with(Clone::clone);
        let expected = whole(&*editor, Place::Content, &text);
        let pieces = cut(&text, &cuts);
        prop_assert_eq!(&streamed(editor, Place::Content, &pieces).0, &expected);
    }

    /// The same in what tools are called with, whether it is JSON or not. What was JSON is JSON.
    #[test]
    fn cuts_do_not_matter_in_arguments(
        name in texts_with_entities(),
        text in texts_with_entities(),
        is_json in any::<bool>(),
        cuts in prop::collection::vec(any::<bool>(), 1..40),
    ) {
        let editor = EDITOR.with(Clone::clone);
        let arguments = match is_json {
            true => json!({name: [text, 4_111_111_111_111_111_u64]}).to_string().replace('é', "\\u00e9"),
            false => text,
        };
        let expected = whole(&*editor, Place::Arguments, &arguments);
        let pieces = cut(&arguments, &cuts);
        prop_assert_eq!(&streamed(editor, Place::Arguments, &pieces).0, &expected);
        if is_json {
            prop_assert!(serde_json::from_str::<Value>(&expected).is_ok(), "{}", expected);
        }
    }
}

thread_local! {
    static EDITOR: Arc<Numbered> = editor();
}
