//! Whole answers for the caller.

use bytes::{Bytes, BytesMut};

use super::{arguments, finish, write_turns};
use crate::Dialect;
use crate::chat::{Block, Choice, Content, Opaque, Response, WriteContext};
use crate::json::Writer;

pub(super) fn write(response: &Response, context: &WriteContext<'_>) -> Bytes {
    let mut body = BytesMut::with_capacity(1024);
    Writer::new(&mut body).object(|w| {
        w.name("id").string(&id(response.id.as_deref(), context));
        w.name("object").string("chat.completion");
        w.name("created")
            .number(response.created.unwrap_or(context.created));
        w.name("model").string(context.model);
        w.name("choices").array(|w| {
            response
                .choices
                .iter()
                .for_each(|choice| self::choice(w, choice));
            // Clients look at the first choice without asking whether it is there.
            if response.choices.is_empty() {
                nothing(w);
            }
        });
        if let Some(usage) = &response.usage {
            finish::write_usage(w.name("usage"), usage);
        }
        if response.dialect == Dialect::OpenAi {
            for extra in &response.rest {
                w.name(&extra.name).raw(extra.value.as_str());
            }
        }
    });
    body.freeze()
}

/// The id of an answer: the provider's, or one made of the call's.
pub(super) fn id(given: Option<&str>, context: &WriteContext<'_>) -> String {
    match given.filter(|id| !id.is_empty()) {
        Some(id) => id.to_owned(),
        None => format!("chatcmpl-{}", context.request_id),
    }
}

fn choice(w: &mut Writer<'_>, choice: &Choice) {
    w.object(|w| {
        w.name("index").number(u64::from(choice.index));
        w.name("message").object(|w| message(w, &choice.blocks));
        match ours(choice.logprobs.as_ref()) {
            Some(logprobs) => w.name("logprobs").raw(logprobs.raw.as_str()),
            None => w.name("logprobs").null(),
        }
        let calls = choice.blocks.iter().any(is_call);
        let word = finish::word(choice.finish.reason, calls);
        w.name("finish_reason").string(word);
    });
}

fn nothing(w: &mut Writer<'_>) {
    w.object(|w| {
        w.name("index").number(0);
        w.name("message").object(|w| message(w, &[]));
        w.name("logprobs").null();
        w.name("finish_reason").string("stop");
    });
}

fn message(w: &mut Writer<'_>, blocks: &[Block]) {
    let join = |pick: fn(&Content) -> Option<&str>| -> Option<String> {
        let texts = blocks.iter().filter_map(|block| pick(&block.content));
        texts.fold(None, |all, text| Some(all.unwrap_or_default() + text))
    };
    let text = join(|content| match content {
        Content::Text { text, .. } => Some(text),
        _ => None,
    });
    let refusal = join(|content| match content {
        Content::Refusal(text) => Some(text),
        _ => None,
    });
    let thinking = join(|content| match content {
        Content::Thinking(text) => Some(text),
        _ => None,
    });
    let calls = blocks.iter().any(is_call);
    w.name("role").string("assistant");
    match text {
        Some(text) => w.name("content").string(&text),
        None if calls || refusal.is_some() => w.name("content").null(),
        None => w.name("content").string(""),
    }
    match refusal {
        Some(refusal) => w.name("refusal").string(&refusal),
        None => w.name("refusal").null(),
    }
    w.maybe_string("reasoning_content", thinking.as_deref());
    if calls {
        w.name("tool_calls").array(|w| {
            let calls = blocks.iter().filter(|block| is_call(block));
            calls.for_each(|block| {
                arguments::write_call(w, None, block, block.signature.as_deref());
            });
        });
    }
    beside(w, blocks);
}

/// Annotations, signatures, audio, and images where most servers that draw put them.
fn beside(w: &mut Writer<'_>, blocks: &[Block]) {
    let images = || {
        blocks.iter().filter_map(|block| match &block.content {
            Content::Image(image) => Some(image),
            _ => None,
        })
    };
    if images().next().is_some() {
        w.name("images").array(|w| {
            images().for_each(|image| w.object(|w| write_turns::image(w, image)));
        });
    }
    let texts = || {
        blocks.iter().filter_map(|block| match &block.content {
            Content::Text { citations, .. } => Some((block, citations.as_ref())),
            _ => None,
        })
    };
    let mut citations = texts().filter_map(|(_, citations)| ours(citations));
    if let Some(annotations) = citations.next() {
        w.name("annotations").raw(annotations.raw.as_str());
    }
    let mut signatures = texts().filter_map(|(block, _)| block.signature.as_deref());
    if let Some(signature) = signatures.next_back() {
        write_turns::signature(w, signature);
    }
    let mut audio = blocks.iter().filter_map(|block| match &block.content {
        Content::Opaque(opaque) if !write_turns::is_call(opaque) => ours(Some(opaque)),
        _ => None,
    });
    if let Some(audio) = audio.next() {
        w.name("audio").raw(audio.raw.as_str());
    }
}

fn is_call(block: &Block) -> bool {
    match &block.content {
        Content::ToolCall(_) => true,
        Content::Opaque(opaque) => write_turns::is_call(opaque),
        _ => false,
    }
}

/// A piece of this dialect.
fn ours(opaque: Option<&Opaque>) -> Option<&Opaque> {
    opaque.filter(|opaque| opaque.dialect == Dialect::OpenAi)
}
