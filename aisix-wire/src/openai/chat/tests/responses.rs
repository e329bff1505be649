use super::{CONTEXT, ChatCompletions, canon};
use crate::Dialect;
use crate::chat::{CallerCodec, Content, FinishReason, Response, UpstreamCodec};
use crate::error::ResponseError;

const FULL: &str = include_str!("../../../../tests/fixtures/openai/response_full.json");

fn read(body: &str) -> Response {
    ChatCompletions.read_response(body.as_bytes()).unwrap()
}

#[test]
fn an_answer_with_everything_comes_through_unchanged() {
    let written = ChatCompletions.write_response(&read(FULL), &CONTEXT);
    assert_eq!(canon(written), canon(FULL));
}

#[test]
fn calls_turn_a_stop_into_tool_calls_and_get_ids() {
    let body = r#" {"id":"x/1","choices":[{"message":{"content":"","tool_calls":[
        {"function":{"name":"f","arguments":{"a": 1}}},{"id":"","function":{"name":"g"}}]},"finish_reason":"stop"}]} "#;
    let response = read(body);
    let choice = &response.choices[0];
    assert_eq!(choice.finish.reason, FinishReason::ToolCalls);
    assert_eq!(choice.finish.raw.as_deref(), Some("stop"));
    let calls: Vec<_> = choice
        .blocks
        .iter()
        .map(|block| match &block.content {
            Content::ToolCall(call) => (&*call.id, &*call.name, &*call.arguments),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [("call_x1_0", "f", "{\"a\": 1}"), ("call_x1_1", "g", "")];
    assert_eq!(calls, expected);
}

#[test]
fn an_empty_answer_still_has_a_choice() {
    let written = ChatCompletions.write_response(&Response::new(Dialect::Gemini), &CONTEXT);
    let expected = r#"{"id":"chatcmpl-r1","object":"chat.completion","created":5,"model":"public","choices":[
        {"index":0,"message":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":"stop"}]}"#;
    assert_eq!(canon(written), canon(expected));
}

#[test]
fn parts_of_content_are_joined_and_thoughts_kept_apart() {
    let body = r#"{"choices":[{"message":{"content":[
        {"type":"thinking","thinking":[{"type":"text","text":"t"}]},{"type":"text","text":"a"},{"type":"text","text":"b"}]}}]}"#;
    let written = ChatCompletions.write_response(&read(body), &CONTEXT);
    let text = String::from_utf8(written.to_vec()).unwrap();
    assert!(
        text.contains(r#""content":"ab","refusal":null,"reasoning_content":"t""#),
        "{text}"
    );
}

#[test]
fn what_is_no_answer_is_told() {
    let read = |body: &str| ChatCompletions.read_response(body.as_bytes()).unwrap_err();
    assert_eq!(read(" \n"), ResponseError::Empty);
    assert_eq!(read("<html>"), ResponseError::NotJson);
    assert_eq!(read(&FULL[..FULL.len() - 4]), ResponseError::NotJson);
    let in_band = read(r#"{"error":{"message":"no","code":429}}"#);
    assert!(matches!(in_band, ResponseError::InBand(refusal) if refusal.message == "no"));
}
