use aisix_core::wire::Dialect;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::keyword_guard::pattern::{self, Patterns};

fn patterns(all: &[(&str, bool)]) -> Arc<Patterns> {
    let all: Vec<_> = all
        .iter()
        .map(|(value, is_literal)| pattern::read(value, *is_literal).unwrap())
        .collect();
    Arc::new(Patterns::compile(&all).unwrap())
}

fn event(choice: u64, text: &str) -> sse::Event {
    let data = json!({"choices": [{"index": choice, "delta": {"content": text}}]});
    let mut decoder = sse::Decoder::new(1 << 20);
    decoder.push(sse::encode(None, data.to_string().as_bytes()));
    decoder.next().unwrap().unwrap()
}

/// Lets these pieces through; gives what came out before the end, and at last.
fn through(patterns: &Arc<Patterns>, pieces: &[&str]) -> Result<(usize, usize), Stop> {
    let mut hold = Hold::new(patterns.clone(), Dialect::OpenAi, MAX_HELD);
    let mut out = 0;
    for piece in pieces {
        hold.push(event(0, piece))?;
        while hold.pop()?.is_some() {
            out += 1;
        }
    }
    hold.end()?;
    let mut last = out;
    while hold.pop()?.is_some() {
        last += 1;
    }
    Ok((out, last))
}

fn characters(text: &str) -> Vec<&str> {
    text.split_inclusive(|_| true).collect()
}

#[test]
fn a_match_is_found_wherever_it_is_cut() {
    for (pattern, is_literal, text) in [
        ("Größe", true, "die GRÖSSE ist die gRößE hier"),
        ("a.c", true, "abc a.c"),
        (r"\bsecret\b", false, "secrets, secret"),
        (r"\d{3}-\d{2}-\d{4}", false, "it is 123-45-6789."),
        ("foo.*bar", false, "foo and then some bar"),
        ("(?P<n>x+)y|(?:ab){2,}c", false, "ababababc"),
        ("a(?:b{2})?c|(?:x+)?y{2}", false, "abb abbb yy"),
        ("end$", false, "not the end, the end"),
        ("^begin", false, "begin"),
        (
            &"long ".repeat(30),
            true,
            &format!("a {}", "long ".repeat(30)),
        ),
    ] {
        let patterns = patterns(&[(pattern, is_literal), ("(?P<n>never)", false)]);
        assert!(patterns.is_match(text), "{pattern}");
        for (at, _) in text.char_indices() {
            let (one, two) = text.split_at(at);
            let cut = through(&patterns, &[one, two]);
            assert_eq!(cut, Err(Stop::Match), "{pattern} at {at}");
        }
        let cut = through(&patterns, &characters(text));
        assert_eq!(cut, Err(Stop::Match), "{pattern}");
    }
}

#[test]
fn what_only_looks_like_a_match_goes_on() {
    for (pattern, text) in [
        (r"\bsecret\b", "secrets"),
        (r"^begin", "to begin"),
        (r"end$", "the end of it"),
        (r"foo\B", "foo bar foo"),
    ] {
        let patterns = patterns(&[(pattern, false)]);
        assert!(!patterns.is_match(text), "{pattern}");
        let pieces = characters(text);
        let (_, last) = through(&patterns, &pieces).unwrap();
        assert_eq!(last, pieces.len(), "{pattern}");
    }
}

#[test]
fn no_more_is_held_back_than_could_become_a_match() {
    let patterns = patterns(&[("forbidden", true), (r"\d{3}-\d{2}", false)]);
    for (pieces, expected) in [
        (&["hello", " world"][..], 2),
        (&["hello", " wor", "for"], 2),
        (&["for", "get"], 2),
        (&["for", "bid", " it"], 3),
        (&["12", "3-4", "x"], 3),
        (&["12", "3-4"], 0),
    ] {
        let (out, last) = through(&patterns, pieces).unwrap();
        assert_eq!((out, last), (expected, pieces.len()), "{pieces:?}");
    }
}

#[test]
fn texts_of_several_choices_are_not_mixed_up() {
    let patterns = patterns(&[("forbidden", true)]);
    let mut hold = Hold::new(patterns, Dialect::OpenAi, MAX_HELD);
    hold.push(event(0, "forb")).unwrap();
    hold.push(event(1, "idden")).unwrap();
    assert!(hold.pop().unwrap().is_none());
    assert_eq!(hold.push(event(0, "idden")), Err(Stop::Match));
}

/// How many of these events have come out after each one.
fn out_after(dialect: Dialect, events: &[serde_json::Value]) -> Vec<usize> {
    let mut hold = Hold::new(patterns(&[("forbidden", true)]), dialect, MAX_HELD);
    let mut out = 0;
    let after = events.iter().map(|data| {
        let mut decoder = sse::Decoder::new(1 << 20);
        decoder.push(sse::encode(None, data.to_string().as_bytes()));
        hold.push(decoder.next().unwrap().unwrap()).unwrap();
        while hold.pop().unwrap().is_some() {
            out += 1;
        }
        out
    });
    after.collect()
}

#[test]
fn a_text_that_has_ended_holds_nothing_back() {
    let delta = |delta| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": ""}]});
    let finish = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let chat = [
        delta(json!({"reasoning_content": "for", "content": ""})),
        delta(json!({"content": "for"})),
        delta(json!({"content": "get for"})),
        finish,
    ];
    assert_eq!(out_after(Dialect::OpenAi, &chat), [0, 1, 2, 4]);
    let messages = [
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "for"}}),
        json!({"type": "content_block_stop", "index": 1}),
        json!({"type": "content_block_stop", "index": 0}),
    ];
    assert_eq!(out_after(Dialect::Anthropic, &messages), [0, 0, 3]);
    let responses = [
        json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "for"}),
        json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": "for"}),
    ];
    assert_eq!(out_after(Dialect::Responses, &responses), [0, 2]);
    let part = |text| json!({"content": {"parts": [{"text": text}]}});
    let mut last = part("get for");
    last["finishReason"] = json!("STOP");
    let gemini = [
        json!({"candidates": [part("for")]}),
        json!({"candidates": [last]}),
    ];
    assert_eq!(out_after(Dialect::Gemini, &gemini), [0, 2]);
}

#[test]
fn too_much_to_be_held_back_is_refused() {
    let patterns = patterns(&[("a.*b", false)]);
    // Little text in many events.
    assert_eq!(through(&patterns, &["a"; 8_000]), Err(Stop::Untold));
    assert!(through(&patterns, &["a"; 1_000]).is_ok());
}

#[test]
fn a_text_that_is_only_watched_is_not_remembered_for_ever() {
    let mut tails = Tails::new(patterns(&[("a.*b", false)]), Dialect::OpenAi, MAX_HELD);
    let piece = event(0, &"a".repeat(1_000));
    let mut looks = (0..300).map(|_| tails.look(&piece));
    assert_eq!(looks.find_map(Result::err), Some(Stop::Untold));
}

#[test]
fn an_event_that_cannot_be_read_is_refused() {
    let mut hold = Hold::new(patterns(&[("a", true)]), Dialect::OpenAi, MAX_HELD);
    let mut decoder = sse::Decoder::new(64);
    decoder.push("data: no json\n\n".into());
    let event = decoder.next().unwrap().unwrap();
    assert_eq!(hold.push(event), Err(Stop::Untold));
}

proptest! {
    /// However a text is cut, what is said of it is the same, and what has gone out could not have been held back.
    #[test]
    fn cuts_do_not_matter(text in "[abc -]{0,24}", cuts in prop::collection::vec(any::<bool>(), 24)) {
        let patterns = patterns(&[("abca", true), (r"\bb{2,3}\b", false), ("c[ab]*-", false), ("a$", false)]);
        let mut pieces = vec![String::new()];
        for (character, cut) in text.chars().zip(cuts) {
            match pieces.last_mut() {
                Some(last) if !cut => last.push(character),
                _ => pieces.push(character.to_string()),
            }
        }
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let said = through(&patterns, &pieces);
        match patterns.is_match(&text) {
            true => prop_assert_eq!(said, Err(Stop::Match)),
            false => prop_assert_eq!(said.map(|(_, last)| last), Ok(pieces.len())),
        }
    }
}
