//! Writing parts.

use super::media::{guess_from_data, guess_from_name};
use crate::Dialect;
use crate::chat::{Block, Content, Document, Source, ToolCall};
use crate::json::Writer;

/// Writes a block as a part; false when there is no part for it, and nothing is written then.
///
/// `signature` is the one to write, which is not always the block's. Results of tools are not for here.
pub(crate) fn write(w: &mut Writer<'_>, block: &Block, signature: Option<&str>) -> bool {
    match &block.content {
        Content::Text { text, .. } | Content::Refusal(text) => {
            w.object(|w| {
                w.name("text").string(text);
                w.maybe_string("thoughtSignature", signature);
            });
        }
        Content::Thinking(text) => w.object(|w| {
            w.name("text").string(text);
            w.name("thought").bool(true);
            w.maybe_string("thoughtSignature", signature);
        }),
        Content::ToolCall(call) => w.object(|w| {
            write_call(w, call);
            w.maybe_string("thoughtSignature", signature);
        }),
        Content::Image(image) => return write_source(w, &image.source, "image/", signature),
        Content::Document(document) => return write_document(w, document, signature),
        Content::Audio(audio) => {
            let media_type = format!("audio/{}", audio.format);
            inline(w, &media_type, &audio.data, signature);
        }
        Content::Opaque(opaque) if opaque.dialect == Dialect::Gemini => {
            w.raw(opaque.raw.as_str());
        }
        _ => return false,
    }
    true
}

/// The arguments of a call as an object: what the model wrote if it is one, else wrapped into one.
fn arguments(call: &ToolCall) -> String {
    match call.object() {
        Some(object) => object.to_string(),
        None => {
            let text = serde_json::Value::from(call.arguments.as_str());
            format!("{{\"arguments\":{text}}}")
        }
    }
}

/// Whether a text can be a signature: those are base64, and anything else fails the whole request.
pub(crate) fn is_signature(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    !text.is_empty() && text.bytes().all(fits)
}

fn write_call(w: &mut Writer<'_>, call: &ToolCall) {
    w.name("functionCall").object(|w| {
        w.name("id").string(&call.id);
        w.name("name").string(&call.name);
        w.name("args").raw(&arguments(call));
    });
}

fn write_document(w: &mut Writer<'_>, document: &Document, signature: Option<&str>) -> bool {
    match &document.more {
        Some(more) if more.dialect == Dialect::Gemini => {
            w.raw(more.raw.as_str());
            true
        }
        _ => write_source(w, &document.source, "application/", signature),
    }
}

fn write_source(
    w: &mut Writer<'_>,
    source: &Source,
    family: &str,
    signature: Option<&str>,
) -> bool {
    match source {
        Source::Data { media_type, data } => {
            let guess = || {
                guess_from_data(data).unwrap_or(if family == "image/" {
                    "image/png"
                } else {
                    "application/pdf"
                })
            };
            let media_type = if media_type.is_empty() {
                guess()
            } else {
                media_type
            };
            inline(w, media_type, data, signature);
        }
        Source::Text(text) => w.object(|w| w.name("text").string(text)),
        Source::Url(url) => w.object(|w| {
            w.name("fileData").object(|w| {
                w.name("fileUri").string(url);
                w.maybe_string("mimeType", guess_from_name(url));
            });
            w.maybe_string("thoughtSignature", signature);
        }),
        Source::File(_) => return false,
    }
    true
}

fn inline(w: &mut Writer<'_>, media_type: &str, data: &str, signature: Option<&str>) {
    w.object(|w| {
        w.name("inlineData").object(|w| {
            w.name("mimeType").string(media_type);
            w.name("data").string(data);
        });
        w.maybe_string("thoughtSignature", signature);
    });
}
