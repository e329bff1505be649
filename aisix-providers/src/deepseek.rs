//! DeepSeek: OpenAI's dialect with deviations.
//!
//! Each deviation edits only the members concerned; a request without them goes out as it came.

use std::sync::Arc;

use aisix_core::{
    Error,
    body::Body,
    call::{Attempt, Call, Payload},
    upstream::{Endpoint, Provider, Spec},
};
use aisix_wire::{
    Dialect, Edits, Envelope, Form, Kind, Member, Operation,
    chat::{LimitName, WriteOptions},
    elements, json_string,
};
use async_trait::async_trait;
use bytes::Bytes;
use http::Uri;

use crate::bearer::Bearer;

pub(crate) const BASE: &str = "https://api.deepseek.com";

/// DeepSeek, at `https://api.deepseek.com` unless `api_base` says otherwise.
///
/// What differs from OpenAI's dialect, and what is done about it:
///
/// - `max_completion_tokens` is called `max_tokens`.
/// - The role `developer` is called `system`.
/// - `response_format` knows no `json_schema`: it becomes `json_object`, and the schema an instruction
///   in a system message.
/// - While it thinks, which is the default, it wants `reasoning_content` back on assistant messages
///   with tool calls: an empty one is added where the client has lost it.
///
/// At its beta, whose base ends in `/beta`, it goes on with an answer of which it is given the beginning.
#[derive(Clone, Copy, Debug)]
pub struct DeepSeek;

struct Quirky(Bearer);

// === impl DeepSeek ===

impl Provider for DeepSeek {
    fn kind(&self) -> &'static str {
        "deepseek"
    }

    fn has_default_base(&self) -> bool {
        true
    }

    fn endpoint(&self, spec: &Spec<'_>) -> Result<Arc<dyn Endpoint>, Error> {
        Ok(Arc::new(Quirky(Bearer::new(spec, Some(BASE))?)))
    }
}

// === impl Quirky ===

#[async_trait]
impl Endpoint for Quirky {
    fn dialect(&self, operation: &Operation) -> Option<Dialect> {
        // There are no embeddings at DeepSeek.
        (operation.form != Form::Embed).then_some(Dialect::OpenAi)
    }

    fn edit(&self, call: &Call, edits: &mut Edits) -> Result<(), Error> {
        if call.inbound.operation.form == Form::Chat {
            deviate(&call.inbound.payload, edits);
        }
        Ok(())
    }

    fn adapt(&self, options: &mut WriteOptions<'_>) {
        options.limit_name = LimitName::MaxTokens;
        options.replay_thinking = true;
    }

    fn continues(&self, operation: &Operation) -> bool {
        let address = self.0.address(Form::Chat).map_or("", Uri::path);
        operation.form == Form::Chat && address.ends_with("/beta/chat/completions")
    }

    async fn prepare(&self, attempt: &Attempt, body: Bytes) -> Result<http::Request<Body>, Error> {
        self.0.request(attempt.call.inbound.operation, body)
    }
}

/// Adds the edits that a request needs, none for most.
fn deviate(payload: &Payload, edits: &mut Edits) {
    if payload.member("max_completion_tokens").is_some() {
        if payload.member("max_tokens").is_none_or(Member::is_null) {
            edits.remove("max_tokens");
            edits.rename("max_completion_tokens", "max_tokens");
        } else {
            edits.remove("max_completion_tokens");
        }
    }
    let instruction = schema_instruction(payload);
    if instruction.is_some() {
        edits.set("response_format", &br#"{"type":"json_object"}"#[..]);
    }
    messages(payload, instruction, edits);
}

fn messages(payload: &Payload, instruction: Option<String>, edits: &mut Edits) {
    let bytes = payload.bytes();
    let Some(list) = payload.member("messages") else {
        return;
    };
    let thinks = thinks(payload);
    for (span, kind) in elements(bytes, list.value.clone()) {
        if kind != Kind::Object {
            continue;
        }
        let Ok(message) = Envelope::scan_at(bytes, span) else {
            continue;
        };
        let role = message.member(bytes, "role");
        match role.and_then(|role| role.as_str(bytes)).as_deref() {
            Some("developer") => {
                if let Some(role) = role {
                    edits.replace(role.value.clone(), &br#""system""#[..]);
                }
            }
            Some("assistant") if thinks => backfill_reasoning(bytes, &message, edits),
            _ => {}
        }
    }
    if let Some(instruction) = instruction {
        // Before the first message, so that every other byte stays where it is.
        let at = list.value.start + 1;
        let mut message = br#"{"role":"system","content":"#.to_vec();
        message.extend_from_slice(&json_string(&instruction));
        message.extend_from_slice(b"},");
        edits.replace(at..at, message);
    }
}

/// An assistant message with tool calls must carry its reasoning; an empty one is accepted.
fn backfill_reasoning(bytes: &[u8], message: &Envelope, edits: &mut Edits) {
    let calls = message.member(bytes, "tool_calls");
    let has_calls = calls.is_some_and(|calls| calls.kind == Kind::Array && calls.len > 0);
    if !has_calls {
        return;
    }
    match message.member(bytes, "reasoning_content") {
        Some(reasoning) if reasoning.is_null() => {
            edits.replace(reasoning.value.clone(), &br#""""#[..]);
        }
        Some(_) => {}
        None => {
            let at = message.object().start + 1;
            edits.replace(at..at, &br#""reasoning_content":"","#[..]);
        }
    }
}

/// Thinking is on unless it is switched off.
fn thinks(payload: &Payload) -> bool {
    let bytes = payload.bytes();
    let switched_off = payload.member("thinking").is_some_and(|thinking| {
        Envelope::scan_at(bytes, thinking.value.clone())
            .ok()
            .and_then(|thinking| Some(thinking.member(bytes, "type")?.as_str(bytes)? == "disabled"))
            .unwrap_or(false)
    });
    !switched_off && payload.str("reasoning_effort").as_deref() != Some("none")
}

/// What a JSON schema says in words, if one is asked for.
fn schema_instruction(payload: &Payload) -> Option<String> {
    let bytes = payload.bytes();
    let format = payload.member("response_format")?;
    let format = Envelope::scan_at(bytes, format.value.clone()).ok()?;
    if format.member(bytes, "type")?.as_str(bytes)? != "json_schema" {
        return None;
    }
    let described = format.member(bytes, "json_schema")?;
    let described = Envelope::scan_at(bytes, described.value.clone()).ok()?;
    let schema = described.member(bytes, "schema")?;
    let schema = std::str::from_utf8(schema.raw(bytes)).ok()?;
    Some(format!(
        "Answer with one JSON object and nothing else. It must be valid against this JSON schema:\n{schema}"
    ))
}

#[cfg(test)]
mod tests;
