//! A whole answer for a caller.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};

use super::block::{call_block, content_block, has_place};
use crate::Dialect;
use crate::anthropic::{signed, usage};
use crate::chat::{Block, Content, Finish, FinishReason, Response, WriteContext};
use crate::json::Writer;

/// Writes an answer: the first choice, since callers of this dialect cannot ask for more.
pub(in super::super) fn response(response: &Response, context: &WriteContext<'_>) -> Bytes {
    let own = response.dialect == Dialect::Anthropic;
    let choice = response.choices.first();
    let blocks = choice.map_or(&[][..], |choice| &choice.blocks);
    let said: Vec<&Block> = blocks.iter().filter(|block| shown(block)).collect();
    let calls = said
        .iter()
        .any(|block| matches!(block.content, Content::ToolCall(_)));
    let refuses = said
        .iter()
        .any(|block| matches!(block.content, Content::Refusal(_)));
    let other = Finish::new(FinishReason::Other, None);
    let finish = choice.map_or(&other, |choice| &choice.finish);
    let mut out = BytesMut::with_capacity(512);
    Writer::new(&mut out).object(|w| {
        w.name("id")
            .string(&message_id(response.id.as_deref(), context));
        w.name("type").string("message");
        w.name("role").string("assistant");
        w.name("model").string(context.model);
        w.name("content").array(|w| {
            said.iter().for_each(|block| match &block.content {
                Content::ToolCall(call) => call_block(w, call, &signed::seal(&call.id, block)),
                _ => content_block(w, block),
            });
        });
        w.name("stop_reason")
            .string(stop_reason(finish, own, calls, refuses));
        w.name("stop_sequence");
        match &finish.stop_sequence {
            Some(text) => w.string(text),
            None => w.null(),
        }
        w.name("usage").object(|w| {
            usage::write(w, &response.usage.unwrap_or_default());
            for extra in response.rest.iter().filter(|_| own) {
                if let Some(name) = extra.name.strip_prefix("usage.") {
                    w.name(name).raw(extra.value.as_str());
                }
            }
        });
        for extra in response.rest.iter().filter(|_| own) {
            if !extra.name.starts_with("usage.") {
                w.name(&extra.name).raw(extra.value.as_str());
            }
        }
    });
    out.freeze()
}

/// The id of an answer: the provider's, if it has the dialect's form, else one made of the call's id.
pub(in super::super) fn message_id<'a>(
    id: Option<&'a str>,
    context: &WriteContext<'_>,
) -> Cow<'a, str> {
    match id.filter(|id| id.starts_with("msg_")) {
        Some(id) => Cow::Borrowed(id),
        None => {
            let fits = context.request_id.chars();
            let fits = fits.filter(char::is_ascii_alphanumeric);
            Cow::Owned(format!("msg_{}", fits.take(64).collect::<String>()))
        }
    }
}

/// The dialect's word for the end of an answer.
///
/// `own` says that the provider spoke this dialect, so that its word holds where it is known; `calls` and
/// `refuses` tell what was in the answer.
pub(in super::super) fn stop_reason(
    finish: &Finish,
    own: bool,
    calls: bool,
    refuses: bool,
) -> &'static str {
    const FINER: &[&str] = &["pause_turn", "model_context_window_exceeded"];
    let finer = FINER
        .iter()
        .find(|word| own && finish.raw.as_deref() == Some(word));
    if let Some(word) = finer {
        return word;
    }
    match finish.reason {
        FinishReason::Length => "max_tokens",
        FinishReason::ContentFilter => "refusal",
        _ if calls => "tool_use",
        _ if refuses => "refusal",
        _ if finish.stop_sequence.is_some() => "stop_sequence",
        FinishReason::Stop | FinishReason::Other | FinishReason::ToolCalls => "end_turn",
    }
}

/// Whether a block has a place in an answer.
fn shown(block: &Block) -> bool {
    match &block.content {
        Content::Text { text, .. } => !text.is_empty(),
        Content::Image(_) | Content::Document(_) | Content::ToolResult(_) => false,
        _ => has_place(block, None),
    }
}
