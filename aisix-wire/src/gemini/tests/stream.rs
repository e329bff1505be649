use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::written;
use crate::chat::*;
use crate::gemini::Gemini;
use crate::sse::Decoder;
use crate::{Dialect, Usage};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/fixtures/gemini/stream/", $name))
    };
}

const ALL: [&[u8]; 9] = [
    fixture!("text.sse"),
    fixture!("tools.sse"),
    fixture!("cut.sse"),
    fixture!("error.sse"),
    fixture!("error_array.sse"),
    fixture!("blocked.sse"),
    fixture!("two_candidates.sse"),
    fixture!("unknown.sse"),
    fixture!("garbage.sse"),
];

const CONTEXT: WriteContext<'static> = WriteContext {
    model: "m",
    created: 7,
    request_id: "req-1",
    include_usage: true,
    request: b"{}",
};

/// Reads a stream that arrives in these pieces, to its end or to where it breaks.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Event>, Option<StreamError>) {
    let (mut decoder, mut reader, mut out) = (Decoder::new(1 << 20), Gemini.reader(), Vec::new());
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        while let Ok(Some(event)) = decoder.next() {
            let Some(data) = event.data() else { continue };
            if let Err(error) = reader.read(event.name(), &data, &mut out) {
                return (out, Some(error));
            }
        }
    }
    let end = reader.end(&mut out);
    (out, end.err())
}

fn write(events: &[Event]) -> BytesMut {
    let (mut writer, mut out) = (Gemini.writer(&CONTEXT), BytesMut::new());
    events
        .iter()
        .for_each(|event| writer.write(event, &mut out));
    out
}

/// Checks the order that readers promise.
fn check_order(events: &[Event], complete: bool) {
    let mut open = std::collections::BTreeMap::new();
    let mut finished = Vec::new();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(
            at == 0,
            matches!(event, Event::Start(_)),
            "one start, first: {event:?}"
        );
        match event {
            Event::BlockStart {
                choice,
                index,
                kind,
            } => {
                let (next, current): &mut (u32, Option<BlockKind>) =
                    open.entry(*choice).or_default();
                assert!(current.is_none() && next == index && !finished.contains(choice));
                (*next, *current) = (*next + 1, Some(kind.clone()));
            }
            Event::Delta { choice, delta } => {
                let kind = open[choice].1.as_ref().unwrap();
                let fits = match delta {
                    Delta::Text(text) => *kind == BlockKind::Text && !text.is_empty(),
                    Delta::Thinking(text) => *kind == BlockKind::Thinking && !text.is_empty(),
                    Delta::Arguments(_) => matches!(kind, BlockKind::ToolCall { .. }),
                    _ => true,
                };
                assert!(fits, "{delta:?} in {kind:?}");
            }
            Event::BlockEnd { choice } => assert!(open.get_mut(choice).unwrap().1.take().is_some()),
            Event::Finish { choice, .. } => {
                assert!(
                    open.get(choice).is_none_or(|(_, open)| open.is_none())
                        && !finished.contains(choice)
                );
                finished.push(*choice);
            }
            Event::End => assert_eq!(at + 1, events.len()),
            _ => {}
        }
    }
    assert_eq!(events.last() == Some(&Event::End), complete);
    assert!(!complete || open.keys().all(|choice| finished.contains(choice)));
}

fn texts(events: &[Event]) -> String {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Delta {
                delta: Delta::Text(text),
                ..
            } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

fn finishes(events: &[Event]) -> Vec<(u32, FinishReason, &str)> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Finish { choice, finish } => Some((
                *choice,
                finish.reason,
                finish.raw.as_deref().unwrap_or_default(),
            )),
            _ => None,
        })
        .collect()
}

#[test]
fn thoughts_and_text_are_read_as_blocks_and_the_last_usage_counts() {
    let (events, error) = read([ALL[0]]);
    assert_eq!(error, None);
    check_order(&events, true);
    let kinds: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::BlockStart { kind, .. } => Some(kind.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, [BlockKind::Thinking, BlockKind::Text]);
    assert_eq!(texts(&events), "hé🦀");
    let usage = events.iter().rev().find_map(|event| match event {
        Event::Usage(usage) => Some(*usage),
        _ => None,
    });
    assert_eq!(
        usage,
        Some(Usage {
            input: 6,
            cache_read: 4,
            output: 3,
            reasoning: 8,
            ..Usage::default()
        })
    );
    assert_eq!(finishes(&events), [(0, FinishReason::Stop, "STOP")]);
}

#[test]
fn calls_come_whole_with_ids_and_signatures() {
    let (events, error) = read([ALL[1]]);
    assert_eq!(error, None);
    check_order(&events, true);
    assert_eq!(
        events[0],
        Event::Start(Start {
            dialect: Dialect::Gemini,
            id: Some("r2".into()),
            model: Some("gemini-3-flash".into()),
            created: None
        })
    );
    let kind = BlockKind::ToolCall {
        id: "call_r2_0".into(),
        name: "lookup".into(),
    };
    assert_eq!(
        events[1..5],
        [
            Event::BlockStart {
                choice: 0,
                index: 0,
                kind
            },
            Event::Delta {
                choice: 0,
                delta: Delta::Signature("c2ln".into())
            },
            Event::Delta {
                choice: 0,
                delta: Delta::Arguments(r#"{"q":"rust"}"#.into())
            },
            Event::BlockEnd { choice: 0 },
        ]
    );
    let kind = BlockKind::ToolCall {
        id: "fc-9".into(),
        name: "now".into(),
    };
    assert_eq!(
        events[5],
        Event::BlockStart {
            choice: 0,
            index: 1,
            kind
        }
    );
    assert!(events.contains(&Event::Delta {
        choice: 0,
        delta: Delta::Signature("dGFpbA==".into())
    }));
    assert_eq!(finishes(&events), [(0, FinishReason::ToolCalls, "STOP")]);
}

#[test]
fn a_stream_that_breaks_has_no_end() {
    for (stream, text) in [
        (ALL[2], "half a"),
        (ALL[3], "half a"),
        (ALL[4], ""),
        (ALL[8], ""),
    ] {
        let (events, error) = read([stream]);
        assert!(error.is_some());
        assert_eq!(texts(&events), text);
        assert!(!events.contains(&Event::End) && finishes(&events).is_empty());
    }
    assert_eq!(read([ALL[2]]).1, Some(StreamError::Cut));
    assert!(
        matches!(read([ALL[3]]).1, Some(StreamError::InBand(refusal)) if refusal.kind.as_deref() == Some("UNAVAILABLE"))
    );
    assert!(
        matches!(read([ALL[4]]).1, Some(StreamError::InBand(refusal)) if refusal.message == "Quota exceeded")
    );
    assert_eq!(read([ALL[8]]).1, Some(StreamError::Malformed));
    assert_eq!(read([]).1, Some(StreamError::Cut));
    let usage_only = b"data: {\"usageMetadata\":{\"promptTokenCount\":1}}\n\n";
    assert_eq!(read([&usage_only[..]]).1, Some(StreamError::Cut));
}

#[test]
fn blocked_prompts_several_candidates_and_unknown_things_are_read() {
    let (events, error) = read([ALL[5]]);
    assert_eq!(
        (error, finishes(&events)),
        (None, vec![(0, FinishReason::ContentFilter, "SAFETY")])
    );
    check_order(&events, true);

    let (events, error) = read([ALL[6]]);
    assert_eq!(error, None);
    check_order(&events, true);
    assert_eq!(
        finishes(&events),
        [
            (0, FinishReason::Length, "MAX_TOKENS"),
            (1, FinishReason::Stop, "STOP")
        ]
    );

    let (events, error) = read([ALL[7]]);
    assert_eq!(error, None);
    check_order(&events, true);
    assert_eq!(
        texts(&events),
        "x",
        "what comes after the end is passed over"
    );
    let whole = events.iter().filter(|event| {
        matches!(
            event,
            Event::BlockStart {
                kind: BlockKind::Whole(_),
                ..
            }
        )
    });
    assert_eq!(whole.count(), 2);
    assert_eq!(
        finishes(&events),
        [(0, FinishReason::Other, "SOMETHING_NEW")]
    );
}

#[test]
fn more_candidates_than_are_reasonable_break_the_stream() {
    let candidates: Vec<String> = (0..200)
        .map(|index| format!(r#"{{"index":{index}}}"#))
        .collect();
    let data = format!(r#"{{"candidates":[{}]}}"#, candidates.join(","));
    assert_eq!(
        Gemini.reader().read(None, data.as_bytes(), &mut Vec::new()),
        Err(StreamError::TooMuch)
    );
    let mut reader = Gemini.reader();
    assert_eq!(
        reader.read(
            None,
            br#"{"candidates":[{"index":99999999999}]}"#,
            &mut Vec::new()
        ),
        Err(StreamError::Malformed)
    );
}

/// What a stream says, however it is cut: kinds, texts and ends.
fn gist(events: &[Event]) -> Vec<String> {
    let mut said: Vec<String> = Vec::new();
    for event in events {
        let line = match event {
            Event::Start(_) | Event::Usage(_) | Event::BlockEnd { .. } | Event::Opaque(_) => {
                continue;
            }
            Event::BlockStart { choice, kind, .. } => format!("{choice} {kind:?}: "),
            Event::Delta {
                choice,
                delta: Delta::Text(text) | Delta::Thinking(text),
            } => {
                let last = said
                    .iter_mut()
                    .rev()
                    .find(|line| line.starts_with(&format!("{choice} ")))
                    .unwrap();
                last.push_str(text);
                continue;
            }
            other => format!("{other:?}"),
        };
        said.push(line);
    }
    said
}

#[test]
fn streams_come_out_as_they_went_in() {
    for stream in [ALL[0], ALL[1], ALL[6], ALL[7]] {
        let (events, _) = read([stream]);
        let out = write(&events);
        let (again, error) = read([&out[..]]);
        assert_eq!(error, None);
        check_order(&again, true);
        assert_eq!(gist(&again), gist(&events));
        let usage = |events: &[Event]| {
            events
                .iter()
                .rev()
                .find(|event| matches!(event, Event::Usage(_)))
                .cloned()
        };
        assert_eq!(usage(&again), usage(&events));
    }
}

#[test]
fn a_stream_of_another_dialect_is_written_part_by_part() {
    let kind = BlockKind::ToolCall {
        id: "c1".into(),
        name: "f".into(),
    };
    let choice = 0;
    let events = [
        Event::Start(Start {
            dialect: Dialect::OpenAi,
            id: None,
            model: Some("gpt".into()),
            created: None,
        }),
        Event::BlockStart {
            choice,
            index: 0,
            kind: BlockKind::Text,
        },
        Event::Delta {
            choice,
            delta: Delta::Text("hi".into()),
        },
        Event::BlockEnd { choice },
        Event::BlockStart {
            choice,
            index: 1,
            kind,
        },
        Event::Delta {
            choice,
            delta: Delta::Arguments("{\"a\"".into()),
        },
        Event::Delta {
            choice,
            delta: Delta::Arguments(":0.10}".into()),
        },
        Event::BlockEnd { choice },
        Event::Finish {
            choice,
            finish: Finish::new(FinishReason::ToolCalls, Some("tool_calls".into())),
        },
        Event::Usage(Usage {
            input: 1,
            output: 2,
            ..Usage::default()
        }),
        Event::End,
        Event::Delta {
            choice,
            delta: Delta::Text("late".into()),
        },
    ];
    let out = String::from_utf8(write(&events).to_vec()).unwrap();
    let lines: Vec<_> = out
        .split("\r\n\r\n")
        .filter(|line| !line.is_empty())
        .map(|line| line.strip_prefix("data: ").unwrap())
        .collect();
    let tail = r#""modelVersion":"m","responseId":"req-1"}"#;
    assert_eq!(
        lines,
        [
            format!(
                r#"{{"candidates":[{{"content":{{"parts":[{{"text":"hi"}}],"role":"model"}},"index":0}}],{tail}"#
            ),
            format!(
                r#"{{"candidates":[{{"content":{{"parts":[{{"functionCall":{{"id":"c1","name":"f","args":{{"a":0.10}}}}}}],"role":"model"}},"index":0}}],{tail}"#
            ),
            format!(
                r#"{{"candidates":[{{"content":{{"parts":[{{"text":""}}],"role":"model"}},"finishReason":"STOP","index":0}}],"usageMetadata":{{"promptTokenCount":1,"candidatesTokenCount":2,"totalTokenCount":3}},{tail}"#
            ),
        ]
    );
}

#[test]
fn an_answer_that_nobody_ended_ends_all_the_same() {
    let start = Event::Start(Start {
        dialect: Dialect::OpenAi,
        id: None,
        model: None,
        created: None,
    });
    let text = |choice| Event::Delta {
        choice,
        delta: Delta::Text("x".into()),
    };
    for (said, ended) in [(vec![start], vec![0]), (vec![text(1), text(0)], vec![1, 0])] {
        let stream = write(&[said, vec![Event::End]].concat());
        let (events, error) = read([&stream[..]]);
        assert_eq!(error, None);
        let expected = ended
            .into_iter()
            .map(|choice| (choice, FinishReason::Stop, "STOP"));
        assert_eq!(finishes(&events), Vec::from_iter(expected));
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let choice = 0..3_u32;
    let kind = prop_oneof![
        Just(BlockKind::Text),
        Just(BlockKind::Thinking),
        Just(BlockKind::Refusal),
        Just(BlockKind::ToolCall {
            id: "c".into(),
            name: "f".into()
        }),
        Just(BlockKind::Whole(Box::new(Block::text("w")))),
    ];
    let delta = ("[a-z{}\":🦀\n]{1,5}", 0..5_usize).prop_map(|(text, which)| match which {
        0 => Delta::Text(text),
        1 => Delta::Thinking(text),
        2 => Delta::Arguments(text),
        3 => Delta::Refusal(text),
        _ => Delta::Signature(text),
    });
    prop_oneof![
        (choice.clone(), kind, 0..9_u32).prop_map(|(choice, kind, index)| Event::BlockStart {
            choice,
            index,
            kind
        }),
        (choice.clone(), delta).prop_map(|(choice, delta)| Event::Delta { choice, delta }),
        choice.clone().prop_map(|choice| Event::BlockEnd { choice }),
        choice.prop_map(|choice| Event::Finish {
            choice,
            finish: Finish::new(FinishReason::Stop, None)
        }),
        Just(Event::Usage(Usage::default())),
        Just(Event::End),
    ]
}

proptest! {
    #[test]
    fn any_split_gives_the_same_events(which in 0..ALL.len(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let stream = ALL[which];
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]);
        prop_assert_eq!(read(pieces), read([stream]));
    }

    #[test]
    fn whatever_the_order_of_events_what_is_written_is_valid(events in prop::collection::vec(any_event(), 0..30)) {
        let out = write(&events);
        let mut decoder = Decoder::new(1 << 20);
        decoder.push(out.freeze());
        let mut reader = Gemini.reader();
        let mut read = Vec::new();
        while let Ok(Some(event)) = decoder.next() {
            let data = event.data().unwrap();
            prop_assert!(written(&data).is_object());
            reader.read(None, &data, &mut read).unwrap();
        }
        prop_assert_eq!(decoder.pending(), 0);
        check_order(&read, false);
    }
}
