//! One block.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Dialect;
use crate::anthropic::names::{wire_id, wire_name};
use crate::chat::{Block, Content, Document, Image, Opaque, Raw, Source, ToolCall};
use crate::json::Writer;

/// Whether the dialect can say this block.
pub(in super::super) fn has_place(block: &Block, request: Option<Dialect>) -> bool {
    match &block.content {
        Content::Text { .. }
        | Content::ToolCall(_)
        | Content::ToolResult(_)
        | Content::Thinking(_)
        | Content::RedactedThinking(_)
        | Content::Refusal(_) => true,
        Content::Image(image) => match image.source {
            Source::Data { .. } | Source::Url(_) => true,
            Source::Text(_) => false,
            Source::File(_) => request == Some(Dialect::Anthropic),
        },
        Content::Document(document) => match &document.source {
            Source::Data { media_type, data } => {
                media_type.is_empty() || is_pdf(media_type) || plain(media_type, data).is_some()
            }
            Source::Url(_) | Source::Text(_) => true,
            Source::File(_) => request == Some(Dialect::Anthropic),
        },
        Content::Opaque(opaque) => opaque.dialect == Dialect::Anthropic,
        Content::Audio(_) => false,
    }
}

/// Writes a block of a turn or an answer; tool results are written by whoever knows their call.
///
/// Blocks without a place are left out.
pub(in super::super) fn content_block(w: &mut Writer<'_>, block: &Block) {
    match &block.content {
        Content::Text { text, citations } => typed(w, "text", block, |w| {
            w.name("text").string(text);
            let own = citations.as_ref().and_then(own);
            w.maybe_raw("citations", own);
        }),
        Content::Refusal(text) => typed(w, "text", block, |w| {
            w.name("text").string(text);
        }),
        Content::Image(image) => typed(w, "image", block, |w| image_source(w, image)),
        Content::Document(document) => match document.more.as_ref().and_then(own) {
            Some(whole) => w.raw(whole),
            None => typed(w, "document", block, |w| document_source(w, document)),
        },
        Content::ToolCall(call) => typed(w, "tool_use", block, |w| {
            tool_use(w, call, &wire_id(&call.id));
        }),
        Content::Thinking(text) => typed(w, "thinking", block, |w| {
            w.name("thinking").string(text);
            let signature = block.signature.as_deref().unwrap_or_default();
            w.name("signature").string(signature);
        }),
        Content::RedactedThinking(data) => typed(w, "redacted_thinking", block, |w| {
            w.name("data").string(data);
        }),
        Content::Opaque(opaque) => {
            if let Some(whole) = own(opaque) {
                w.raw(whole);
            }
        }
        Content::Audio(_) | Content::ToolResult(_) => {}
    }
}

/// Writes the block of a call that its caller knows under this id.
pub(super) fn call_block(w: &mut Writer<'_>, call: &ToolCall, id: &str) {
    w.object(|w| {
        w.name("type").string("tool_use");
        tool_use(w, call, id);
    });
}

fn tool_use(w: &mut Writer<'_>, call: &ToolCall, id: &str) {
    w.name("id").string(id);
    w.name("name").string(&wire_name(&call.name));
    w.name("input").raw(input(call).as_str());
}

/// The arguments as the object that the dialect wants; anything else becomes a member of one.
pub(in super::super) fn input(call: &ToolCall) -> Raw {
    call.object().unwrap_or_else(|| wrapped(&call.arguments))
}

/// Arguments that are no object, as a member of one.
pub(in super::super) fn wrapped(arguments: &str) -> Raw {
    Raw::from_value(&serde_json::json!({ "arguments": arguments }))
}

fn typed(w: &mut Writer<'_>, kind: &str, block: &Block, members: impl FnOnce(&mut Writer<'_>)) {
    w.object(|w| {
        w.name("type").string(kind);
        members(w);
        w.maybe_raw("cache_control", block.cache.as_ref().map(Raw::as_str));
    });
}

fn own(opaque: &Opaque) -> Option<&str> {
    (opaque.dialect == Dialect::Anthropic).then(|| opaque.raw.as_str())
}

fn image_source(w: &mut Writer<'_>, image: &Image) {
    w.name("source").object(|w| match &image.source {
        Source::Data { media_type, data } => {
            base64(w, &image_type(media_type, data), data);
        }
        other => elsewhere(w, other),
    });
}

fn document_source(w: &mut Writer<'_>, document: &Document) {
    w.name("source").object(|w| match &document.source {
        Source::Data { media_type, data } => match plain(media_type, data) {
            Some(text) => elsewhere(w, &Source::Text(text)),
            None => base64(w, "application/pdf", data),
        },
        other => elsewhere(w, other),
    });
    w.maybe_string("title", document.name.as_deref());
}

fn base64(w: &mut Writer<'_>, media_type: &str, data: &str) {
    w.name("type").string("base64");
    w.name("media_type").string(media_type);
    w.name("data").string(data);
}

fn elsewhere(w: &mut Writer<'_>, source: &Source) {
    match source {
        Source::Url(url) => {
            w.name("type").string("url");
            w.name("url").string(url);
        }
        Source::File(id) => {
            w.name("type").string("file");
            w.name("file_id").string(id);
        }
        Source::Text(text) => {
            w.name("type").string("text");
            w.name("media_type").string("text/plain");
            w.name("data").string(text);
        }
        Source::Data { media_type, data } => base64(w, media_type, data),
    }
}

/// The media type of an image, told from its first bytes where the caller did not say.
fn image_type<'a>(media_type: &'a str, data: &str) -> Cow<'a, str> {
    if media_type.eq_ignore_ascii_case("image/jpg") {
        return Cow::Borrowed("image/jpeg");
    }
    if !media_type.is_empty() {
        return Cow::Borrowed(media_type);
    }
    let starts = [
        ("/9j/", "image/jpeg"),
        ("R0lG", "image/gif"),
        ("UklG", "image/webp"),
    ];
    let found = starts.iter().find(|(start, _)| data.starts_with(start));
    Cow::Borrowed(found.map_or("image/png", |(_, kind)| kind))
}

fn is_pdf(media_type: &str) -> bool {
    let kind = media_type.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/pdf")
}

/// The text of a document that is one: the dialect wants it undisguised.
fn plain(media_type: &str, data: &str) -> Option<String> {
    let kind = media_type.get(.."text/".len())?;
    if !kind.eq_ignore_ascii_case("text/") {
        return None;
    }
    let bytes = STANDARD.decode(data).ok()?;
    String::from_utf8(bytes).ok()
}
