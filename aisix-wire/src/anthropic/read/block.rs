//! The blocks of turns and answers.

use crate::anthropic::signed;
use crate::chat::{Block, Content, Document, Image, Opaque, Raw, Source, ToolCall, ToolResult};
use crate::json::{Object, Path, Value};
use crate::{Dialect, Invalid, Kind};

/// Reads content: a text, which is one block, or a list of blocks.
pub(in super::super) fn blocks(value: &Value<'_>, path: &Path<'_>) -> Result<Vec<Block>, Invalid> {
    read(value, path, true)
}

/// Blocks in the result of a tool hold no results themselves, so that nothing recurses.
fn read(value: &Value<'_>, path: &Path<'_>, results: bool) -> Result<Vec<Block>, Invalid> {
    if let Some(text) = value.as_str() {
        return Ok(match text.is_empty() {
            true => Vec::new(),
            false => vec![Block::text(text)],
        });
    }
    let items = value
        .items()
        .ok_or_else(|| path.wrong_type("a string or an array"))?;
    items
        .enumerate()
        .map(|(index, item)| {
            let path = path.index(index);
            let item = item
                .as_object()
                .ok_or_else(|| path.wrong_type("an object"))?;
            block(&item, &path, results)
        })
        .collect()
}

/// Reads one block.
pub(super) fn block(block: &Object<'_>, path: &Path<'_>, results: bool) -> Result<Block, Invalid> {
    let kind = block.required_string(path, "type")?;
    let mut signature = None;
    let content = match kind.as_str() {
        "text" => Content::Text {
            text: block.required_string(path, "text")?,
            citations: citations(block),
        },
        "image" => image(block),
        "document" => document(block),
        "tool_use" => {
            let mut call = call(block, path)?;
            let (id, sealed) = signed::open(&call.id);
            signature = sealed;
            call.id = id.to_owned();
            Content::ToolCall(call)
        }
        "tool_result" if results => Content::ToolResult(result(block, path)?),
        "thinking" => {
            signature = block
                .string(path, "signature")?
                .filter(|text| !text.is_empty());
            Content::Thinking(block.string(path, "thinking")?.unwrap_or_default())
        }
        "redacted_thinking" => Content::RedactedThinking(block.required_string(path, "data")?),
        _ => opaque(block),
    };
    // An opaque block is whole, its mark included.
    let cache = match content {
        Content::Opaque(_) => None,
        _ => block.raw_object(path, "cache_control")?,
    };
    Ok(Block {
        content,
        signature,
        cache,
    })
}

/// Keeps a block as it is.
pub(super) fn opaque(block: &Object<'_>) -> Content {
    Content::Opaque(own(block.raw()))
}

fn own(raw: Raw) -> Opaque {
    Opaque {
        dialect: Dialect::Anthropic,
        raw,
    }
}

fn citations(block: &Object<'_>) -> Option<Opaque> {
    let citations = block.get("citations")?;
    let some = citations.items()?.next().is_some();
    some.then(|| own(citations.raw()))
}

fn image(block: &Object<'_>) -> Content {
    match source(block) {
        Some(source) => Content::Image(Image {
            source,
            detail: None,
        }),
        None => opaque(block),
    }
}

fn document(block: &Object<'_>) -> Content {
    let Some(source) = source(block) else {
        return opaque(block);
    };
    let known = ["type", "source", "title", "cache_control"];
    let more = block
        .members()
        .any(|(name, _)| !known.contains(&name.as_ref()));
    Content::Document(Document {
        source,
        name: block.try_string("title"),
        more: more.then(|| own(block.raw())),
    })
}

/// Where the bytes are; `None` when they are in a place that is not known here.
fn source(block: &Object<'_>) -> Option<Source> {
    let source = block.try_object("source")?;
    match source.try_text("type")?.as_ref() {
        "base64" => Some(Source::Data {
            media_type: source.try_string("media_type").unwrap_or_default(),
            data: source.try_string("data")?,
        }),
        "text" => Some(Source::Text(source.try_string("data")?)),
        "url" => Some(Source::Url(source.try_string("url")?)),
        "file" => Some(Source::File(source.try_string("file_id")?)),
        _ => None,
    }
}

fn call(block: &Object<'_>, path: &Path<'_>) -> Result<ToolCall, Invalid> {
    let id = block.required_string(path, "id")?;
    if id.is_empty() {
        return Err(path.member("id").wrong_type("a string that is not empty"));
    }
    let arguments = match block.get("input") {
        None => String::from("{}"),
        Some(input) if input.kind() == Kind::Object => input.raw().as_str().to_owned(),
        Some(_) => return Err(path.member("input").wrong_type("an object")),
    };
    Ok(ToolCall {
        id,
        name: block.required_string(path, "name")?,
        arguments,
    })
}

fn result(block: &Object<'_>, path: &Path<'_>) -> Result<ToolResult, Invalid> {
    let blocks = match block.get("content") {
        Some(content) => read(&content, &path.member("content"), false)?,
        None => Vec::new(),
    };
    Ok(ToolResult {
        call: block
            .text(path, "tool_use_id")?
            .map(|id| signed::open(&id).0.to_owned())
            .ok_or_else(|| path.member("tool_use_id").missing())?,
        name: None,
        blocks,
        is_error: block.bool(path, "is_error")?.unwrap_or(false),
    })
}
