use bytes::Bytes;
use proptest::prelude::*;

use crate::anthropic::{Meter, usage};
use crate::openai::Mark;
use crate::sse::Decoder;
use crate::{Envelope, Usage};

fn mark(data: &str) -> Mark {
    Meter::new().observe(None, data.as_bytes())
}

fn run(stream: &'static [u8]) -> (Meter, Vec<Mark>) {
    let mut decoder = Decoder::new(1 << 20);
    decoder.push(Bytes::from_static(stream));
    let mut meter = Meter::new();
    let mut marks = Vec::new();
    while let Some(event) = decoder.next().unwrap() {
        marks.push(meter.observe(event.name(), &event.data().unwrap()));
    }
    (meter, marks)
}

#[test]
fn a_stream_is_followed_to_its_end() {
    use Mark::{Content, Done, Finish, Preamble};
    let (meter, marks) = run(include_bytes!(
        "../../../tests/fixtures/anthropic/stream/text.sse"
    ));
    assert_eq!(
        marks,
        [
            Preamble, Preamble, Preamble, Content, Content, Preamble, Finish, Done
        ]
    );
    assert!(meter.finished() && meter.done());
    assert_eq!(meter.text_bytes(), "Héllo 🦀".len() as u64);
    let counted = Usage {
        input: 12,
        output: 5,
        ..Usage::default()
    };
    assert_eq!(meter.usage(), Some(counted));
}

#[test]
fn usage_that_comes_twice_is_replaced_and_never_added() {
    let (meter, _) = run(include_bytes!(
        "../../../tests/fixtures/anthropic/stream/thinking.sse"
    ));
    let counted = Usage {
        input: 40,
        cache_read: 60,
        cache_write: 5,
        output: 5,
        reasoning: 4,
    };
    assert_eq!(meter.usage(), Some(counted));
    let (meter, _) = run(include_bytes!(
        "../../../tests/fixtures/anthropic/stream/usage_twice.sse"
    ));
    assert_eq!(meter.usage().unwrap().output, 7);
    assert_eq!(meter.usage().unwrap().input, 12);
}

#[test]
fn tool_calls_and_whole_blocks_are_content_at_once() {
    for content in [
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"redacted_thinking","data":"x"}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"hologram"}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"x"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"x"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{}}}"#,
    ] {
        assert_eq!(mark(content), Mark::Content, "{content}");
    }
    for preamble in [
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":""}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"news"}"#,
        "{}",
    ] {
        assert_eq!(mark(preamble), Mark::Preamble, "{preamble}");
    }
}

#[test]
fn errors_and_rubbish_in_a_stream_are_noticed() {
    let (meter, marks) = run(include_bytes!(
        "../../../tests/fixtures/anthropic/stream/error.sse"
    ));
    let Some(Mark::Error(refusal)) = marks.last() else {
        panic!("an error");
    };
    assert_eq!(refusal.kind.as_deref(), Some("overloaded_error"));
    assert!(!meter.finished() && !meter.done());
    assert!(matches!(
        mark(r#"{"error":{"message":"m"}}"#),
        Mark::Error(_)
    ));
    for rubbish in ["", "<html>", "{\"type\":", "[]", "[DONE]"] {
        assert_eq!(mark(rubbish), Mark::Malformed, "{rubbish}");
    }
    assert_eq!(
        Meter::new().observe(Some(b"message_stop"), b"{}"),
        Mark::Done
    );
}

#[test]
fn counts_that_are_none_say_nothing() {
    for nothing in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"input_tokens":null}"#,
        r#"{"input_tokens":-1}"#,
    ] {
        assert_eq!(usage(nothing.as_bytes()), None, "{nothing}");
    }
    let cut =
        usage(br#"{"output_tokens":3,"output_tokens_details":{"thinking_tokens":9}}"#).unwrap();
    assert_eq!((cut.output, cut.reasoning), (0, 3));
}

proptest! {
    #[test]
    fn no_bytes_make_the_meter_panic(name in proptest::option::of("[a-z_]{0,20}"), data in ".*") {
        let mark = Meter::new().observe(name.as_deref().map(str::as_bytes), data.as_bytes());
        prop_assert_eq!(mark == Mark::Malformed, Envelope::scan(data.as_bytes(), &[]).is_err());
    }
}
