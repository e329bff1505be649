use serde_json::json;

use super::{value, written};
use crate::chat::*;
use crate::gemini::Gemini;
use crate::{Dialect, ResponseError, Usage};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/gemini/response/", $name))
    };
}

const CONTEXT: WriteContext<'static> = WriteContext {
    model: "gemini-3-pro-preview",
    created: 7,
    request_id: "req-1",
    include_usage: true,
    request: b"{}",
};

fn read(text: &str) -> Response {
    Gemini.read_response(text.as_bytes()).unwrap()
}

#[test]
fn an_answer_with_thoughts_and_calls_is_read() {
    let response = read(fixture!("thoughts_and_calls.json"));
    let choice = &response.choices[0];
    assert_eq!(
        choice.finish,
        Finish::new(FinishReason::ToolCalls, Some("STOP".into()))
    );
    let calls: Vec<_> = choice
        .blocks
        .iter()
        .filter_map(|block| match &block.content {
            Content::ToolCall(call) => Some((
                call.id.as_str(),
                call.name.as_str(),
                call.arguments.as_str(),
                block.signature.as_deref(),
            )),
            _ => None,
        })
        .collect();
    assert_eq!(
        calls,
        [
            (
                "call_r1_0",
                "lookup",
                r#"{"q":"rust","n":0.30}"#,
                Some("c2ln")
            ),
            ("call_r1_1", "now", "{}", None)
        ]
    );
    assert_eq!(choice.blocks[0], Content::Thinking("plan".into()).into());
    assert_eq!(choice.blocks[1], Block::text("hi"));
    assert_eq!(
        response.usage,
        Some(Usage {
            input: 6,
            cache_read: 4,
            output: 2,
            reasoning: 30,
            ..Usage::default()
        })
    );
}

#[test]
fn answers_come_out_as_they_went_in() {
    for text in [
        fixture!("text.json"),
        fixture!("image.json"),
        fixture!("blocked_prompt.json"),
        fixture!("thoughts_and_calls.json"),
    ] {
        let response = read(text);
        let out = Gemini.write_response(&response, &CONTEXT);
        let again = Gemini.read_response(&out).unwrap();
        assert_eq!(
            (&again.choices, &again.usage, &again.rest),
            (&response.choices, &response.usage, &response.rest),
            "{text}"
        );
    }
    let out = Gemini.write_response(&read(fixture!("blocked_prompt.json")), &CONTEXT);
    assert_eq!(written(&out).get("candidates"), None);
    let text = Gemini.write_response(
        &read(fixture!("text.json")),
        &WriteContext {
            model: "gemini-2.5-flash",
            ..CONTEXT
        },
    );
    let mut expected = value(fixture!("text.json"));
    assert_eq!(written(&text), expected.take());
}

#[test]
fn the_ends_of_answers_are_told_apart() {
    let end = |text: &str| {
        let response = read(text);
        let choice = response.choices.into_iter().next().unwrap();
        (
            choice.finish.reason,
            choice.finish.raw.unwrap_or_default(),
            choice.blocks.len(),
        )
    };
    assert_eq!(
        end(fixture!("blocked_prompt.json")),
        (FinishReason::ContentFilter, "PROHIBITED_CONTENT".into(), 0)
    );
    assert_eq!(
        end(fixture!("max_tokens_while_thinking.json")),
        (FinishReason::Length, "MAX_TOKENS".into(), 0)
    );
    assert_eq!(
        end(fixture!("no_content.json")),
        (FinishReason::ContentFilter, "SAFETY".into(), 0)
    );
    assert_eq!(
        end(fixture!("malformed_call.json")),
        (FinishReason::Other, "MALFORMED_FUNCTION_CALL".into(), 0)
    );
    for (word, reason) in [
        ("STOP", FinishReason::Stop),
        ("RECITATION", FinishReason::ContentFilter),
        ("LANGUAGE", FinishReason::ContentFilter),
        ("SPII", FinishReason::ContentFilter),
        ("IMAGE_SAFETY", FinishReason::ContentFilter),
        ("MODEL_ARMOR", FinishReason::ContentFilter),
        ("OTHER", FinishReason::Other),
        ("NEW_ONE", FinishReason::Other),
    ] {
        assert_eq!(
            end(&json!({"candidates": [{"finishReason": word}]}).to_string()).0,
            reason,
            "{word}"
        );
    }
}

#[test]
fn calls_of_answers_without_an_id_get_ids_that_differ_between_answers() {
    let id = |n: u32| {
        let text = json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {"n": n}}}]}}]}).to_string();
        match &read(&text).choices[0].blocks[0].content {
            Content::ToolCall(call) => call.id.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(id(1), id(1));
    assert_ne!(id(1), id(2));
    assert!(id(1).starts_with("call_"));
}

#[test]
fn an_answer_of_another_dialect_is_written_in_gemini_words() {
    let mut response = Response::new(Dialect::OpenAi);
    response.choices.push(Choice {
        index: 0,
        blocks: vec![
            Block::text(""),
            Content::Thinking("hm".into()).into(),
            Content::RedactedThinking("x".into()).into(),
            Content::Refusal("no".into()).into(),
            Content::ToolCall(ToolCall {
                id: "c1".into(),
                name: "f".into(),
                arguments: "nonsense".into(),
            })
            .into(),
        ],
        finish: Finish::new(FinishReason::ToolCalls, Some("tool_calls".into())),
        logprobs: None,
    });
    response.usage = Some(Usage {
        input: 1,
        cache_read: 2,
        cache_write: 3,
        output: 4,
        reasoning: 5,
    });
    assert_eq!(
        written(&Gemini.write_response(&response, &CONTEXT)),
        json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "hm", "thought": true}, {"text": "no"},
            {"functionCall": {"id": "c1", "name": "f", "args": {"arguments": "nonsense"}}}]}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 6, "cachedContentTokenCount": 2, "candidatesTokenCount": 4, "thoughtsTokenCount": 5, "totalTokenCount": 15},
            "modelVersion": "gemini-3-pro-preview", "responseId": "req-1"})
    );
}

#[test]
fn grounding_and_citations_stay_with_gemini_callers() {
    let text = json!({"candidates": [{"content": {"parts": [{"text": "x"}]}, "groundingMetadata": {"webSearchQueries": ["q"]}, "logprobsResult": {"a": 1}, "finishReason": "STOP"}]});
    let out = written(&Gemini.write_response(&read(&text.to_string()), &CONTEXT));
    assert_eq!(
        out["candidates"][0]["groundingMetadata"],
        json!({"webSearchQueries": ["q"]})
    );
    assert_eq!(out["candidates"][0]["logprobsResult"], json!({"a": 1}));
}

#[test]
fn an_answer_that_is_none_is_told_apart() {
    assert_eq!(Gemini.read_response(b" "), Err(ResponseError::Empty));
    assert_eq!(Gemini.read_response(b"<html>"), Err(ResponseError::NotJson));
    for body in [
        &br#"{"error":{"code":500,"message":"m"}}"#[..],
        br#"[{"error":{"code":500,"message":"m"}}]"#,
    ] {
        assert!(
            matches!(Gemini.read_response(body), Err(ResponseError::InBand(refusal)) if refusal.message == "m")
        );
    }
}
