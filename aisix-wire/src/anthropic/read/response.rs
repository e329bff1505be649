//! A whole answer of a provider.

use super::block;
use crate::Dialect;
use crate::anthropic::errors::with_code;
use crate::anthropic::{facts, usage};
use crate::chat::{Block, Choice, Content, Extra, Finish, FinishReason, Response};
use crate::error::ResponseError;
use crate::json::{Object, Path, Value};

/// Reads an answer.
pub(in super::super) fn response(bytes: &[u8]) -> Result<Response, ResponseError> {
    let facts = facts::read_response(bytes).map_err(|error| match error {
        ResponseError::InBand(refusal) => ResponseError::InBand(with_code(refusal)),
        other => other,
    })?;
    let body = Object::scan(bytes).map_err(|_| ResponseError::NotJson)?;
    let blocks = content(&body);
    let finish = finish(&body).with_calls(calls(&blocks));
    let mut response = Response::new(Dialect::Anthropic);
    response.id = facts.id;
    response.model = facts.model;
    response.usage = facts.usage;
    response.choices.push(Choice {
        index: 0,
        blocks,
        finish,
        logprobs: None,
    });
    for (name, value) in body.members() {
        match name.as_ref() {
            "id" | "type" | "role" | "model" | "content" | "stop_reason" | "stop_sequence" => {}
            "usage" => more_usage(&value, &mut response),
            _ => response.rest.push(extra(name.into_owned(), &value)),
        }
    }
    Ok(response)
}

/// The end of an answer, from an object with `stop_reason`.
pub(in super::super) fn finish(body: &Object<'_>) -> Finish {
    let raw = body.try_string("stop_reason");
    let reason = match raw.as_deref() {
        Some("end_turn" | "stop_sequence" | "pause_turn") => FinishReason::Stop,
        Some("max_tokens" | "model_context_window_exceeded") => FinishReason::Length,
        Some("tool_use") => FinishReason::ToolCalls,
        Some("refusal") => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    };
    Finish {
        stop_sequence: body.try_string("stop_sequence"),
        ..Finish::new(reason, raw)
    }
}

/// The blocks. One that makes no sense is kept as it is: an answer is not refused for a part of it.
fn content(body: &Object<'_>) -> Vec<Block> {
    let path = Path::Root.member("content");
    let items = body.try_items("content");
    items
        .filter_map(|item| item.as_object())
        .map(|item| {
            block::block(&item, &path, true).unwrap_or_else(|_| Block::new(block::opaque(&item)))
        })
        .collect()
}

fn calls(blocks: &[Block]) -> bool {
    blocks
        .iter()
        .any(|block| matches!(block.content, Content::ToolCall(_)))
}

/// Keeps the counts that have no bucket.
fn more_usage(value: &Value<'_>, response: &mut Response) {
    let Some(counts) = value.as_object() else {
        return;
    };
    for (name, value) in counts.members() {
        if !usage::KNOWN.contains(&name.as_ref()) {
            response.rest.push(extra(format!("usage.{name}"), &value));
        }
    }
}

fn extra(name: String, value: &Value<'_>) -> Extra {
    Extra {
        name,
        value: value.raw(),
        shapes: false,
    }
}
