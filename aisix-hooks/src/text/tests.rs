use aisix_core::wire::Dialect;
use bytes::Bytes;
use serde_json::json;

use super::*;

type Find = fn(Dialect, &[u8]) -> Result<Vec<Text<'_>>, ScanError>;

fn said(find: Find, dialect: Dialect, document: &serde_json::Value) -> Vec<String> {
    let document = document.to_string();
    let texts = find(dialect, document.as_bytes()).unwrap();
    texts.into_iter().map(|text| text.text.into()).collect()
}

#[test]
fn requests_of_every_dialect_are_read() {
    let chat = json!({"model": "no", "messages": [
        {"role": "system", "content": "a"},
        {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "image_url", "image_url": {"url": "no"}}]},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "no", "function": {"name": "no", "arguments": "c"}}]},
    ]});
    let responses = json!({"model": "no", "instructions": "a", "input": [
        {"role": "user", "content": "b"},
        {"role": "user", "content": [{"type": "input_text", "text": "c"}, {"type": "input_image", "image_url": "no"}]},
        {"type": "function_call", "name": "no", "arguments": "d"},
        {"type": "function_call_output", "call_id": "no", "output": "e"},
    ]});
    let messages = json!({"system": "a", "messages": [
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "no", "input": {"c": ["d", {"e": 1}]}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "no", "content": [{"type": "text", "text": "f"}]},
            {"type": "image", "source": {"type": "base64", "data": "no"}},
            {"type": "document", "source": {"type": "text", "data": "g"}},
        ]},
    ]});
    let gemini = json!({"systemInstruction": {"parts": [{"text": "a"}]}, "contents": [
        {"role": "no", "parts": [{"text": "b"}, {"inlineData": {"data": "no"}}]},
        {"role": "no", "parts": [{"functionCall": {"name": "no", "args": {"c": "d"}}}]},
    ]});
    for (dialect, request, expected) in [
        (Dialect::OpenAi, chat, "abc"),
        (Dialect::Responses, responses, "abcde"),
        (Dialect::Anthropic, messages, "abcde1fg"),
        (Dialect::Gemini, gemini, "abcd"),
    ] {
        assert_eq!(said(of_request, dialect, &request).concat(), expected);
    }
}

#[test]
fn answers_of_every_dialect_are_read() {
    for (dialect, answer) in [
        (
            Dialect::OpenAi,
            json!({"id": "no", "choices": [{"message": {"role": "no", "content": "a",
                "tool_calls": [{"id": "no", "function": {"name": "no", "arguments": "b"}}]}}]}),
        ),
        (
            Dialect::Responses,
            json!({"output": [{"type": "message", "content": [{"type": "output_text", "text": "a"}]},
                {"type": "function_call", "name": "no", "arguments": "b"}]}),
        ),
        (
            Dialect::Anthropic,
            json!({"content": [{"type": "text", "text": "a"}, {"type": "tool_use", "name": "no", "input": {"b": true}}]}),
        ),
        (
            Dialect::Gemini,
            json!({"candidates": [{"content": {"parts": [{"text": "a"},
                {"functionCall": {"name": "no", "args": {"b": true}}}]}}]}),
        ),
    ] {
        assert_eq!(said(of_answer, dialect, &answer), ["a", "b"], "{dialect}");
    }
}

#[test]
fn pieces_of_one_text_share_a_track_and_others_do_not() {
    let of = |dialect, event: serde_json::Value| {
        let event = event.to_string();
        of_event(dialect, event.as_bytes()).unwrap().remove(0).track
    };
    let chat = |choice, text| {
        of(
            Dialect::OpenAi,
            json!({"choices": [{"index": choice, "delta": {"content": text}}]}),
        )
    };
    assert_eq!(chat(0, "a"), chat(0, "b"));
    assert_ne!(chat(0, "a"), chat(1, "a"));
    let begun = json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "a"}});
    let piece = json!({"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "b"}});
    assert_eq!(of(Dialect::Anthropic, begun), of(Dialect::Anthropic, piece));
    assert!(of_event(Dialect::OpenAi, b"[DONE]").unwrap().is_empty());
}

#[test]
fn a_replaced_text_leaves_every_other_byte() {
    let request = br#"{ "x":1.0e0, "messages" : [{"content":"a\u0062c", "y" : null}] }"#;
    let place = of_request(Dialect::OpenAi, request)
        .unwrap()
        .remove(0)
        .place;
    let replaced = replace(&Bytes::from_static(request), [(place, "\"\n".to_owned())]).unwrap();
    assert_eq!(
        replaced,
        r#"{ "x":1.0e0, "messages" : [{"content":"\"\n", "y" : null}] }"#
    );
}

#[test]
fn a_name_that_occurs_twice_is_read_twice() {
    let request = br#"{"messages":[{"content":"a","content":"b"}],"messages":[{"content":"c"}]}"#;
    assert_eq!(of_request(Dialect::OpenAi, request).unwrap().len(), 3);
}

#[test]
fn what_was_said_is_not_told_by_the_probabilities_of_its_tokens() {
    let gone = |dialect, document: serde_json::Value| {
        let document = Bytes::from(document.to_string());
        let document = replace_said(dialect, &document, []).unwrap();
        serde_json::from_slice::<serde_json::Value>(&document).unwrap()
    };
    let told = json!({"content": [{"token": "a", "top_logprobs": []}]});
    let chat = |told| json!({"choices": [{"message": {"content": "a"}, "logprobs": told}, {"logprobs": null}]});
    assert_eq!(gone(Dialect::OpenAi, chat(told.clone())), chat(json!(null)));
    let part = |told| json!({"text": "a", "logprobs": told});
    let answer = |told| {
        json!({"logprobs": told, "part": part(told), "item": {"content": [part(told)]},
        "output": [{"content": [part(told), part(told)]}], "response": {"output": [{"content": [part(told)]}]}})
    };
    assert_eq!(gone(Dialect::Responses, answer(&told)), answer(&json!([])));
    let gemini = |told| json!({"candidates": [{"logprobsResult": told, "avgLogprobs": -0.5}]});
    assert_eq!(gone(Dialect::Gemini, gemini(told)), gemini(json!(null)));
}
