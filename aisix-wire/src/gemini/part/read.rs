//! Reading parts, in both spellings of their names.

use super::guess_from_name;
use crate::chat::{
    Audio, Block, Content, Document, Image, Opaque, Source, ToolCall, ToolResult, call_id,
};
use crate::gemini::names;
use crate::json::{Object, Value};
use crate::{Dialect, Kind};

/// Makes ids for calls that came without one.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    base: String,
    next: usize,
}

/// The members of a part.
#[derive(Default)]
struct Members<'a> {
    text: Option<String>,
    thought: bool,
    signature: Option<String>,
    inline: Option<Object<'a>>,
    file: Option<Object<'a>>,
    call: Option<Object<'a>>,
    response: Option<Object<'a>>,
    other: bool,
}

/// Reads a part; `None` when there is nothing in it.
pub(crate) fn read(part: &Object<'_>, ids: &mut Ids) -> Option<Block> {
    let members = Members::of(part);
    let content = if let Some(call) = &members.call {
        Content::ToolCall(tool_call(call, ids)?)
    } else if let Some(response) = &members.response {
        Content::ToolResult(tool_result(response, ids))
    } else if let Some(text) = members.text {
        match members.thought {
            true => Content::Thinking(text),
            false => Content::Text {
                text,
                citations: None,
            },
        }
    } else {
        let media = match (&members.inline, &members.file) {
            // What else is said of media has no place but here.
            _ if members.other => None,
            (Some(data), _) => inline(data),
            (_, Some(file)) => stored(part, file),
            _ => None,
        };
        match media {
            Some(media) => media,
            None if members.inline.is_some() || members.file.is_some() || members.other => {
                Content::Opaque(opaque(part))
            }
            None if members.signature.is_some() => Content::Text {
                text: String::new(),
                citations: None,
            },
            None => return None,
        }
    };
    // An opaque part has its signature inside.
    let signature = match &content {
        Content::Opaque(_) => None,
        _ => members.signature,
    };
    Some(Block {
        signature,
        ..Block::new(content)
    })
}

fn tool_call(call: &Object<'_>, ids: &mut Ids) -> Option<ToolCall> {
    let name = call.try_string("name").filter(|name| !name.is_empty())?;
    let id = call.try_string("id").filter(|id| !id.is_empty());
    let arguments = call.get("args").filter(|args| args.kind() == Kind::Object);
    Some(ToolCall {
        id: ids.take(id),
        name,
        arguments: arguments.map_or_else(|| "{}".to_owned(), |args| args.raw().to_string()),
    })
}

/// The id of the result is empty where the part has none: only its place tells which call it is for.
fn tool_result(response: &Object<'_>, ids: &mut Ids) -> ToolResult {
    let mut blocks = Vec::new();
    let value = response.try_object("response");
    let (text, is_error) = value.as_ref().map_or_else(Default::default, result_text);
    if !text.is_empty() {
        blocks.push(Block::text(text));
    }
    let parts = response
        .try_items("parts")
        .filter_map(|part| part.as_object());
    blocks.extend(parts.filter_map(|part| read_media(&part, ids)));
    ToolResult {
        call: response.try_string("id").unwrap_or_default(),
        name: response.try_string("name").filter(|name| !name.is_empty()),
        blocks,
        is_error,
    }
}

/// What stands in the parts of a result: media, and no results in results.
fn read_media(part: &Object<'_>, ids: &mut Ids) -> Option<Block> {
    read(part, ids)
        .filter(|block| !matches!(block.content, Content::ToolResult(_) | Content::ToolCall(_)))
}

/// A result as text, and whether it is an error.
///
/// Gemini wants an object; `{"result": "text"}` and `{"error": …}` are how others get there.
fn result_text(response: &Object<'_>) -> (String, bool) {
    let mut members = response.members();
    if let (Some((name, value)), None) = (members.next(), members.next()) {
        let text = value.as_str();
        match (&*name, text) {
            ("result", Some(text)) if !looks_like_object(&text) => {
                return (text.into_owned(), false);
            }
            ("error", Some(text)) => return (text.into_owned(), true),
            ("error", None) => return (value.raw().to_string(), true),
            _ => {}
        }
    }
    (response.raw().to_string(), false)
}

fn looks_like_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

fn inline(data: &Object<'_>) -> Option<Content> {
    let media_type = data
        .try_string("mimeType")
        .or_else(|| data.try_string("mime_type"))
        .unwrap_or_default();
    let data = data.try_string("data")?;
    if let Some(format) = media_type.strip_prefix("audio/") {
        let format = format.to_owned();
        return Some(Content::Audio(Audio { data, format }));
    }
    let image = media_type.starts_with("image/");
    let source = Source::Data { media_type, data };
    Some(media(image, source, None))
}

fn stored(part: &Object<'_>, file: &Object<'_>) -> Option<Content> {
    let uri = file
        .try_string("fileUri")
        .or_else(|| file.try_string("file_uri"))?;
    let media_type = file
        .try_text("mimeType")
        .or_else(|| file.try_text("mime_type"));
    let media_type = media_type
        .as_deref()
        .or(guess_from_name(&uri))
        .unwrap_or_default();
    if media_type.starts_with("audio/") || media_type.starts_with("video/") {
        return None;
    }
    let image = media_type.starts_with("image/");
    Some(media(image, Source::Url(uri), Some(opaque(part))))
}

fn media(image: bool, source: Source, more: Option<Opaque>) -> Content {
    match image {
        true => Content::Image(Image {
            source,
            detail: None,
        }),
        false => Content::Document(Document {
            source,
            name: None,
            more,
        }),
    }
}

fn opaque(part: &Object<'_>) -> Opaque {
    Opaque {
        dialect: Dialect::Gemini,
        raw: part.raw(),
    }
}

// === impl Ids ===

impl Ids {
    /// Ids that are unique to the answer with this id; without one, to what the answer says.
    pub(crate) fn new(answer: Option<String>, says: &[u8]) -> Self {
        let base = answer.filter(|id| !id.is_empty());
        let base = base.unwrap_or_else(|| format!("{:016x}", names::hash(says)));
        Self { base, next: 0 }
    }

    /// The id that a call has, or one made for it.
    fn take(&mut self, id: Option<String>) -> String {
        let index = self.next;
        self.next += 1;
        id.unwrap_or_else(|| call_id(&self.base, index))
    }
}

// === impl Members ===

impl<'a> Members<'a> {
    fn of(part: &Object<'a>) -> Self {
        let mut members = Self::default();
        for (name, value) in part.members() {
            members.take(&name, &value);
        }
        members
    }

    fn take(&mut self, name: &str, value: &Value<'a>) {
        match name {
            "text" => self.text = value.as_str().map(Into::into),
            "thought" => self.thought = value.as_bool().unwrap_or_default(),
            "thoughtSignature" | "thought_signature" => {
                self.signature = value.as_str().map(Into::into);
            }
            "inlineData" | "inline_data" => self.inline = value.as_object(),
            "fileData" | "file_data" => self.file = value.as_object(),
            "functionCall" | "function_call" => self.call = value.as_object(),
            "functionResponse" | "function_response" => self.response = value.as_object(),
            _ => self.other = true,
        }
    }
}
