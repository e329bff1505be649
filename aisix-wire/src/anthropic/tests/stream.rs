use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::validator::{events, validate};
use crate::anthropic::Messages;
use crate::chat::{
    Block, BlockKind, CallerCodec, Content, Delta, Event, Finish, FinishReason, Opaque, Raw, Start,
    StreamError, UpstreamCodec, WriteContext,
};
use crate::sse::Decoder;
use crate::{Dialect, Usage};

macro_rules! stream {
    ($name:literal) => {
        include_bytes!(concat!(
            "../../../tests/fixtures/anthropic/stream/",
            $name,
            ".sse"
        ))
        .as_slice()
    };
}

fn read(stream: &[u8], cut: usize) -> (Vec<Event>, Result<(), StreamError>) {
    let mut decoder = Decoder::new(1 << 20);
    let mut reader = Messages.reader();
    let mut out = Vec::new();
    for chunk in stream.chunks(cut.max(1)) {
        decoder.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = decoder.next().unwrap() {
            let data = event.data().unwrap_or_default();
            if let Err(error) = reader.read(event.name(), &data, &mut out) {
                return (out, Err(error));
            }
        }
    }
    let end = reader.end(&mut out);
    (out, end)
}

fn write(events: &[Event]) -> Vec<u8> {
    let mut writer = Messages.writer(&WriteContext {
        model: "claude",
        created: 1,
        request_id: "0f",
        include_usage: false,
        request: b"{}",
    });
    let mut out = BytesMut::new();
    events
        .iter()
        .for_each(|event| writer.write(event, &mut out));
    out.to_vec()
}

fn start(dialect: Dialect) -> Event {
    Event::Start(Start {
        dialect,
        id: Some("msg_1".into()),
        model: Some("claude".into()),
        created: None,
    })
}

fn block(index: u32, kind: BlockKind) -> Event {
    Event::BlockStart {
        choice: 0,
        index,
        kind,
    }
}

fn delta(delta: Delta) -> Event {
    Event::Delta { choice: 0, delta }
}

fn finish(reason: FinishReason, raw: &str) -> Event {
    Event::Finish {
        choice: 0,
        finish: Finish::new(reason, Some(raw.into())),
    }
}

fn usage(input: u64, output: u64) -> Event {
    Event::Usage(Usage {
        input,
        output,
        ..Usage::default()
    })
}

const STOP: Event = Event::BlockEnd { choice: 0 };

fn call(id: &str, name: &str) -> BlockKind {
    BlockKind::ToolCall {
        id: id.into(),
        name: name.into(),
    }
}

#[test]
fn text_is_read_event_by_event() {
    let (events, end) = read(stream!("text"), usize::MAX);
    end.unwrap();
    let golden = [
        start(Dialect::Anthropic),
        usage(12, 1),
        block(0, BlockKind::Text),
        delta(Delta::Text("Hé".into())),
        delta(Delta::Text("llo 🦀".into())),
        STOP,
        usage(12, 5),
        finish(FinishReason::Stop, "end_turn"),
        Event::End,
    ];
    assert_eq!(events, golden);
}

#[test]
fn tool_calls_are_read_with_and_without_arguments() {
    let (events, end) = read(stream!("tools"), usize::MAX);
    end.unwrap();
    let golden = [
        start(Dialect::Anthropic),
        usage(12, 1),
        block(0, BlockKind::Text),
        delta(Delta::Text("Let me see.".into())),
        STOP,
        block(1, call("toolu_1", "lookup")),
        delta(Delta::Arguments(r#"{"q": "ru"#.into())),
        delta(Delta::Arguments(r#"st"}"#.into())),
        STOP,
        block(2, call("toolu_2", "now")),
        STOP,
        usage(12, 30),
        finish(FinishReason::ToolCalls, "tool_use"),
        Event::End,
    ];
    assert_eq!(events, golden);
}

#[test]
fn thinking_signatures_citations_and_usage_are_read() {
    let (events, end) = read(stream!("thinking"), usize::MAX);
    end.unwrap();
    let hidden = Block::new(Content::RedactedThinking("Emw".into()));
    let counted = |output, reasoning| {
        Event::Usage(Usage {
            input: 40,
            cache_read: 60,
            cache_write: 5,
            output,
            reasoning,
        })
    };
    let citation = r#"[{"type":"char_location","cited_text":"x","document_index":0,"document_title":"t","start_char_index":0,"end_char_index":1}]"#;
    let golden = [
        start(Dialect::Anthropic),
        counted(1, 0),
        block(0, BlockKind::Thinking),
        delta(Delta::Thinking("hm".into())),
        delta(Delta::Signature("EpIB".into())),
        STOP,
        block(1, BlockKind::Whole(Box::new(hidden))),
        STOP,
        block(2, BlockKind::Text),
        delta(Delta::Text("hi".into())),
        delta(Delta::Citations(Opaque {
            dialect: Dialect::Anthropic,
            raw: Raw::parse(citation).unwrap(),
        })),
        STOP,
        counted(5, 4),
        finish(FinishReason::Stop, "end_turn"),
        Event::End,
    ];
    assert_eq!(events, golden);
}

#[test]
fn good_streams_survive_the_neutral_form() {
    for stream in [
        stream!("text"),
        stream!("tools"),
        stream!("thinking"),
        stream!("unknown"),
    ] {
        let (before, end) = read(stream, usize::MAX);
        end.unwrap();
        let written = write(&before);
        validate(&written)
            .unwrap_or_else(|error| assert!(error.starts_with("stop reason"), "{error}"));
        let (after, end) = read(&written, usize::MAX);
        end.unwrap();
        let but_finish = |events: Vec<Event>| -> Vec<Event> {
            let rest = events.into_iter();
            rest.filter(|event| !matches!(event, Event::Finish { .. }))
                .collect()
        };
        assert_eq!(but_finish(after), but_finish(before));
    }
}

#[test]
fn a_call_that_comes_whole_in_one_chunk_keeps_its_arguments() {
    let stream = b"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"a\":1}}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let (read_events, end) = read(stream, usize::MAX);
    end.unwrap();
    assert!(read_events.contains(&delta(Delta::Arguments(r#"{"a":1}"#.into()))));
    let written = write(&read_events);
    validate(&written).unwrap();
    let all = events(&written);
    let started = all
        .iter()
        .find(|(name, _)| name == "content_block_start")
        .unwrap();
    assert_eq!(started.1["content_block"]["input"], serde_json::json!({}));
    let given = all
        .iter()
        .find(|(name, _)| name == "content_block_delta")
        .unwrap();
    assert_eq!(given.1["delta"]["partial_json"], r#"{"a":1}"#);
}

#[test]
fn an_error_in_the_stream_is_told_with_its_type() {
    let (events, end) = read(stream!("error"), usize::MAX);
    let Err(StreamError::InBand(refusal)) = end else {
        panic!("an error");
    };
    assert_eq!(refusal.kind.as_deref(), Some("overloaded_error"));
    assert!(!events.contains(&Event::End));
}

#[test]
fn broken_streams_are_told_and_never_end_well() {
    for stream in [stream!("bad_two_starts"), stream!("bad_interleaved")] {
        let (events, end) = read(stream, usize::MAX);
        assert_eq!(end, Err(StreamError::Malformed));
        assert!(!events.contains(&Event::End));
    }
    let (events, end) = read(b"event: message_start\ndata: {\"type\":\n\n", usize::MAX);
    assert_eq!((events.len(), end), (0, Err(StreamError::Malformed)));
}

#[test]
fn what_comes_after_the_end_is_passed_over() {
    for stream in [stream!("bad_text_after_stop"), stream!("bad_after_stop")] {
        let (events, end) = read(stream, usize::MAX);
        end.unwrap();
        assert_eq!(events.last(), Some(&Event::End));
        assert_eq!(
            events.iter().filter(|event| **event == Event::End).count(),
            1
        );
        assert!(!events.contains(&delta(Delta::Text("late".into()))));
        validate(&write(&events)).unwrap();
    }
}

#[test]
fn a_block_that_is_not_closed_is_closed_by_the_end() {
    let (events, end) = read(stream!("bad_unfinished"), usize::MAX);
    end.unwrap();
    assert_eq!(events.iter().filter(|event| **event == STOP).count(), 1);
    validate(&write(&events)).unwrap();
}

#[test]
fn a_thinking_delta_in_a_text_block_opens_a_block_of_its_own() {
    let piece = |kind: &str, member: &str| {
        format!(
            "data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"{kind}\",\"{member}\":\"x\"}}}}\n\n"
        )
    };
    let stream = [
        "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        &piece("text_delta", "text"),
        &piece("thinking_delta", "thinking"),
        &piece("text_delta", "text"),
        "data: {\"type\":\"message_stop\"}\n\n",
    ]
    .concat();
    let (events, end) = read(stream.as_bytes(), usize::MAX);
    end.unwrap();
    assert_eq!(events.iter().filter(|event| **event == STOP).count(), 3);
    validate(&write(&events)).unwrap();
}

#[test]
fn unknown_events_are_skipped_and_unknown_blocks_kept_whole() {
    let (events, end) = read(stream!("unknown"), usize::MAX);
    end.unwrap();
    let whole = events.iter().find_map(|event| match event {
        Event::BlockStart {
            kind: BlockKind::Whole(block),
            ..
        } => Some(&block.content),
        _ => None,
    });
    let Some(Content::Opaque(opaque)) = whole else {
        panic!("an opaque block");
    };
    assert_eq!(opaque.raw.as_str(), r#"{"type":"hologram","data":{"a":1}}"#);
    assert!(events.contains(&finish(FinishReason::Other, "enchanted")));
}

#[test]
fn usage_that_comes_twice_is_replaced() {
    let (events, end) = read(stream!("usage_twice"), usize::MAX);
    end.unwrap();
    let last = events
        .iter()
        .rfind(|event| matches!(event, Event::Usage(_)));
    assert_eq!(last, Some(&usage(12, 7)));
    let finishes = events
        .iter()
        .filter(|event| matches!(event, Event::Finish { .. }));
    assert_eq!(
        finishes.collect::<Vec<_>>(),
        [&finish(FinishReason::Length, "max_tokens")]
    );
}

#[test]
fn a_stream_that_stops_early_is_cut_wherever_it_stops() {
    let stream = stream!("text");
    let whole = stream.len();
    let finished = stream
        .windows(13)
        .position(|w| w == b"event: messag")
        .unwrap();
    let last_delta = String::from_utf8_lossy(stream)
        .find("event: message_delta")
        .unwrap();
    assert_eq!(finished, 0);
    for len in 0..last_delta {
        let (events, end) = read(&stream[..len], usize::MAX);
        assert_eq!(end, Err(StreamError::Cut), "{len}");
        assert!(!events.contains(&Event::End));
    }
    assert_eq!(read(&stream[..whole], usize::MAX).1, Ok(()));
}

#[test]
fn arguments_that_are_no_object_are_wrapped_in_one() {
    for (pieces, input) in [
        (&["not", " json"][..], r#"{"arguments":"not json"}"#),
        (&["\"{}\""], r#"{"arguments":"\"{}\""}"#),
        (&[" ", "\n{", "\"a\":1}"], "\n{\"a\":1}"),
        (&["", " "], ""),
        (&[], ""),
    ] {
        let mut all = vec![start(Dialect::OpenAi), block(0, call("t", "f"))];
        all.extend(
            pieces
                .iter()
                .map(|piece| delta(Delta::Arguments((*piece).into()))),
        );
        all.push(Event::End);
        let written = write(&all);
        validate(&written).unwrap();
        let given: String = events(&written)
            .iter()
            .filter_map(|(_, data)| data["delta"]["partial_json"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(given.trim(), input.trim());
        assert!(String::from_utf8_lossy(&written).contains(r#""stop_reason":"tool_use""#));
    }
}

#[test]
fn the_start_waits_for_the_usage_of_its_own_dialect_only() {
    let written = write(&[start(Dialect::Anthropic), usage(7, 1)]);
    assert_eq!(events(&written)[0].1["message"]["usage"]["input_tokens"], 7);
    assert!(write(&[start(Dialect::Anthropic)]).is_empty());
    assert!(!write(&[start(Dialect::OpenAi)]).is_empty());
}

fn object_pieces() -> impl Strategy<Value = Vec<String>> {
    let object = proptest::collection::hash_map("[a-z\"\\\\ü]{1,4}", any::<i32>(), 0..3);
    (
        object,
        proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
    )
        .prop_map(|(object, cuts)| {
            let text = serde_json::to_string(&object).unwrap();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.retain(|cut| text.is_char_boundary(*cut));
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            cuts.windows(2)
                .map(|pair| text[pair[0]..pair[1]].to_owned())
                .collect()
        })
}

/// Events in any order; arguments come as a call and all pieces of an object, or as junk.
fn anything() -> impl Strategy<Value = Vec<Event>> {
    let text = "[a-z \n\"ü🦀]{0,6}";
    let one = prop_oneof![
        Just(vec![start(Dialect::OpenAi)]),
        Just(vec![start(Dialect::Anthropic)]),
        Just(vec![block(0, BlockKind::Text)]),
        Just(vec![block(3, BlockKind::Thinking)]),
        Just(vec![block(3, BlockKind::Refusal)]),
        Just(vec![block(0, BlockKind::Whole(Box::new(Block::text("x"))))]),
        Just(vec![block(
            0,
            BlockKind::Whole(Box::new(Block::new(Content::RedactedThinking("x".into()))))
        )]),
        Just(vec![STOP]),
        Just(vec![usage(1, 2)]),
        Just(vec![finish(FinishReason::Stop, "stop")]),
        Just(vec![finish(FinishReason::ToolCalls, "tool_calls")]),
        Just(vec![Event::Delta {
            choice: 1,
            delta: Delta::Text("other".into())
        }]),
        text.prop_map(|text| vec![delta(Delta::Text(text))]),
        text.prop_map(|text| vec![delta(Delta::Thinking(text))]),
        text.prop_map(|text| vec![delta(Delta::Refusal(text))]),
        text.prop_map(|text| vec![delta(Delta::Signature(text))]),
        text.prop_map(|text| vec![delta(Delta::Citations(Opaque {
            dialect: Dialect::Anthropic,
            raw: Raw::from_value(&serde_json::json!([{"cited_text": text}])),
        }))]),
        text.prop_map(|text| vec![
            block(0, call("t", "f")),
            delta(Delta::Arguments(text)),
            STOP
        ]),
        object_pieces().prop_map(|pieces| {
            let mut all = vec![block(0, call("t", "f"))];
            all.extend(
                pieces
                    .into_iter()
                    .map(|piece| delta(Delta::Arguments(piece))),
            );
            all.push(STOP);
            all
        }),
    ];
    proptest::collection::vec(one, 0..20).prop_map(|all| {
        let mut all = all.concat();
        all.push(Event::End);
        all.push(delta(Delta::Text("late".into())));
        all
    })
}

proptest! {
    #[test]
    fn every_sequence_of_events_is_written_as_a_valid_stream(all in anything()) {
        let written = write(&all);
        if let Err(error) = validate(&written) {
            return Err(TestCaseError::fail(format!("{error}\n{}", String::from_utf8_lossy(&written))));
        }
        let (again, end) = read(&written, usize::MAX);
        prop_assert_eq!(end, Ok(()));
        prop_assert_eq!(write(&again), written);
    }

    #[test]
    fn any_split_of_a_stream_gives_the_same_events(cut in 1_usize..200, which in 0_usize..5) {
        let stream = [
            stream!("text"), stream!("tools"), stream!("thinking"), stream!("unknown"), stream!("error"),
        ][which];
        prop_assert_eq!(read(stream, cut), read(stream, usize::MAX));
    }
}

#[test]
fn streams_of_chat_completions_become_valid_ones() {
    for stream in [
        include_bytes!("../../../tests/fixtures/openai/stream_tools.sse").as_slice(),
        include_bytes!("../../../tests/fixtures/openai/stream_choices.sse").as_slice(),
        include_bytes!("../../../tests/fixtures/openai/stream_same_index.sse").as_slice(),
    ] {
        let mut decoder = Decoder::new(1 << 20);
        decoder.push(Bytes::copy_from_slice(stream));
        let mut reader = crate::chat::upstream_codec(Dialect::OpenAi)
            .unwrap()
            .reader();
        let mut all = Vec::new();
        while let Some(event) = decoder.next().unwrap() {
            let data = event.data().unwrap_or_default();
            reader.read(event.name(), &data, &mut all).unwrap();
        }
        reader.end(&mut all).unwrap();
        let written = write(&all);
        validate(&written).unwrap_or_else(|error| {
            panic!("{error}\n{}", String::from_utf8_lossy(&written));
        });
        assert!(written.ends_with(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
    }
}
