//! Whole answers for the caller.

use bytes::{BufMut, Bytes, BytesMut};

use super::head::{Head, Status};
use super::item::{CallIds, Item, Part};
use super::sealed::Sealed;
use crate::Dialect;
use crate::chat::{Block, Content, Opaque, Response, Source, ToolCall, WriteContext};
use crate::json::{Object, Writer};

/// Writes an answer: the first choice, since callers of this dialect cannot ask for more.
pub(super) fn response(response: &Response, context: &WriteContext<'_>) -> Bytes {
    let mut head = Head::new(context);
    head.told(response.id.as_deref(), response.created);
    let choice = response.choices.first();
    let blocks = choice.map_or(&[][..], |choice| &choice.blocks);
    let mut items = items(blocks, response.dialect, &head.id);
    let logprobs = choice.and_then(|choice| logprobs(choice.logprobs.as_ref()?));
    let mut parts = items.iter_mut().filter_map(|item| match item {
        Item::Message(parts) => parts.first_mut(),
        _ => None,
    });
    if let (Some(list), Some(Part::Text { logprobs, .. })) = (logprobs, parts.next()) {
        *logprobs = list;
    }
    let status = Status::of(choice.map(|choice| &choice.finish));
    let mut output = BytesMut::with_capacity(512);
    let silent = |item: &Item| matches!(item, Item::Reasoning { summary: None, .. });
    let cut = items.iter().rposition(|item| !silent(item));
    for (index, item) in items.iter().enumerate() {
        let last = cut == Some(index);
        let word = if last { status } else { Status::Completed }.word();
        let index = index as u64;
        write_item(&mut output, &head, item, index, word);
    }
    let output = std::str::from_utf8(&output).unwrap_or_default();
    let mut body = BytesMut::with_capacity(output.len() + 1024);
    let w = &mut Writer::new(&mut body);
    head.write(w, status, output, response.usage.as_ref());
    body.freeze()
}

/// Adds an item to the others, with a comma before it; returns where it begins.
pub(super) fn write_item(
    output: &mut BytesMut,
    head: &Head,
    item: &Item,
    index: u64,
    status: &str,
) -> usize {
    if !output.is_empty() {
        output.put_u8(b',');
    }
    let start = output.len();
    let id = head.item_id(item.prefix(), index);
    item.write(&mut Writer::new(output), &id, status);
    start
}

/// The elements of `content` in what chat completions tell of the likelihood of tokens.
pub(super) fn logprobs(opaque: &Opaque) -> Option<String> {
    if opaque.dialect != Dialect::OpenAi {
        return None;
    }
    let list = Object::scan(opaque.raw.as_bytes()).ok()?.get("content")?;
    let elements = list.items()?.map(|element| element.raw().to_string());
    let elements = elements.collect::<Vec<_>>().join(",");
    (!elements.is_empty()).then_some(elements)
}

/// The arguments of a call: blank ones are no JSON, and readers parse them.
pub(super) fn arguments(text: &str) -> &str {
    match text.trim_ascii() {
        "" => "{}",
        _ => text,
    }
}

fn items(blocks: &[Block], from: Dialect, base: &str) -> Vec<Item> {
    let mut items = Vec::with_capacity(blocks.len());
    let mut ids = CallIds::default();
    for block in blocks {
        let signature = block.signature.clone().filter(|text| !text.is_empty());
        match &block.content {
            Content::Text { text, .. } if !text.is_empty() => say(&mut items, text, false),
            Content::Refusal(text) if !text.is_empty() => say(&mut items, text, true),
            Content::Thinking(text) if !text.is_empty() || signature.is_some() => {
                items.push(Item::Reasoning {
                    summary: (!text.is_empty()).then(|| text.clone()),
                    encrypted: Some(Sealed::Thinking(signature).write(from)),
                });
            }
            Content::RedactedThinking(data) => items.push(Item::Reasoning {
                summary: None,
                encrypted: Some(Sealed::Redacted(data.clone()).write(from)),
            }),
            Content::ToolCall(call) => {
                let id = ids.own(&call.id, base);
                items.push(Item::Call(ToolCall {
                    id: id.clone(),
                    name: call.name.clone(),
                    arguments: arguments(&call.arguments).to_owned(),
                }));
                if let Some(signature) = signature {
                    let sealed = Sealed::Call {
                        call: id,
                        signature,
                    };
                    items.push(Item::Reasoning {
                        summary: None,
                        encrypted: Some(sealed.write(from)),
                    });
                }
            }
            Content::Image(image) => {
                if let Source::Data { data, .. } = &image.source {
                    items.push(Item::Image(data.clone()));
                }
            }
            _ => {}
        }
    }
    items
}

/// Adds a part to the message that goes on, or begins one.
fn say(items: &mut Vec<Item>, text: &str, refusal: bool) {
    let mut part = Part::new(refusal);
    part.words().push_str(text);
    match items.last_mut() {
        Some(Item::Message(parts)) => parts.push(part),
        _ => items.push(Item::Message(vec![part])),
    }
}
