//! Gemini through its OpenAI front: OpenAI's dialect with Google's refusals and signatures.

use aisix_core::{
    Error,
    body::Body,
    call::{Attempt, Call, Payload},
    upstream::{Endpoint, Spec},
};
use aisix_wire::{
    Dialect, Edits, Envelope, Form, Kind, Operation, Span,
    chat::{LimitName, WriteOptions},
    elements,
};
use async_trait::async_trait;
use bytes::Bytes;
use http::response::Parts;

use crate::{bearer::Bearer, gemini};

pub(crate) const BASE: &str = "https://generativelanguage.googleapis.com/v1beta/openai";

/// What stands for the signature of a call that lost it, or that another model made; documented by Google.
const UNSIGNED: &[u8] =
    br#""extra_content":{"google":{"thought_signature":"skip_thought_signature_validator"}},"#;

/// The front, for models that want their signatures back or do not.
///
/// Gemini 3 and later refuse a history whose calls lost the signatures they came with. Most dialects cannot
/// carry them, so what is not signed goes out with a word that stands for a signature.
pub(crate) struct Front {
    bearer: Bearer,
    signs: bool,
}

// === impl Front ===

impl Front {
    pub(crate) fn new(spec: &Spec<'_>) -> Result<Self, Error> {
        let name = spec.model_name;
        let name = name.strip_prefix("models/").unwrap_or(name);
        let older = ["gemini-1", "gemini-2", "gemma"];
        Ok(Self {
            bearer: Bearer::new(spec, Some(BASE))?,
            signs: !older.iter().any(|family| name.starts_with(family)),
        })
    }
}

#[async_trait]
impl Endpoint for Front {
    fn dialect(&self, _: &Operation) -> Option<Dialect> {
        Some(Dialect::OpenAi)
    }

    fn edit(&self, call: &Call, edits: &mut Edits) -> Result<(), Error> {
        if self.signs && call.inbound.operation.form == Form::Chat {
            sign(&call.inbound.payload, edits);
        }
        Ok(())
    }

    fn adapt(&self, options: &mut WriteOptions<'_>) {
        options.limit_name = LimitName::MaxTokens;
        options.replay_signatures = true;
    }

    async fn prepare(&self, attempt: &Attempt, body: Bytes) -> Result<http::Request<Body>, Error> {
        self.bearer.request(attempt.call.inbound.operation, body)
    }

    fn classify(&self, head: &Parts, body: &[u8]) -> Error {
        gemini::classify(head, body)
    }
}

/// Signs the first call of each message in which no call is signed.
fn sign(payload: &Payload, edits: &mut Edits) {
    let bytes = payload.bytes();
    let Some(messages) = payload.member("messages") else {
        return;
    };
    for message in objects(bytes, messages.value.clone()) {
        let calls = message.member(bytes, "tool_calls");
        let Some(calls) = calls.filter(|calls| calls.kind == Kind::Array) else {
            continue;
        };
        let calls = objects(bytes, calls.value.clone());
        let mut calls = calls.peekable();
        let Some(first) = calls.peek().map(|call| call.object().start + 1) else {
            continue;
        };
        // Nothing but Google's signature has a place there.
        if !calls.any(|call| call.member(bytes, "extra_content").is_some()) {
            edits.replace(first..first, UNSIGNED);
        }
    }
}

fn objects(bytes: &[u8], list: Span) -> impl Iterator<Item = Envelope> + '_ {
    let objects = elements(bytes, list).filter(|(_, kind)| *kind == Kind::Object);
    objects.filter_map(|(span, _)| Envelope::scan_at(bytes, span).ok())
}

#[cfg(test)]
mod tests;
