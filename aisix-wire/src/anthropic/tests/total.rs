//! No input makes the codec panic.

use bytes::BytesMut;
use proptest::prelude::*;

use super::{strict, validator};
use crate::Dialect;
use crate::anthropic::Messages;
use crate::chat::{
    Block, CallerCodec, Content, Event, Function, OnUnsupported, Raw, Request, Role, Tool,
    ToolCall, ToolResult, Turn, UpstreamCodec, WriteContext, WriteOptions,
};

const CONTEXT: WriteContext<'_> = WriteContext {
    model: "m",
    created: 0,
    request_id: "r",
    include_usage: true,
    request: b"{}",
};

const BODIES: &[&str] = &[
    include_str!("../../../tests/fixtures/anthropic/request/tool_loop.json"),
    include_str!("../../../tests/fixtures/anthropic/request/foreign_to_others.json"),
    include_str!("../../../tests/fixtures/anthropic/request/structured.json"),
    include_str!("../../../tests/fixtures/anthropic/request/media_and_cache.json"),
    include_str!("../../../tests/fixtures/anthropic/response/thinking_and_tools.json"),
    include_str!("../../../tests/fixtures/anthropic/response/citations.json"),
];

const STREAMS: &[&str] = &[
    include_str!("../../../tests/fixtures/anthropic/stream/thinking.sse"),
    include_str!("../../../tests/fixtures/anthropic/stream/tools.sse"),
    include_str!("../../../tests/fixtures/anthropic/stream/bad_interleaved.sse"),
    include_str!("../../../tests/fixtures/anthropic/stream/unknown.sse"),
];

/// One value of a document in place of another.
fn mutated(text: &str, at: prop::sample::Index, with: &str) -> String {
    let places: Vec<usize> = text.match_indices(':').map(|(at, _)| at + 1).collect();
    let Some(start) = places.get(at.index(places.len().max(1))) else {
        return with.to_owned();
    };
    let end = text[*start..]
        .find([',', '}', ']'])
        .map_or(text.len(), |len| start + len);
    format!("{}{with}{}", &text[..*start], &text[end..])
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("{}".to_owned()),
        Just("[]".to_owned()),
        Just("\"\"".to_owned()),
        Just("-1e99".to_owned()),
        Just("true".to_owned()),
        Just("[{}]".to_owned()),
        "\"[a-z]{1,5}\"",
        "[\\[{\"a:,\\]}]{0,6}",
    ]
}

fn exercise(body: &[u8]) {
    if let Ok(request) = Messages.read_request(body) {
        for policy in [
            OnUnsupported::RefuseShape,
            OnUnsupported::Drop,
            OnUnsupported::Refuse,
        ] {
            let mut options = WriteOptions::new("claude-opus-4-6");
            options.on_unsupported = policy;
            if let Ok(written) = Messages.write_request(&request, &options) {
                assert!(crate::Envelope::scan(&written.body, &[]).is_ok());
            }
        }
    }
    if let Ok(response) = Messages.read_response(body) {
        let written = Messages.write_response(&response, &CONTEXT);
        assert!(crate::Envelope::scan(&written, &[]).is_ok());
    }
}

fn block() -> impl Strategy<Value = Block> {
    let id = prop::sample::select(vec!["a", "b", "c:1"]);
    prop_oneof![
        "[a-z ]{0,3}".prop_map(Block::text),
        "[a-z]{0,3}".prop_map(|text| Block::new(Content::Thinking(text))),
        "[a-z]{0,3}".prop_map(|text| Block::new(Content::Refusal(text))),
        (id.clone(), "[a-z.]{0,3}", "[{}a\" ]{0,3}").prop_map(|(id, name, arguments)| Block::new(
            Content::ToolCall(ToolCall {
                id: id.to_owned(),
                name,
                arguments
            })
        )),
        (id, "[a-z ]{0,2}", any::<bool>()).prop_map(|(id, text, is_error)| Block::new(
            Content::ToolResult(ToolResult {
                call: id.to_owned(),
                name: None,
                blocks: vec![Block::text(text)],
                is_error
            })
        )),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    let role = prop::sample::select(vec![
        Role::User,
        Role::Assistant,
        Role::User,
        Role::Assistant,
        Role::System,
    ]);
    (role, prop::collection::vec(block(), 0..4)).prop_map(|(role, blocks)| Turn::new(role, blocks))
}

proptest! {
    #[test]
    fn no_document_makes_it_panic(
        which in 0..BODIES.len(), at in any::<prop::sample::Index>(), with in value(), again in any::<prop::sample::Index>(),
    ) {
        let once = mutated(BODIES[which], at, &with);
        exercise(once.as_bytes());
        exercise(mutated(&once, again, &with).as_bytes());
        exercise(&once.as_bytes()[..again.index(once.len() + 1)]);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        exercise(&bytes);
        let mut reader = Messages.reader();
        let mut out = Vec::new();
        let _ = reader.read(None, &bytes, &mut out);
        let _ = reader.end(&mut out);
    }

    #[test]
    fn no_stream_makes_it_panic_and_what_is_read_can_be_written(
        which in 0..STREAMS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), value()), 0..4),
        moved in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..3),
    ) {
        let lines = STREAMS[which].lines().filter_map(|line| line.strip_prefix("data: "));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        for (a, b) in moved {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            lines.swap(a, b);
        }
        for (line, at, with) in changes {
            let line = line.index(lines.len());
            lines[line] = mutated(&lines[line], at, &with);
        }
        let mut reader = Messages.reader();
        let mut out = Vec::new();
        let broken = lines.iter().any(|line| reader.read(None, line.as_bytes(), &mut out).is_err());
        let broken = broken || reader.end(&mut out).is_err();
        prop_assert_eq!(broken, !out.contains(&Event::End));
        prop_assert_eq!(out.iter().filter(|event| matches!(event, Event::Start(_))).count() <= 1, true);
        let mut writer = Messages.writer(&CONTEXT);
        let mut written = BytesMut::new();
        out.iter().for_each(|event| writer.write(event, &mut written));
        if !broken {
            // Names and arguments may be rubbish after such changes, the order may not.
            let valid = validator::validate(&written);
            let order = valid.as_ref().err().filter(|e| !e.starts_with("a bad block") && !e.starts_with("a tool input"));
            prop_assert_eq!(order, None);
        }
    }

    #[test]
    fn what_is_written_is_what_a_strict_provider_accepts(turns in prop::collection::vec(turn(), 0..7)) {
        let mut request = Request::new(Dialect::OpenAi);
        request.turns = turns;
        request.tools = vec![Tool::Function(Function {
            name: "a.b".into(), description: None, schema: Some(Raw::empty_object()), strict: None, cache: None,
        })];
        let mut options = WriteOptions::new("m");
        options.on_unsupported = OnUnsupported::Drop;
        if let Ok(written) = Messages.write_request(&request, &options) {
            let value = serde_json::from_slice(&written.body).unwrap();
            prop_assert_eq!(strict::validate(&value), Ok(()));
            let again = Messages.read_request(&written.body).unwrap();
            let again = Messages.write_request(&again, &options).unwrap();
            prop_assert_eq!(again.body, written.body);
        }
    }
}
