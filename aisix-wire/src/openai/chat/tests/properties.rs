use std::collections::HashMap;

use bytes::BytesMut;
use proptest::prelude::*;

use super::{CONTEXT, ChatCompletions, canon, lines, read_stream};
use crate::chat::{
    Block, BlockKind, CallerCodec, Content, Delta, Event, Finish, FinishReason, Opaque, Raw, Start,
    UpstreamCodec, WriteOptions,
};
use crate::json::Object;
use crate::{Dialect, Usage, sse};

const STREAMS: [&str; 3] = [
    include_str!("../../../../tests/fixtures/openai/stream_tools.sse"),
    include_str!("../../../../tests/fixtures/openai/stream_choices.sse"),
    include_str!("../../../../tests/fixtures/openai/stream_same_index.sse"),
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-z{}\"\\\\ \n🙂é]{0,8}",
        Just("{}".to_owned())
    ]
}

fn json_text() -> impl Strategy<Value = String> {
    text().prop_map(|text| serde_json::to_string(&text).unwrap())
}

fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        json_text().prop_map(|t| format!(r#"{{"type":"text","text":{t}}}"#)),
        json_text().prop_map(|t| format!(
            r#"{{"type":"text","text":{t},"cache_control":{{"type":"ephemeral"}}}}"#
        )),
        Just(r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}"#.to_owned()),
        Just(
            r#"{"type":"image_url","image_url":{"url":"https://e.x/1","detail":"high"}}"#
                .to_owned()
        ),
        Just(r#"{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}"#.to_owned()),
        Just(r#"{"type":"file","file":{"file_data":"AAAA","filename":"f"}}"#.to_owned()),
        Just(r#"{"type":"other","x":[1.50,null]}"#.to_owned()),
    ]
}

/// A user message; one text part without a mark is written as a text, so there are two parts or more.
fn user() -> impl Strategy<Value = String> {
    let content = prop_oneof![
        json_text(),
        prop::collection::vec(part(), 2..4).prop_map(|parts| format!("[{}]", parts.join(","))),
    ];
    (content, prop::option::of(json_text())).prop_map(|(content, name)| {
        let name = name.map_or(String::new(), |name| format!(r#","name":{name}"#));
        format!(r#"{{"role":"user","content":{content}{name}}}"#)
    })
}

/// A model's message with calls, and their results.
fn tools() -> impl Strategy<Value = String> {
    let call = (json_text(), json_text(), any::<bool>());
    prop::collection::vec(call, 1..4).prop_map(|calls| {
        let (mut asked, mut answered) = (Vec::new(), String::new());
        for (index, (arguments, result, signed)) in calls.iter().enumerate() {
            let signature = match signed {
                true => r#","extra_content":{"google":{"thought_signature":"c2ln"}}"#,
                false => "",
            };
            asked.push(format!(
                r#"{{"id":"c{index}","type":"function","function":{{"name":"f","arguments":{arguments}}}{signature}}}"#
            ));
            answered += &format!(r#",{{"role":"tool","tool_call_id":"c{index}","content":{result}}}"#);
        }
        format!(
            r#"{{"role":"assistant","content":null,"reasoning_content":"t","tool_calls":[{}]}}{answered}"#,
            asked.join(",")
        )
    })
}

fn message() -> impl Strategy<Value = String> {
    prop_oneof![
        user(),
        tools(),
        json_text().prop_map(|t| format!(r#"{{"role":"system","content":{t}}}"#)),
        json_text().prop_map(|t| format!(r#"{{"role":"developer","content":{t}}}"#)),
        json_text().prop_map(|t| format!(r#"{{"role":"assistant","content":{t}}}"#)),
        Just(r#"{"role":"assistant","content":null,"refusal":"no"}"#.to_owned()),
    ]
}

/// A member of the body that has a value which comes through as it is.
fn member() -> impl Strategy<Value = (&'static str, String)> {
    let number = prop_oneof![
        Just("0"),
        Just("0.30"),
        Just("1e-1"),
        Just("-0.0"),
        Just("2")
    ];
    let word = prop_oneof![
        Just("\"none\""),
        Just("\"low\""),
        Just("\"xhigh\""),
        Just("\"new\"")
    ];
    let choice = prop_oneof![
        Just("\"required\""),
        Just("\"none\""),
        Just(r#"{"type":"function","function":{"name":"f"}}"#),
        Just(r#"{"type":"custom","custom":{"name":"g"}}"#),
    ];
    let format = prop_oneof![
        Just(r#"{"type":"text"}"#),
        Just(r#"{"type":"json_object"}"#),
        Just(r#"{"type":"json_schema","json_schema":{"name":"n","schema":{"minimum":1.0}}}"#),
        Just(r#"{"type":"grammar","x":1}"#),
    ];
    prop_oneof![
        number.clone().prop_map(|n| ("temperature", n.to_owned())),
        number.clone().prop_map(|n| ("top_k", n.to_owned())),
        number.prop_map(|n| ("seed", n.to_owned())),
        any::<u64>().prop_map(|n| ("max_tokens", n.to_string())),
        any::<u64>().prop_map(|n| ("n", n.to_string())),
        any::<bool>().prop_map(|b| ("logprobs", b.to_string())),
        Just(("stop", "[]".to_owned())),
        word.prop_map(|w| ("reasoning_effort", w.to_owned())),
        choice.prop_map(|c| ("tool_choice", c.to_owned())),
        format.prop_map(|f| ("response_format", f.to_owned())),
        Just(("stream", "true".to_owned())),
        Just((
            "stream_options",
            r#"{"include_usage":true,"x":1}"#.to_owned()
        )),
        Just(("verbosity", "\"low\"".to_owned())),
        Just(("x", r#"{"y":[0.10,{}]}"#.to_owned())),
    ]
}

fn delta() -> impl Strategy<Value = Delta> {
    prop_oneof![
        text().prop_map(Delta::Text),
        text().prop_map(Delta::Thinking),
        text().prop_map(Delta::Arguments),
        text().prop_map(Delta::Refusal),
        text().prop_map(Delta::Signature),
        Just(Delta::Logprobs(Opaque {
            dialect: Dialect::Gemini,
            raw: Raw::empty_object(),
        })),
    ]
}

fn kind() -> impl Strategy<Value = BlockKind> {
    prop_oneof![
        Just(BlockKind::Text),
        Just(BlockKind::Thinking),
        Just(BlockKind::Refusal),
        (text(), text()).prop_map(|(id, name)| BlockKind::ToolCall { id, name }),
        text().prop_map(|text| BlockKind::Whole(Box::new(Block::text(text)))),
        text().prop_map(|text| {
            BlockKind::Whole(Box::new(Block::new(Content::RedactedThinking(text))))
        }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let reason = prop_oneof![
        Just(FinishReason::Stop),
        Just(FinishReason::Length),
        Just(FinishReason::Other)
    ];
    let finish = move |reason| Finish::new(reason, None);
    prop_oneof![
        1 => prop::option::of(text()).prop_map(|id| Event::Start(Start {
            dialect: Dialect::Anthropic,
            id,
            model: None,
            created: None,
        })),
        4 => (0..3u32, 0..3u32, kind())
            .prop_map(|(choice, index, kind)| Event::BlockStart { choice, index, kind }),
        8 => (0..3u32, delta()).prop_map(|(choice, delta)| Event::Delta { choice, delta }),
        3 => (0..3u32).prop_map(|choice| Event::BlockEnd { choice }),
        1 => (0..3u32, reason)
            .prop_map(move |(choice, reason)| Event::Finish { choice, finish: finish(reason) }),
        1 => any::<u32>().prop_map(|n| Event::Usage(Usage { input: n.into(), ..Usage::default() })),
        1 => Just(Event::End),
    ]
}

/// Checks what clients rely on; returns the calls of each choice.
fn check(stream: &[u8]) -> HashMap<u64, u64> {
    let mut decoder = sse::Decoder::new(1 << 20);
    decoder.push(stream.to_vec().into());
    let (mut roles, mut finished) = (HashMap::new(), HashMap::new());
    let mut calls: HashMap<u64, u64> = HashMap::new();
    let (mut head, mut usage, mut done) = (None, false, false);
    while let Some(event) = decoder.next().unwrap() {
        assert!(!done, "nothing follows [DONE]");
        let data = event.data().unwrap();
        if &*data == b"[DONE]" {
            done = true;
            continue;
        }
        assert!(!usage, "usage comes last");
        let chunk = Object::scan(&data).unwrap();
        let share = ["id", "object", "model"].map(|name| chunk.try_string(name).unwrap());
        assert_eq!(*head.get_or_insert(share.clone()), share);
        usage = chunk.try_object("usage").is_some();
        let choices: Vec<_> = chunk.try_items("choices").collect();
        assert_eq!(choices.len(), usize::from(!usage));
        for choice in choices {
            let choice = choice.as_object().unwrap();
            let index = choice.try_count("index").unwrap();
            assert!(!finished.contains_key(&index), "nothing follows a finish");
            let delta = choice.try_object("delta").unwrap();
            assert_eq!(delta.has("role"), roles.insert(index, ()).is_none());
            if choice.has("finish_reason") {
                finished.insert(index, ());
                assert_eq!(delta.members().count(), 0);
            }
            for call in delta.try_items("tool_calls") {
                let call = call.as_object().unwrap();
                let count = calls.entry(index).or_default();
                *count += u64::from(call.has("id"));
                assert_eq!(call.try_count("index").unwrap() + 1, *count);
            }
        }
    }
    assert!(done && decoder.pending() == 0);
    assert_eq!(roles.len(), finished.len());
    calls
}

/// Checks the order that [`Event`] promises.
fn check_events(events: &[Event], complete: bool) {
    let mut open: HashMap<u32, bool> = HashMap::new();
    let mut blocks: HashMap<u32, u32> = HashMap::new();
    let mut finished: Vec<u32> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(at == 0, matches!(event, Event::Start(_)));
        match event {
            Event::BlockStart { choice, index, .. } => {
                assert!(!finished.contains(choice));
                assert_ne!(open.insert(*choice, true), Some(true));
                assert_eq!(*index, *blocks.entry(*choice).or_default());
                *blocks.entry(*choice).or_default() += 1;
            }
            Event::Delta { choice, .. } => assert_eq!(open.get(choice), Some(&true)),
            Event::BlockEnd { choice } => assert_eq!(open.insert(*choice, false), Some(true)),
            Event::Finish { choice, .. } => {
                assert_ne!(open.get(choice), Some(&true));
                assert!(!finished.contains(choice));
                finished.push(*choice);
            }
            Event::End => assert_eq!(at + 1, events.len()),
            _ => {}
        }
    }
    assert_eq!(complete, events.last() == Some(&Event::End));
}

fn chunk() -> impl Strategy<Value = String> {
    let call = (
        0..3u32,
        prop::option::of(0..3u32),
        any::<bool>(),
        json_text(),
    );
    let delta = prop_oneof![
        json_text().prop_map(|t| format!(r#""content":{t}"#)),
        json_text().prop_map(|t| format!(r#""reasoning_content":{t}"#)),
        json_text().prop_map(|t| format!(r#""refusal":{t}"#)),
        call.prop_map(|(index, id, name, arguments)| {
            let id = id.map_or(String::new(), |id| format!(r#""id":"c{id}","#));
            let name = if name { r#""name":"f","# } else { "" };
            format!(r#""tool_calls":[{{"index":{index},{id}"function":{{{name}"arguments":{arguments}}}}}]"#)
        }),
    ];
    let finish = prop_oneof![5 => Just("null"), 1 => Just("\"stop\"")];
    prop_oneof![
        20 => (0..2u32, delta, finish).prop_map(|(index, delta, finish)| format!(
            r#"{{"choices":[{{"index":{index},"delta":{{{delta}}},"finish_reason":{finish}}}]}}"#
        )),
        1 => Just(r#"{"choices":[],"usage":{"prompt_tokens":1}}"#.to_owned()),
        1 => Just("[DONE]".to_owned()),
    ]
}

proptest! {
    #[test]
    fn any_split_of_a_stream_gives_the_same_events(which in 0..3usize, mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let stream = STREAMS[which].as_bytes();
        let (whole, _) = read_stream(&[stream]);
        let mut at: Vec<usize> = cuts.drain(..).map(|cut| cut.index(stream.len())).collect();
        at.sort_unstable();
        at.insert(0, 0);
        at.push(stream.len());
        let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        let (events, end) = read_stream(&pieces);
        prop_assert_eq!(end, Ok(()));
        prop_assert_eq!(lines(&events), lines(&whole));
    }

    #[test]
    fn what_is_read_is_written_again(messages in prop::collection::vec(message(), 0..6), members in prop::collection::hash_map(0..20u8, member(), 0..8)) {
        let members: HashMap<&str, String> = members.into_values().collect();
        let members: String = members.iter().map(|(name, value)| format!(",\"{name}\":{value}")).collect();
        let body = format!(
            r#"{{"model":"m","messages":[{}],"tools":[{{"type":"function","function":{{"name":"f"}}}}]{members}}}"#,
            messages.join(",")
        );
        let request = ChatCompletions.read_request(body.as_bytes()).unwrap();
        let options = WriteOptions { replay_thinking: true, replay_signatures: true, ..WriteOptions::new("m") };
        let written = ChatCompletions.write_request(&request, &options).unwrap();
        prop_assert!(written.dropped.is_empty());
        prop_assert_eq!(canon(&written.body), canon(&body));
        let mut again = ChatCompletions.read_request(&written.body).unwrap();
        let mut request = request;
        for rest in [&mut again.rest, &mut request.rest] {
            rest.sort_by(|a, b| a.name.cmp(&b.name));
        }
        prop_assert_eq!(again, request);
    }

    #[test]
    fn any_events_make_a_valid_stream(events in prop::collection::vec(event(), 0..40)) {
        let mut writer = ChatCompletions.writer(&CONTEXT);
        let mut out = BytesMut::new();
        for event in events.iter().chain([&Event::End]) {
            writer.write(event, &mut out);
        }
        check(&out);
    }

    #[test]
    fn any_chunks_make_events_in_order(chunks in prop::collection::vec(chunk(), 0..30)) {
        let stream: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
        let (events, end) = read_stream(&[stream.as_bytes()]);
        if end.is_ok() {
            check_events(&events, true);
            let mut writer = ChatCompletions.writer(&CONTEXT);
            let mut out = BytesMut::new();
            events.iter().for_each(|event| writer.write(event, &mut out));
            let told: u64 = check(&out).values().sum();
            let calls = events.iter().filter(|event| matches!(event, Event::BlockStart { kind: BlockKind::ToolCall { .. }, .. }));
            prop_assert_eq!(told, calls.count() as u64);
        } else {
            prop_assert!(!events.contains(&Event::End));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(which in 0..5usize, at: prop::sample::Index, bytes in prop::collection::vec(any::<u8>(), 0..6), raw in prop::collection::vec(any::<u8>(), 0..60)) {
        let fixture = [
            include_str!("../../../../tests/fixtures/openai/request_full.json"),
            include_str!("../../../../tests/fixtures/openai/response_full.json"),
            STREAMS[0],
            STREAMS[1],
            STREAMS[2],
        ][which];
        let mut broken = fixture.as_bytes().to_vec();
        let at = at.index(broken.len());
        let end = (at + bytes.len()).min(broken.len());
        broken.splice(at..end, bytes);
        for bytes in [&broken, &raw] {
            if let Ok(request) = ChatCompletions.read_request(bytes) {
                let _ = ChatCompletions.write_request(&request, &WriteOptions::new("m"));
            }
            if let Ok(response) = ChatCompletions.read_response(bytes) {
                ChatCompletions.write_response(&response, &CONTEXT);
            }
            let _ = read_stream(&[bytes]);
        }
    }
}
