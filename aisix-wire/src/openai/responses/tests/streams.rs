use bytes::BytesMut;
use serde_json::{Value, json};

use super::validator::{self, End, validate};
use super::{CONTEXT, fixture, value};
use crate::chat::{
    Block, BlockKind, CallerCodec, Content, Delta, Event, Finish, FinishReason, Image, Opaque, Raw,
    Source, Start, UpstreamCodec, WriteOptions, upstream_codec,
};
use crate::error::ErrorBody;
use crate::openai::Responses;
use crate::sse::Decoder;
use crate::{Dialect, Usage};

const ERROR: ErrorBody<'static> = ErrorBody {
    status: 429,
    message: "slow down",
    kind: "rate_limit_error",
    code: None,
    param: None,
};

pub(super) fn write(events: &[Event]) -> BytesMut {
    let mut writer = Responses.writer(&CONTEXT);
    let mut out = BytesMut::new();
    events
        .iter()
        .for_each(|event| writer.write(event, &mut out));
    out
}

fn start(dialect: Dialect) -> Event {
    Event::Start(Start {
        dialect,
        id: Some("upstream's".to_owned()),
        model: Some("m".to_owned()),
        created: None,
    })
}

fn block(kind: BlockKind) -> Event {
    Event::BlockStart {
        choice: 0,
        index: 0,
        kind,
    }
}

fn call(id: &str, name: &str) -> Event {
    block(BlockKind::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
    })
}

fn delta(delta: Delta) -> Event {
    Event::Delta { choice: 0, delta }
}

fn text(text: &str) -> Event {
    delta(Delta::Text(text.to_owned()))
}

fn finish(reason: FinishReason) -> Event {
    Event::Finish {
        choice: 0,
        finish: Finish::new(reason, None),
    }
}

const CLOSED: Event = Event::BlockEnd { choice: 0 };

fn completed(stream: &[u8]) -> Value {
    match validate(stream) {
        Ok(End::Response(response)) => response,
        other => panic!("{other:?}: {}", String::from_utf8_lossy(stream)),
    }
}

#[test]
fn events_become_what_the_golden_file_says() {
    let events = [
        start(Dialect::Anthropic),
        block(BlockKind::Thinking),
        delta(Delta::Thinking("h".to_owned())),
        delta(Delta::Thinking("m".to_owned())),
        delta(Delta::Signature("Ep==".to_owned())),
        CLOSED,
        block(BlockKind::Text),
        text("Hé"),
        text(""),
        text("llo 🦀\n"),
        CLOSED,
        block(BlockKind::Refusal),
        delta(Delta::Refusal("no".to_owned())),
        CLOSED,
        call("c1", "f"),
        delta(Delta::Arguments("{\"a\":".to_owned())),
        delta(Delta::Arguments("1.50}".to_owned())),
        CLOSED,
        call("c2", "g"),
        CLOSED,
        finish(FinishReason::Length),
        Event::Usage(Usage {
            input: 3,
            cache_read: 2,
            cache_write: 1,
            output: 5,
            reasoning: 4,
        }),
        Event::End,
        text("late"),
    ];
    let written = write(&events);
    let golden = value(fixture!("stream/all.json").as_bytes());
    let (told, golden) = (validator::events(&written), golden.as_array().unwrap());
    assert_eq!(told.len(), golden.len());
    for (mut told, golden) in told.into_iter().zip(golden) {
        // What a response repeats of its request is for another test.
        if let Some(Value::Object(response)) = told.get_mut("response") {
            response.retain(|name, _| golden["response"].get(name).is_some());
        }
        assert_eq!(told, *golden);
    }
    completed(&written);
}

#[test]
fn streams_of_every_provider_reach_the_caller_whole() {
    macro_rules! upstream {
        ($dialect:ident, $name:literal) => {
            (
                Dialect::$dialect,
                include_str!(concat!("../../../../tests/fixtures/", $name)),
            )
        };
    }
    for (dialect, stream) in [
        upstream!(Anthropic, "anthropic/stream/text.sse"),
        upstream!(Anthropic, "anthropic/stream/thinking.sse"),
        upstream!(Anthropic, "anthropic/stream/tools.sse"),
        upstream!(Gemini, "gemini/stream/text.sse"),
        upstream!(Gemini, "gemini/stream/tools.sse"),
        upstream!(Gemini, "gemini/stream/blocked.sse"),
        upstream!(OpenAi, "openai/stream_tools.sse"),
        upstream!(OpenAi, "openai/stream_same_index.sse"),
        upstream!(OpenAi, "openai/stream_choices.sse"),
    ] {
        let mut reader = upstream_codec(dialect).unwrap().reader();
        let (mut decoder, mut events) = (Decoder::new(1 << 20), Vec::new());
        decoder.push(stream.into());
        while let Ok(Some(event)) = decoder.next() {
            if let Some(data) = event.data() {
                reader.read(event.name(), &data, &mut events).unwrap();
            }
        }
        reader.end(&mut events).unwrap();
        let response = completed(&write(&events));
        let output = response["output"].to_string();
        for word in ["lookup", "🦀", "get_weather"] {
            assert_eq!(
                output.contains(word),
                stream.contains(word),
                "{dialect} {word}: {output}"
            );
        }
    }
}

#[test]
fn the_signature_of_a_call_comes_back_to_its_provider() {
    let events = [
        start(Dialect::Gemini),
        call("c1", "f"),
        delta(Delta::Arguments("{}".to_owned())),
        delta(Delta::Signature("c2ln".to_owned())),
        CLOSED,
        call("c2", "f"),
        CLOSED,
        finish(FinishReason::ToolCalls),
        Event::End,
    ];
    let response = completed(&write(&events));
    let mut input = vec![json!({"role": "user", "content": "x"})];
    input.extend(response["output"].as_array().unwrap().iter().cloned());
    for id in ["c1", "c2"] {
        input.push(json!({"type": "function_call_output", "call_id": id, "output": "y"}));
    }
    let body = json!({"model": "m", "input": input}).to_string();
    let request = Responses.read_request(body.as_bytes()).unwrap();
    let written = crate::gemini::Gemini
        .write_request(&request, &WriteOptions::new("gemini-3-pro"))
        .unwrap();
    let parts = &value(&written.body)["contents"][1]["parts"];
    assert_eq!(parts[0]["thoughtSignature"], "c2ln");
    assert_eq!(parts[1].get("thoughtSignature"), None);
}

#[test]
fn blocks_that_come_whole_and_likelihoods_have_their_places() {
    let image = Content::Image(Image {
        source: Source::Data {
            media_type: "image/png".to_owned(),
            data: "iVBO".to_owned(),
        },
        detail: None,
    });
    let mut thought = Block::new(Content::Thinking("hm".to_owned()));
    thought.signature = Some("Ep==".to_owned());
    let whole = |content: Block| block(BlockKind::Whole(Box::new(content)));
    let token = r#"{"token":"a","logprob":-0.10,"bytes":[97],"top_logprobs":[]}"#;
    let events = [
        start(Dialect::Anthropic),
        whole(thought),
        whole(Content::RedactedThinking("xyz".to_owned()).into()),
        whole(Block::text("a")),
        delta(Delta::Logprobs(Opaque {
            dialect: Dialect::OpenAi,
            raw: Raw::parse(&format!(r#"{{"content":[{token}]}}"#)).unwrap(),
        })),
        whole(Block::text("b")),
        whole(image.into()),
        Event::End,
    ];
    let response = completed(&write(&events));
    let output = &response["output"];
    assert_eq!(
        output[0]["encrypted_content"],
        r#"aisix:{"from":"anthropic","signature":"Ep=="}"#
    );
    assert_eq!(
        output[1]["encrypted_content"],
        r#"aisix:{"from":"anthropic","redacted":"xyz"}"#
    );
    assert_eq!(
        output[2]["content"][0]["logprobs"],
        json!([value(token.as_bytes())])
    );
    assert_eq!(output[2]["content"][1]["text"], "b");
    assert_eq!(output[3]["result"], "iVBO");
}

#[test]
fn a_stream_that_breaks_says_so_and_does_not_end_well() {
    for events in [
        vec![],
        vec![start(Dialect::OpenAi)],
        vec![text("half")],
        vec![call("c", "f"), delta(Delta::Arguments("{\"".to_owned()))],
    ] {
        let mut writer = Responses.writer(&CONTEXT);
        let mut out = BytesMut::new();
        events
            .iter()
            .for_each(|event| writer.write(event, &mut out));
        writer.fail(&ERROR, &mut out);
        let len = out.len();
        writer.fail(&ERROR, &mut out);
        writer.write(&Event::End, &mut out);
        assert_eq!(out.len(), len, "nothing follows");
        assert_eq!(validate(&out), Ok(End::Error("slow down".to_owned())));
        let told = validator::events(&out);
        let last = told.last().unwrap();
        if !events.is_empty() {
            assert_eq!(last["type"], "response.failed");
            let expected = json!({"code": "rate_limit_exceeded", "message": "slow down"});
            assert_eq!(last["response"]["error"], expected);
        }
    }
}

#[test]
fn an_answer_without_bound_ends_in_an_error() {
    let mut writer = Responses.writer(&CONTEXT);
    let mut out = BytesMut::new();
    let piece = text(&"x".repeat(1 << 20));
    let mut last = BytesMut::new();
    for _ in 0..20 {
        last.clear();
        writer.write(&piece, &mut last);
        if last.is_empty() {
            break;
        }
        out.unsplit(last.split());
    }
    writer.write(&Event::End, &mut out);
    assert!(matches!(validate(&out), Ok(End::Error(_))));
    // Items that hold nothing count too.
    let mut writer = Responses.writer(&CONTEXT);
    let ended = (0..1_000_000).any(|_| {
        let mut out = BytesMut::new();
        writer.write(&call("", ""), &mut out);
        out.is_empty()
    });
    assert!(ended);
}
