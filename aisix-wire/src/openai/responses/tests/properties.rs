use bytes::BytesMut;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::streams::write;
use super::validator::{self, End, validate};
use super::{CONTEXT, fixture, value};
use crate::anthropic::tests::strict;
use crate::chat::{
    Block, BlockKind, CallerCodec, Choice, Content, Delta, Event, Finish, FinishReason, Image,
    OnUnsupported, Opaque, Raw, Request, Response, Role, Source, Start, ToolCall, UpstreamCodec,
    WriteContext, WriteOptions, upstream_codec,
};
use crate::error::ErrorBody;
use crate::openai::{ChatCompletions, Responses};
use crate::{Dialect, Envelope, Usage};

const BODIES: [&str; 4] = [
    fixture!("request/basics.json"),
    fixture!("request/tool_loop.json"),
    fixture!("request/interrupted.json"),
    fixture!("request/media.json"),
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-z{}\"\\\\ \n🙂é]{0,8}",
        Just("{}".to_owned()),
    ]
}

fn block() -> impl Strategy<Value = Block> {
    let image = |data| {
        Content::Image(Image {
            source: Source::Data {
                media_type: String::new(),
                data,
            },
            detail: None,
        })
    };
    let call = |(id, name, arguments)| {
        Content::ToolCall(ToolCall {
            id,
            name,
            arguments,
        })
    };
    let content = prop_oneof![
        text().prop_map(|text| Block::text(text).content),
        text().prop_map(Content::Refusal),
        text().prop_map(Content::Thinking),
        text().prop_map(Content::RedactedThinking),
        text().prop_map(image),
        ("[ab]?", text(), text()).prop_map(call),
        Just(Content::Opaque(Opaque {
            dialect: Dialect::Gemini,
            raw: Raw::empty_object(),
        })),
    ];
    (content, prop::option::of(text())).prop_map(|(content, signature)| Block {
        signature,
        ..Block::new(content)
    })
}

fn kind() -> impl Strategy<Value = BlockKind> {
    prop_oneof![
        Just(BlockKind::Text),
        Just(BlockKind::Thinking),
        Just(BlockKind::Refusal),
        ("[ab]?", text()).prop_map(|(id, name)| BlockKind::ToolCall { id, name }),
        block().prop_map(|block| BlockKind::Whole(Box::new(block))),
    ]
}

fn delta() -> impl Strategy<Value = Delta> {
    let opaque = |raw: &str| Opaque {
        dialect: Dialect::OpenAi,
        raw: Raw::parse(raw).unwrap(),
    };
    prop_oneof![
        text().prop_map(Delta::Text),
        text().prop_map(Delta::Thinking),
        text().prop_map(Delta::Arguments),
        text().prop_map(Delta::Refusal),
        text().prop_map(Delta::Signature),
        Just(Delta::Logprobs(opaque(
            r#"{"content":[{"token":"a"},{"token":"b"}]}"#
        ))),
        Just(Delta::Logprobs(opaque(r#"{"content":null}"#))),
        Just(Delta::Citations(opaque("[]"))),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let reason = prop_oneof![
        Just(FinishReason::Stop),
        Just(FinishReason::Length),
        Just(FinishReason::ContentFilter),
        Just(FinishReason::Other),
    ];
    let choice = || prop_oneof![8 => Just(0u32), 1 => Just(1)];
    prop_oneof![
        1 => prop::option::of(text()).prop_map(|id| Event::Start(Start {
            dialect: Dialect::Anthropic,
            id,
            model: None,
            created: None,
        })),
        5 => (choice(), kind()).prop_map(|(choice, kind)| Event::BlockStart { choice, index: 0, kind }),
        8 => (choice(), delta()).prop_map(|(choice, delta)| Event::Delta { choice, delta }),
        3 => choice().prop_map(|choice| Event::BlockEnd { choice }),
        1 => (choice(), reason).prop_map(|(choice, reason)| Event::Finish {
            choice,
            finish: Finish::new(reason, None),
        }),
        1 => any::<u32>().prop_map(|n| Event::Usage(Usage { input: n.into(), ..Usage::default() })),
    ]
}

/// An item of `input`, with ids that often fit and sometimes do not.
fn item() -> impl Strategy<Value = Value> {
    let id = || prop::sample::select(vec!["a", "b", "c:1"]);
    let role = prop::sample::select(vec!["user", "assistant", "user", "system", "developer"]);
    let part = prop_oneof![
        text().prop_map(|t| json!({"type": "input_text", "text": t})),
        text().prop_map(|t| json!({"type": "refusal", "refusal": t})),
        Just(json!({"type": "input_image", "image_url": "data:image/png;base64,AAAA"})),
        Just(json!({"type": "input_file", "file_url": "https://e.x/a.pdf"})),
        Just(json!({"type": "other"})),
    ];
    prop_oneof![
        (role.clone(), text()).prop_map(|(role, text)| json!({"role": role, "content": text})),
        (role, prop::collection::vec(part, 0..3))
            .prop_map(|(role, parts)| json!({"type": "message", "role": role, "content": parts})),
        (id(), text()).prop_map(|(id, arguments)| json!({
            "type": "function_call", "call_id": id, "name": "f.g", "arguments": arguments})),
        (id(), text()).prop_map(|(id, output)| json!({
            "type": "function_call_output", "call_id": id, "output": output})),
        (text(), any::<bool>()).prop_map(|(text, ours)| {
            let sealed = match ours {
                true => r#"aisix:{"from":"anthropic","signature":"s"}"#,
                false => "gAAAA",
            };
            json!({"type": "reasoning", "id": "rs", "encrypted_content": sealed,
                "summary": [{"type": "summary_text", "text": text}]})
        }),
    ]
}

/// A body whose every member can be said to chat completions.
fn conversation() -> impl Strategy<Value = Vec<Value>> {
    let user = "[a-zé🙂 ]{1,6}".prop_map(|t| vec![json!({"role": "user", "content": t})]);
    let model = "[a-z]{1,6}".prop_map(|t| {
        vec![json!({"type": "message", "role": "assistant", "content": [
            {"type": "output_text", "text": t, "annotations": []}]})]
    });
    let tools = prop::collection::vec((text(), text()), 1..4).prop_map(|calls| {
        let mut items = Vec::new();
        for (at, (arguments, _)) in calls.iter().enumerate() {
            items.push(json!({"type": "function_call", "call_id": format!("c{at}"), "name": "f", "arguments": arguments}));
        }
        for (at, (_, output)) in calls.iter().enumerate().rev() {
            items.push(json!({"type": "function_call_output", "call_id": format!("c{at}"), "output": output}));
        }
        items
    });
    let part = prop_oneof![user, model, tools];
    prop::collection::vec(part, 1..6).prop_map(|parts| parts.concat())
}

/// What is said, called and answered, each in its order.
fn said(request: &Request) -> [Vec<String>; 3] {
    let mut all = [const { Vec::new() }; 3];
    for turn in &request.turns {
        for block in &turn.blocks {
            match &block.content {
                Content::Text { text, .. } => all[0].push(format!("{:?} {text}", turn.role)),
                Content::ToolCall(call) => {
                    all[1].push(format!("{} {} {}", call.id, call.name, call.arguments));
                }
                Content::ToolResult(result) => {
                    all[2].push(format!("{} {:?}", result.call, result.blocks));
                }
                other => panic!("{other:?}"),
            }
        }
    }
    all
}

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

fn exercise(body: &[u8]) {
    let Ok(request) = Responses.read_request(body) else {
        return;
    };
    for policy in [
        OnUnsupported::RefuseShape,
        OnUnsupported::Drop,
        OnUnsupported::Refuse,
    ] {
        for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
            let mut options = WriteOptions::new("m");
            options.on_unsupported = policy;
            let written = upstream_codec(dialect)
                .unwrap()
                .write_request(&request, &options);
            if let Ok(written) = written {
                assert!(Envelope::scan(&written.body, &[]).is_ok());
            }
        }
    }
    let context = WriteContext {
        request: body,
        ..CONTEXT
    };
    let answer = Responses.write_response(&Response::new(Dialect::OpenAi), &context);
    assert!(Envelope::scan(&answer, &[]).is_ok());
}

proptest! {
    #[test]
    fn every_sequence_of_events_is_written_as_a_valid_stream(
        events in prop::collection::vec(event(), 0..40), fails in any::<bool>(),
    ) {
        let mut writer = Responses.writer(&CONTEXT);
        let mut out = BytesMut::new();
        events.iter().for_each(|event| writer.write(event, &mut out));
        if fails {
            let (message, kind, code) = ("m", "server_error", Some("c"));
            let error = ErrorBody { status: 502, message, kind, code, param: None };
            writer.fail(&error, &mut out);
        }
        writer.write(&Event::End, &mut out);
        match validate(&out) {
            Ok(End::Response(_)) => prop_assert!(!fails),
            Ok(End::Error(_)) => prop_assert!(fails),
            Err(error) => prop_assert!(false, "{error}\n{}", String::from_utf8_lossy(&out)),
        }
    }

    #[test]
    fn every_answer_is_written_as_a_valid_one(blocks in prop::collection::vec(block(), 0..8)) {
        let mut response = Response::new(Dialect::Anthropic);
        let finish = Finish::new(FinishReason::Stop, None);
        response.choices.push(Choice { index: 0, blocks: blocks.clone(), finish, logprobs: None });
        let whole = value(&Responses.write_response(&response, &CONTEXT));
        prop_assert_eq!(validator::response(&whole), Ok(()));
        // A stream of the same blocks ends with the same response.
        let mut events = vec![Event::Start(Start {
            dialect: Dialect::Anthropic, id: None, model: None, created: None,
        })];
        events.extend(blocks.into_iter().map(|block| {
            let kind = BlockKind::Whole(Box::new(block));
            Event::BlockStart { choice: 0, index: 0, kind }
        }));
        events.push(Event::End);
        let Ok(End::Response(streamed)) = validate(&write(&events)) else {
            return Err(TestCaseError::fail("the stream is not valid"));
        };
        prop_assert_eq!(streamed, whole);
    }

    #[test]
    fn what_a_provider_signed_comes_back_as_it_was(
        thoughts in prop::collection::vec(("[a-z é🙂]{1,5}", "[a-zA-Z0-9=\"]{1,5}", any::<bool>()), 1..4),
    ) {
        let mut blocks = Vec::new();
        for (at, (text, signature, redacted)) in thoughts.into_iter().enumerate() {
            blocks.push(match redacted {
                true => Block::new(Content::RedactedThinking(signature)),
                false => Block { signature: Some(signature), ..Block::new(Content::Thinking(text)) },
            });
            let (id, name, arguments) = (format!("c{at}"), "f".to_owned(), "{\"a\": 1.0}".to_owned());
            blocks.push(Block::new(Content::ToolCall(ToolCall { id, name, arguments })));
        }
        let mut response = Response::new(Dialect::Anthropic);
        let finish = Finish::new(FinishReason::ToolCalls, None);
        response.choices.push(Choice { index: 0, blocks: blocks.clone(), finish, logprobs: None });
        let answer = value(&Responses.write_response(&response, &CONTEXT));
        let body = json!({"model": "m", "input": answer["output"]}).to_string();
        let request = Responses.read_request(body.as_bytes()).unwrap();
        prop_assert_eq!(request.turns[0].role, Role::Assistant);
        prop_assert_eq!(&request.turns[0].blocks, &blocks);
    }

    #[test]
    fn what_is_read_is_what_a_strict_provider_accepts(items in prop::collection::vec(item(), 0..8)) {
        let body = json!({"model": "x", "input": items}).to_string();
        let Ok(request) = Responses.read_request(body.as_bytes()) else {
            return Ok(());
        };
        prop_assert_eq!(request.turns.len(), request.places.len());
        let mut options = WriteOptions::new("m");
        options.on_unsupported = OnUnsupported::Drop;
        for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini] {
            match upstream_codec(dialect).unwrap().write_request(&request, &options) {
                Ok(written) if dialect == Dialect::Anthropic => {
                    prop_assert_eq!(strict::validate(&value(&written.body)), Ok(()));
                }
                Ok(_) => {}
                // Nothing but emptiness may be left to complain about.
                Err(error) => prop_assert!(
                    error.message.contains("must not be empty"), "{}: {}", dialect, error
                ),
            }
        }
    }

    #[test]
    fn what_chat_completions_can_say_survives(
        items in conversation(), temperature in prop::sample::select(vec!["0", "0.30", "1e-1", "2"]),
    ) {
        let input = Value::from(items);
        let body = format!(r#"{{"model":"x","temperature":{temperature},"input":{input}}}"#);
        let request = Responses.read_request(body.as_bytes()).unwrap();
        let written = ChatCompletions.write_request(&request, &WriteOptions::new("m")).unwrap();
        prop_assert_eq!(&written.dropped, &[""; 0]);
        let text = String::from_utf8(written.body.to_vec()).unwrap();
        let number = format!("\"temperature\":{temperature}");
        prop_assert!(text.contains(&number));
        let again = ChatCompletions.read_request(&written.body).unwrap();
        prop_assert_eq!(said(&again), said(&request));
        let context = WriteContext { request: body.as_bytes(), ..CONTEXT };
        let answer = Responses.write_response(&Response::new(Dialect::OpenAi), &context);
        prop_assert!(String::from_utf8(answer.to_vec()).unwrap().contains(&number));
    }

    #[test]
    fn no_document_makes_it_panic(
        which in 0..BODIES.len(), at in any::<prop::sample::Index>(), again in any::<prop::sample::Index>(),
        with in prop::sample::select(vec![
            "null", "{}", "[]", "\"\"", "-1e99", "true", "[{}]", "\"x\"", "[\"x\"]", "]", "\"\\ud800\"",
        ]),
    ) {
        let golden = crate::json::Object::scan(BODIES[which].as_bytes()).unwrap();
        let body = golden.get("in").unwrap().raw().to_string();
        let once = mutated(&body, at, with);
        exercise(once.as_bytes());
        exercise(mutated(&once, again, with).as_bytes());
        exercise(&once.as_bytes()[..again.index(once.len() + 1)]);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        exercise(&bytes);
        let _ = super::super::read_facts(&bytes);
    }
}
