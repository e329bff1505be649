//! Writing answers.

use bytes::{Bytes, BytesMut};

use crate::Dialect;
use crate::chat::{Choice, Content, Raw, Response, WriteContext};
use crate::gemini::{finish, part, usage};
use crate::json::{Object, Writer};

/// Writes an answer; what Gemini's callers could not read is left out.
pub(crate) fn write(response: &Response, context: &WriteContext<'_>) -> Bytes {
    let own = response.dialect == Dialect::Gemini;
    let blocked = own
        && response
            .rest
            .iter()
            .any(|extra| extra.name == "promptFeedback");
    let mut out = BytesMut::with_capacity(1024);
    Writer::new(&mut out).object(|w| {
        let says = |choice: &&Choice| !blocked || !choice.blocks.is_empty();
        if response.choices.iter().any(|choice| says(&choice)) {
            w.name("candidates").array(|w| {
                for choice in response.choices.iter().filter(says) {
                    w.object(|w| candidate(w, choice, response.dialect));
                }
            });
        }
        if own {
            for extra in &response.rest {
                w.name(&extra.name).raw(extra.value.as_str());
            }
        }
        if let Some(usage) = &response.usage {
            usage::write(w, usage);
        }
        w.name("modelVersion").string(context.model);
        let id = response.id.as_deref().unwrap_or(context.request_id);
        w.name("responseId").string(id);
    });
    out.freeze()
}

fn candidate(w: &mut Writer<'_>, choice: &Choice, from: Dialect) {
    w.name("content").object(|w| {
        w.name("parts").array(|w| {
            for block in &choice.blocks {
                let signature = block.signature.as_deref().filter(|s| part::is_signature(s));
                if !block.is_empty_text() || signature.is_some() {
                    part::write(w, block, signature);
                }
            }
        });
        w.name("role").string("model");
    });
    w.name("finishReason")
        .string(finish::word(&choice.finish, from));
    w.name("index").number(choice.index.into());
    let citations = choice
        .blocks
        .iter()
        .rev()
        .find_map(|block| match &block.content {
            Content::Text { citations, .. } => citations.as_ref(),
            _ => None,
        });
    if let Some(citations) = citations.filter(|citations| citations.dialect == Dialect::Gemini) {
        splice(w, &citations.raw);
    }
    let logprobs = choice
        .logprobs
        .as_ref()
        .filter(|l| l.dialect == Dialect::Gemini);
    w.maybe_raw(
        "logprobsResult",
        logprobs.map(|logprobs| logprobs.raw.as_str()),
    );
}

/// Writes the members of an object into the one that is open.
pub(crate) fn splice(w: &mut Writer<'_>, object: &Raw) {
    let object = Object::scan(object.as_bytes()).ok();
    for (name, value) in object.iter().flat_map(Object::members) {
        w.name(&name).raw(value.raw().as_str());
    }
}
