//! Whole answers of an upstream.

use super::{content, finish};
use crate::chat::{
    Block, Choice, Content, Extra, Finish, FinishReason, Opaque, Response, ToolCall, call_id,
};
use crate::error::{ResponseError, error_member, refusal};
use crate::json::{Object, Value};
use crate::{Dialect, Kind, ScanErrorKind, openai};

/// The members that have a place of their own.
const KNOWN: &[&str] = &["id", "object", "created", "model", "choices", "usage"];

pub(super) fn read(body: &[u8]) -> Result<Response, ResponseError> {
    let object = Object::scan(body).map_err(|error| {
        let blank = error.kind == ScanErrorKind::Syntax && error.at == body.len();
        match blank && body.iter().all(u8::is_ascii_whitespace) {
            true => ResponseError::Empty,
            false => ResponseError::NotJson,
        }
    })?;
    if let Some(error) = error_member(body, object.envelope()) {
        return Err(ResponseError::InBand(refusal(body, error)));
    }
    let mut response = Response::new(Dialect::OpenAi);
    response.id = object.try_string("id").filter(|id| !id.is_empty());
    response.model = object.try_string("model");
    response.created = object.try_count("created");
    response.usage = object
        .get("usage")
        .and_then(|usage| openai::usage(usage.raw().as_bytes()));
    let mut calls = 0;
    for (at, choice) in object.try_items("choices").enumerate() {
        let Some(choice) = choice.as_object() else {
            continue;
        };
        let id = response.id.as_deref().unwrap_or_default();
        let choice = self::choice(&choice, at, id, &mut calls);
        response.choices.push(choice);
    }
    for (name, value) in object.members() {
        if !KNOWN.contains(&&*name) {
            response.rest.push(Extra {
                name: name.into_owned(),
                value: value.raw(),
                shapes: false,
            });
        }
    }
    Ok(response)
}

fn choice(o: &Object<'_>, at: usize, id: &str, calls: &mut usize) -> Choice {
    let index = o.try_count("index").and_then(|index| index.try_into().ok());
    let message = o.try_object("message");
    let blocks = message.map(|message| blocks(&message, id, calls));
    let word = o.try_text("finish_reason").filter(|word| !word.is_empty());
    let finish = match word {
        Some(word) => finish::read(&word),
        None => Finish::new(FinishReason::Other, None),
    };
    let mut choice = Choice {
        index: index.unwrap_or(at as u32),
        blocks: blocks.unwrap_or_default(),
        finish: finish.clone(),
        logprobs: o.get("logprobs").map(|logprobs| opaque(&logprobs)),
    };
    choice.finish = finish.with_calls(choice.calls_tools());
    choice
}

/// The parts of a message: thinking, text, refusal, calls.
fn blocks(o: &Object<'_>, id: &str, calls: &mut usize) -> Vec<Block> {
    let mut thinking = content::thinking(o).unwrap_or_default();
    let mut text = String::new();
    if let Some(value) = o.get("content") {
        content::said(&value, |thinks, said| match thinks {
            true => thinking.push_str(&said),
            false => text.push_str(&said),
        });
    }
    let mut blocks = Vec::new();
    if !thinking.is_empty() {
        blocks.push(Block::new(Content::Thinking(thinking)));
    }
    let signature = content::signature(o);
    if !text.is_empty() || signature.is_some() {
        let citations = o
            .get("annotations")
            .filter(|list| list.items().is_some_and(|mut items| items.next().is_some()));
        blocks.push(Block {
            content: Content::Text {
                text,
                citations: citations.map(|list| opaque(&list)),
            },
            signature,
            cache: None,
        });
    }
    if let Some(refusal) = o.try_string("refusal").filter(|text| !text.is_empty()) {
        blocks.push(Block::new(Content::Refusal(refusal)));
    }
    for value in o.try_items("tool_calls") {
        if let Some(call) = value.as_object() {
            blocks.push(tool_call(&call, &value, id, calls));
        }
    }
    if let Some(function) = o.try_object("function_call") {
        blocks.push(Block::new(function_call(&function, None, id, calls)));
    }
    if let Some(audio) = o.get("audio").filter(|audio| audio.kind() == Kind::Object) {
        blocks.push(Block::new(Content::Opaque(opaque(&audio))));
    }
    blocks
}

fn tool_call(o: &Object<'_>, value: &Value<'_>, id: &str, calls: &mut usize) -> Block {
    match o.try_object("function") {
        Some(function) => Block {
            content: function_call(&function, o.try_string("id"), id, calls),
            signature: content::signature(o),
            cache: None,
        },
        None => Block::new(Content::Opaque(opaque(value))),
    }
}

fn function_call(
    function: &Object<'_>,
    call: Option<String>,
    id: &str,
    calls: &mut usize,
) -> Content {
    let call = call.filter(|call| !call.is_empty());
    let number = *calls;
    *calls += 1;
    Content::ToolCall(ToolCall {
        id: call.unwrap_or_else(|| call_id(id, number)),
        name: function.try_string("name").unwrap_or_default(),
        arguments: arguments(function),
    })
}

/// The arguments; some servers write the object itself instead of a text.
pub(super) fn arguments(function: &Object<'_>) -> String {
    match function.get("arguments") {
        Some(value) if value.kind() == Kind::Object => value.raw().to_string(),
        Some(value) => value.as_str().unwrap_or_default().into_owned(),
        None => String::new(),
    }
}

pub(super) fn opaque(value: &Value<'_>) -> Opaque {
    Opaque {
        dialect: Dialect::OpenAi,
        raw: value.raw(),
    }
}
