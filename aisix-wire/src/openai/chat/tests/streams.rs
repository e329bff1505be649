use bytes::BytesMut;

use super::{CONTEXT, ChatCompletions, lines, read_stream};
use crate::chat::{
    Block, BlockKind, CallerCodec, Choice, Content, Delta, Event, Finish, FinishReason, Image,
    Response, Source, StreamError, UpstreamCodec, WriteContext,
};
use crate::{Dialect, Usage, sse};

fn write(events: &[Event], context: &WriteContext<'_>) -> String {
    let mut writer = ChatCompletions.writer(context);
    let mut out = BytesMut::new();
    for event in events {
        writer.write(event, &mut out);
    }
    String::from_utf8(out.to_vec()).unwrap()
}

fn chunks(deltas: &[&str]) -> String {
    let data = |delta: &&str| format!("data: {{\"id\":\"i\",\"choices\":[{delta}]}}\n\n");
    deltas.iter().map(data).collect()
}

fn read(stream: &str) -> (String, Result<(), StreamError>) {
    let (events, end) = read_stream(&[stream.as_bytes()]);
    (lines(&events), end)
}

#[test]
fn streams_become_blocks_in_order() {
    let cases = [
        (
            include_str!("../../../../tests/fixtures/openai/stream_tools.sse"),
            include_str!("../../../../tests/fixtures/openai/stream_tools.events"),
        ),
        (
            include_str!("../../../../tests/fixtures/openai/stream_choices.sse"),
            include_str!("../../../../tests/fixtures/openai/stream_choices.events"),
        ),
        (
            include_str!("../../../../tests/fixtures/openai/stream_same_index.sse"),
            include_str!("../../../../tests/fixtures/openai/stream_same_index.events"),
        ),
    ];
    for (stream, events) in cases {
        assert_eq!(read(stream), (events.to_owned(), Ok(())));
    }
}

#[test]
fn a_stream_without_a_finish_is_cut() {
    let open = chunks(&[r#"{"index":0,"delta":{"content":"a"}}"#]);
    let (events, end) = read(&open);
    assert_eq!(end, Err(StreamError::Cut));
    assert!(
        !events.contains("finish") && !events.ends_with("end\n"),
        "{events}"
    );
    let half = chunks(&[
        r#"{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}"#,
        r#"{"index":1,"delta":{"content":"a"}}"#,
    ]);
    assert_eq!(read(&half).1, Err(StreamError::Cut));
    assert_eq!(read("").1, Err(StreamError::Cut));
    assert_eq!(read("data: [DONE]\n\n").1, Err(StreamError::Cut));
    // `[DONE]` is an end, with or without a reason.
    let (events, end) = read(&(open + "data: [DONE]\n\n"));
    assert_eq!(end, Ok(()));
    assert!(events.ends_with("0 end\n0 finish other\nend\n"), "{events}");
}

#[test]
fn broken_streams_say_how() {
    assert_eq!(read("data: {\n\n").1, Err(StreamError::Malformed));
    assert_eq!(
        read("data: {\"choices\":[7]}\n\n").1,
        Err(StreamError::Malformed)
    );
    let (_, end) = read("event: error\ndata: {\"error\":{\"message\":\"no\"}}\n\n");
    assert!(matches!(end, Err(StreamError::InBand(refusal)) if refusal.message == "no"));
    let nameless = chunks(&[
        r#"{"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{}"}}]},"finish_reason":"stop"}"#,
    ]);
    assert_eq!(read(&nameless).1, Err(StreamError::Malformed));
    let after = chunks(&[
        r#"{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}}"#,
        r#"{"delta":{"content":"x","tool_calls":[{"index":0,"function":{"arguments":" "}}]}}"#,
        r#"{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]}}"#,
    ]);
    assert_eq!(read(&after).1, Err(StreamError::Malformed));
}

#[test]
fn what_is_held_back_is_bounded() {
    let mut reader = ChatCompletions.reader();
    let mut out = Vec::new();
    let mut read = |text: String| {
        let data = format!("{{\"choices\":[{{\"delta\":{{{text}}}}}]}}");
        reader.read(None, data.as_bytes(), &mut out)
    };
    let open = r#""tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]"#;
    assert_eq!(read(open.to_owned()), Ok(()));
    let more = format!(r#""content":"{}""#, "x".repeat(1 << 20));
    let full = (0..20).find_map(|_| read(more.clone()).err());
    assert_eq!(full, Some(StreamError::TooMuch));
}

#[test]
fn arguments_that_are_not_json_wait_for_the_finish() {
    let stream = chunks(&[
        r#"{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"oops"}}]}}"#,
        r#"{"delta":{"content":"x"}}"#,
        r#"{"delta":{},"finish_reason":"tool_calls"}"#,
    ]);
    let expected = "start i - -\n0 block 0 call a f\n0 arguments \"oops\"\n0 end\n0 block 1 text\n0 text \"x\"\n0 end\n0 finish tool_calls\nend\n";
    assert_eq!(read(&stream), (expected.to_owned(), Ok(())));
}

#[test]
fn events_become_chunks() {
    let delta = |delta| Event::Delta { choice: 0, delta };
    let block = |index, kind| Event::BlockStart {
        choice: 0,
        index,
        kind,
    };
    let call = |id: &str, name: &str| BlockKind::ToolCall {
        id: id.to_owned(),
        name: name.to_owned(),
    };
    let end = Event::BlockEnd { choice: 0 };
    let events = [
        block(0, BlockKind::Thinking),
        delta(Delta::Thinking("hm".to_owned())),
        delta(Delta::Signature("s".to_owned())),
        end.clone(),
        block(1, BlockKind::Text),
        delta(Delta::Text("hi\n".to_owned())),
        delta(Delta::Text(String::new())),
        end.clone(),
        block(2, call("call_1", "f")),
        delta(Delta::Signature("c2ln".to_owned())),
        delta(Delta::Arguments("{}".to_owned())),
        end.clone(),
        block(3, call("call_2", "g")),
        end,
        Event::Usage(Usage {
            input: 2,
            cache_read: 1,
            output: 1,
            reasoning: 1,
            ..Usage::default()
        }),
        Event::Finish {
            choice: 0,
            finish: Finish::new(FinishReason::Stop, None),
        },
        delta(Delta::Text("late".to_owned())),
        Event::End,
        delta(Delta::Text("later".to_owned())),
    ];
    let expected = include_str!("../../../../tests/fixtures/openai/stream_written.sse");
    assert_eq!(write(&events, &CONTEXT), expected);

    let silent = WriteContext {
        include_usage: false,
        ..CONTEXT
    };
    let written = write(&events, &silent);
    assert!(!written.contains("usage"), "{written}");
    assert!(written.ends_with(std::str::from_utf8(sse::DONE).unwrap()));
}

#[test]
fn a_stream_that_was_written_reads_the_same() {
    let stream = include_str!("../../../../tests/fixtures/openai/stream_tools.sse");
    let (events, _) = read_stream(&[stream.as_bytes()]);
    let written = write(&events, &CONTEXT);
    let (again, end) = read(&written);
    assert_eq!(end, Ok(()));
    let expected = lines(&events).replacen("chatcmpl-1 m 7", "chatcmpl-1 public 7", 1);
    assert_eq!(again, expected);
}

#[test]
fn images_are_told_beside_the_content() {
    let image = Content::Image(Image {
        source: Source::Data {
            media_type: "image/png".to_owned(),
            data: "iVBO".to_owned(),
        },
        detail: None,
    });
    let part =
        r#""images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO"}}]"#;
    let block = Event::BlockStart {
        choice: 0,
        index: 0,
        kind: BlockKind::Whole(Box::new(Block::new(image.clone()))),
    };
    let written = write(&[block, Event::End], &CONTEXT);
    assert!(
        written.contains(&format!(r#""delta":{{{part}}}"#)),
        "{written}"
    );

    let mut response = Response::new(Dialect::Gemini);
    response.choices.push(Choice {
        index: 0,
        blocks: vec![Block::new(image)],
        finish: Finish::new(FinishReason::Stop, None),
        logprobs: None,
    });
    let written = ChatCompletions.write_response(&response, &CONTEXT);
    let written = String::from_utf8(written.to_vec()).unwrap();
    assert!(written.contains(part), "{written}");
}

#[test]
fn calls_of_custom_tools_keep_their_text() {
    let stream = chunks(&[
        r#"{"delta":{"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"f","input":"a"}}]}}"#,
        r#"{"delta":{"tool_calls":[{"index":0,"custom":{"input":"{b"}}]},"finish_reason":"tool_calls"}"#,
    ]);
    let expected = "start i - -\n0 block 0 call a f\n0 arguments \"a\"\n0 arguments \"{b\"\n0 end\n0 finish tool_calls\nend\n";
    assert_eq!(read(&stream), (expected.to_owned(), Ok(())));
}
