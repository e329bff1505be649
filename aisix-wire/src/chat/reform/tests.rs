#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;

fn context(include_usage: bool) -> WriteContext<'static> {
    WriteContext {
        model: "asked-model",
        created: 9,
        request_id: "r",
        include_usage,
        request: b"{}",
    }
}

fn usage() -> Usage {
    Usage {
        input: 5,
        output: 7,
        ..Usage::default()
    }
}

fn to_stream(dialect: Dialect, answer: &Value) -> Option<String> {
    let answer = Bytes::from(answer.to_string());
    let whole = (AnswerForm::Whole, &answer);
    let stream = reform(dialect, whole, AnswerForm::Stream, None, &context(false))?;
    Some(String::from_utf8(stream.to_vec()).unwrap())
}

fn to_whole(dialect: Dialect, answer: &str, usage: Option<Usage>) -> Option<Value> {
    let answer = Bytes::from(answer.to_owned());
    let stream = (AnswerForm::Stream, &answer);
    let whole = reform(dialect, stream, AnswerForm::Whole, usage, &context(false))?;
    Some(serde_json::from_slice(&whole).unwrap())
}

fn openai(message: &Value, reason: &str) -> Value {
    json!({"id": "c1", "object": "chat.completion", "created": 3, "model": "m-1",
        "system_fingerprint": "fp",
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": reason}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}})
}

fn anthropic(content: &Value) -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1",
        "content": content, "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 5, "output_tokens": 7, "service_tier": "standard"}})
}

fn gemini(parts: &Value) -> Value {
    json!({"responseId": "g1", "modelVersion": "m-1",
        "candidates": [{"index": 0, "content": {"role": "model", "parts": parts}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": 12}})
}

/// The answers that are the same in both forms.
fn answers() -> Vec<(Dialect, Value)> {
    let call = json!({"id": "t1", "type": "function",
        "function": {"name": "f", "arguments": "{\"a\": 1}"}});
    let mut two = openai(&json!({"role": "assistant", "content": "hi"}), "stop");
    let mut second = two["choices"][0].clone();
    second["index"] = json!(1);
    two["choices"].as_array_mut().unwrap().push(second);
    let tool = json!({"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}});
    let thinking = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let mut uses = anthropic(&json!([thinking, {"type": "text", "text": "hi"}, tool]));
    uses["stop_reason"] = json!("tool_use");
    vec![
        (
            Dialect::OpenAi,
            openai(&json!({"role": "assistant", "content": "hi"}), "stop"),
        ),
        (
            Dialect::OpenAi,
            openai(&json!({"role": "assistant", "content": "hi"}), "length"),
        ),
        (
            Dialect::OpenAi,
            openai(
                &json!({"role": "assistant", "content": null, "tool_calls": [call]}),
                "tool_calls",
            ),
        ),
        (
            Dialect::OpenAi,
            openai(
                &json!({"role": "assistant", "content": null, "refusal": "no"}),
                "stop",
            ),
        ),
        (Dialect::OpenAi, two),
        (
            Dialect::Anthropic,
            anthropic(&json!([{"type": "text", "text": "hi"}])),
        ),
        (Dialect::Anthropic, uses),
        (Dialect::Gemini, gemini(&json!([{"text": "hi"}]))),
        (
            Dialect::Gemini,
            gemini(&json!([{"text": "hm", "thought": true}, {"text": "hi"},
                {"functionCall": {"name": "f", "args": {"a": 1}}}])),
        ),
    ]
}

#[test]
fn an_answer_becomes_a_stream_and_the_same_answer_again() {
    for (dialect, answer) in answers() {
        let stream = to_stream(dialect, &answer).unwrap_or_else(|| panic!("{answer}"));
        let again = to_whole(dialect, &stream, Some(usage())).unwrap();
        let upstream = upstream_codec(dialect).unwrap();
        let read = |answer: &Value| {
            let answer = upstream
                .read_response(answer.to_string().as_bytes())
                .unwrap();
            let ends: Vec<_> = answer.choices.iter().map(|it| it.finish.reason).collect();
            let blocks: Vec<_> = answer.choices.into_iter().map(|it| it.blocks).collect();
            (answer.id, answer.model, answer.usage, ends, blocks)
        };
        assert_eq!(read(&again), read(&answer), "{stream}");
    }
}

#[test]
fn streams_have_what_the_sdks_expect() {
    let (_, answer) = answers().remove(0);
    let stream = to_stream(Dialect::OpenAi, &answer).unwrap();
    let data: Vec<_> = stream.split_terminator("\n\n").collect();
    assert_eq!(data.last().unwrap(), &"data: [DONE]");
    for chunk in &data[..data.len() - 1] {
        let chunk: Value = serde_json::from_str(chunk.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(
            [&chunk["id"], &chunk["model"]],
            [&json!("c1"), &json!("m-1")]
        );
        assert!(chunk["usage"].is_null());
    }
    let (_, answer) = answers().remove(5);
    let stream = to_stream(Dialect::Anthropic, &answer).unwrap();
    let names: Vec<_> = stream
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect();
    let expected = "message_start content_block_start content_block_delta content_block_stop \
        message_delta message_stop";
    assert_eq!(names.join(" "), expected);
}

#[test]
fn a_stream_gets_the_usage_that_it_was_without() {
    let (_, answer) = answers().remove(0);
    let stream = Bytes::from(to_stream(Dialect::OpenAi, &answer).unwrap());
    let write = |usage| {
        let stream = (AnswerForm::Stream, &stream);
        reform(
            Dialect::OpenAi,
            stream,
            AnswerForm::Stream,
            usage,
            &context(true),
        )
    };
    let with_usage = String::from_utf8(write(Some(usage())).unwrap().to_vec()).unwrap();
    assert!(
        with_usage.contains("\"completion_tokens\":7"),
        "{with_usage}"
    );
    assert_eq!(write(None), None, "nobody knows");
}

#[test]
fn what_one_form_cannot_say_stays_in_the_other() {
    let text = json!({"role": "assistant", "content": "hi"});
    let mut logprobs = openai(&text, "stop");
    logprobs["choices"][0]["logprobs"] = json!({"content": []});
    let mut search = openai(&text, "stop");
    search["search_results"] = json!([{"url": "https://example.com"}]);
    let audio = openai(
        &json!({"role": "assistant", "content": null, "audio": {"id": "a"}}),
        "stop",
    );
    let mut no_usage = openai(&text, "stop");
    no_usage.as_object_mut().unwrap().remove("usage");
    for answer in [
        logprobs,
        search,
        audio,
        no_usage,
        json!({"id": "c"}),
        json!([]),
    ] {
        assert_eq!(to_stream(Dialect::OpenAi, &answer), None, "{answer}");
    }
    let done = "data: [DONE]\n\n";
    let chunk =
        "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    let error = "data: {\"error\":{\"message\":\"oh\"}}\n\n";
    for stream in ["", done, chunk, &format!("{chunk}{error}{done}")] {
        assert_eq!(
            to_whole(Dialect::OpenAi, stream, Some(usage())),
            None,
            "{stream}"
        );
    }
    assert_eq!(to_stream(Dialect::Responses, &json!({"id": "r"})), None);
}
