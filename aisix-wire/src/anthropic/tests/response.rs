use serde_json::Value;

use crate::anthropic::Messages;
use crate::chat::{
    Block, CallerCodec, Choice, Content, Finish, FinishReason, Response, ToolCall, UpstreamCodec,
    WriteContext,
};
use crate::error::ResponseError;
use crate::{Dialect, Usage};

const CONTEXT: WriteContext<'_> = WriteContext {
    model: "claude",
    created: 1,
    request_id: "0f-1e",
    include_usage: false,
    request: b"{}",
};

fn write(response: &Response) -> Value {
    serde_json::from_slice(&Messages.write_response(response, &CONTEXT)).unwrap()
}

#[test]
fn what_the_dialect_can_say_survives_the_neutral_form() {
    for text in [
        include_str!("../../../tests/fixtures/anthropic/response/text.json"),
        include_str!("../../../tests/fixtures/anthropic/response/thinking_and_tools.json"),
        include_str!("../../../tests/fixtures/anthropic/response/stop_sequence.json"),
        include_str!("../../../tests/fixtures/anthropic/response/citations.json"),
        include_str!("../../../tests/fixtures/anthropic/response/refusal.json"),
    ] {
        let response = Messages.read_response(text.as_bytes()).unwrap();
        let mut golden: Value = serde_json::from_str(text).unwrap();
        // Counts are always told in full.
        for count in ["cache_read_input_tokens", "cache_creation_input_tokens"] {
            if golden["usage"][count].is_null() {
                golden["usage"][count] = 0.into();
            }
        }
        assert_eq!(write(&response), golden, "{text}");
    }
}

#[test]
fn stop_reasons_are_translated_both_ways() {
    for (raw, reason) in [
        ("end_turn", FinishReason::Stop),
        ("stop_sequence", FinishReason::Stop),
        ("pause_turn", FinishReason::Stop),
        ("max_tokens", FinishReason::Length),
        ("model_context_window_exceeded", FinishReason::Length),
        ("tool_use", FinishReason::ToolCalls),
        ("refusal", FinishReason::ContentFilter),
        ("enchanted", FinishReason::Other),
    ] {
        let body = format!(r#"{{"content":[],"stop_reason":"{raw}"}}"#);
        let response = Messages.read_response(body.as_bytes()).unwrap();
        assert_eq!(response.choices[0].finish.reason, reason, "{raw}");
        assert_eq!(response.choices[0].finish.raw.as_deref(), Some(raw));
    }
    for (reason, raw) in [
        (FinishReason::Stop, "end_turn"),
        (FinishReason::Length, "max_tokens"),
        (FinishReason::ContentFilter, "refusal"),
        (FinishReason::Other, "end_turn"),
        // Without a call there is nothing to use.
        (FinishReason::ToolCalls, "end_turn"),
    ] {
        assert_eq!(
            write(&answer(reason, vec![Block::text("x")]))["stop_reason"],
            raw
        );
    }
    assert_eq!(
        write(&answer(FinishReason::Stop, vec![call("{}")]))["stop_reason"],
        "tool_use"
    );
    assert_eq!(
        write(&answer(FinishReason::Length, vec![call("{")]))["stop_reason"],
        "max_tokens"
    );
    let mut stopped = answer(FinishReason::Stop, vec![Block::text("x")]);
    stopped.choices[0].finish.stop_sequence = Some("END".into());
    let written = write(&stopped);
    assert_eq!(written["stop_reason"], "stop_sequence");
    assert_eq!(written["stop_sequence"], "END");
}

#[test]
fn arguments_become_objects_whatever_the_model_wrote() {
    for (arguments, input) in [
        ("", "{}"),
        ("  ", "{}"),
        ("{}", "{}"),
        (r#"{"a":1}"#, r#"{"a":1}"#),
        ("nonsense", r#"{"arguments":"nonsense"}"#),
        ("[1]", r#"{"arguments":"[1]"}"#),
        (r#"{"a":"#, r#"{"arguments":"{\"a\":"}"#),
    ] {
        let written = write(&answer(FinishReason::ToolCalls, vec![call(arguments)]));
        let golden: Value = serde_json::from_str(input).unwrap();
        assert_eq!(written["content"][0]["input"], golden, "{arguments}");
    }
}

#[test]
fn answers_of_others_get_an_id_a_usage_and_no_empty_texts() {
    let refusal = Block::new(Content::Refusal("no".into()));
    let mut response = answer(FinishReason::Stop, vec![Block::text(""), refusal]);
    response.usage = Some(Usage {
        input: 1,
        cache_read: 2,
        cache_write: 3,
        output: 4,
        reasoning: 5,
    });
    let golden = serde_json::json!({
        "id": "msg_0f1e", "type": "message", "role": "assistant", "model": "claude",
        "content": [{"type": "text", "text": "no"}],
        "stop_reason": "refusal", "stop_sequence": null,
        "usage": {
            "input_tokens": 1, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 3,
            "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 5},
        },
    });
    assert_eq!(write(&response), golden);
    assert_eq!(
        write(&Response::new(Dialect::Gemini))["stop_reason"],
        "end_turn"
    );
}

#[test]
fn counts_and_members_that_only_this_dialect_knows_are_kept() {
    let text = r#"{"id":"msg_1","content":[],"stop_reason":"end_turn","container":{"id":"c"},"usage":{"input_tokens":1,"output_tokens":2,"service_tier":"batch","server_tool_use":{"web_search_requests":1}}}"#;
    let written = write(&Messages.read_response(text.as_bytes()).unwrap());
    assert_eq!(written["container"]["id"], "c");
    assert_eq!(written["usage"]["service_tier"], "batch");
    assert_eq!(
        written["usage"]["server_tool_use"]["web_search_requests"],
        1
    );
}

#[test]
fn one_bad_block_does_not_spoil_an_answer() {
    let text = r#"{"content":[{"type":"tool_use"},7,{"type":"text","text":"x"},{"type":"hologram","x":1}],"stop_reason":"end_turn"}"#;
    let response = Messages.read_response(text.as_bytes()).unwrap();
    let blocks = &response.choices[0].blocks;
    assert_eq!(blocks.len(), 3);
    assert!(matches!(blocks[0].content, Content::Opaque(_)));
    assert_eq!(blocks[1], Block::text("x"));
    assert!(matches!(blocks[2].content, Content::Opaque(_)));
}

#[test]
fn errors_in_the_guise_of_answers_get_their_code() {
    let body = br#"{"type":"error","error":{"type":"not_found_error","message":"m"}}"#;
    let Err(ResponseError::InBand(refusal)) = Messages.read_response(body) else {
        panic!("an error");
    };
    assert_eq!(refusal.code.as_deref(), Some("model_not_found"));
}

fn call(arguments: &str) -> Block {
    Block::new(Content::ToolCall(ToolCall {
        id: "t".into(),
        name: "f".into(),
        arguments: arguments.into(),
    }))
}

fn answer(reason: FinishReason, blocks: Vec<Block>) -> Response {
    let mut response = Response::new(Dialect::OpenAi);
    response.choices.push(Choice {
        index: 0,
        blocks,
        finish: Finish::new(reason, None),
        logprobs: None,
    });
    response
}
