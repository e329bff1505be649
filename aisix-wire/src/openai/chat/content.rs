//! The parts of a message, in requests and answers.

use crate::chat::{Audio, Block, Content, Document, Image, Opaque, Source};
use crate::json::{Object, Path, Value};
use crate::openai::uri;
use crate::{Dialect, Invalid, Kind};

/// Reads `content`: a text, or an array of parts.
pub(super) fn blocks(o: &Object<'_>, path: &Path<'_>, name: &str) -> Result<Vec<Block>, Invalid> {
    let Some(value) = o.get(name) else {
        return Ok(Vec::new());
    };
    if let Some(text) = value.as_str() {
        return Ok(vec![Block::text(text)]);
    }
    let list = path.member(name);
    let items = value
        .items()
        .ok_or_else(|| list.wrong_type("a string or an array of parts"))?;
    let parts = items.enumerate();
    parts
        .map(|(index, part)| block(&part, &list.index(index)))
        .collect()
}

/// Reads one part; one of an unknown type is opaque.
fn block(value: &Value<'_>, path: &Path<'_>) -> Result<Block, Invalid> {
    if let Some(text) = value.as_str() {
        return Ok(Block::text(text));
    }
    let o = &value
        .as_object()
        .ok_or_else(|| path.wrong_type("an object"))?;
    let kind = o.required_string(path, "type")?;
    let content = match kind.as_str() {
        "text" => Content::Text {
            text: o.required_string(path, "text")?,
            citations: None,
        },
        "refusal" => Content::Refusal(o.required_string(path, "refusal")?),
        "image_url" => Content::Image(image(o, path)?),
        "input_audio" => {
            let outer = path.member("input_audio");
            let audio = o
                .object(path, "input_audio")?
                .ok_or_else(|| outer.missing())?;
            Content::Audio(Audio {
                data: audio.required_string(&outer, "data")?,
                format: audio.required_string(&outer, "format")?,
            })
        }
        "file" => Content::Document(document(o, path)?),
        _ => Content::Opaque(Opaque {
            dialect: Dialect::OpenAi,
            raw: value.raw(),
        }),
    };
    Ok(Block {
        content,
        signature: None,
        cache: o.raw_object(path, "cache_control")?,
    })
}

/// An image; some clients write its address without the object around it.
fn image(o: &Object<'_>, path: &Path<'_>) -> Result<Image, Invalid> {
    if let Some(url) = o.try_text("image_url") {
        let source = uri::source(&url);
        return Ok(Image {
            source,
            detail: None,
        });
    }
    let outer = path.member("image_url");
    let image = o
        .object(path, "image_url")?
        .ok_or_else(|| outer.missing())?;
    let url = image
        .text(&outer, "url")?
        .ok_or_else(|| outer.member("url").missing())?;
    Ok(Image {
        source: uri::source(&url),
        detail: image.string(&outer, "detail")?,
    })
}

fn document(o: &Object<'_>, path: &Path<'_>) -> Result<Document, Invalid> {
    let outer = path.member("file");
    let file = o.object(path, "file")?.ok_or_else(|| outer.missing())?;
    let source = match (
        file.text(&outer, "file_data")?,
        file.string(&outer, "file_id")?,
    ) {
        (Some(data), _) => uri::data(&data).unwrap_or_else(|| Source::Data {
            media_type: String::new(),
            data: data.into_owned(),
        }),
        (None, Some(id)) => Source::File(id),
        (None, None) => return Err(outer.member("file_data").missing()),
    };
    Ok(Document {
        source,
        name: file.string(&outer, "filename")?,
        more: None,
    })
}

/// The model's thinking: `reasoning_content`, or `reasoning` as some servers call it. Never empty.
pub(super) fn thinking(o: &Object<'_>) -> Option<String> {
    ["reasoning_content", "reasoning"]
        .iter()
        .find_map(|name| o.try_string(name).filter(|text| !text.is_empty()))
}

/// `extra_content.google.thought_signature`. Never empty.
pub(super) fn signature(o: &Object<'_>) -> Option<String> {
    o.try_object("extra_content")?
        .try_object("google")?
        .try_string("thought_signature")
        .filter(|signature| !signature.is_empty())
}

/// The texts of an answer's `content`, whatever form it has: those to read, and those of thinking.
pub(super) fn said(value: &Value<'_>, mut say: impl FnMut(bool, String)) {
    if let Some(text) = value.as_str() {
        return say(false, text.into_owned());
    }
    let parts = value.items().into_iter().flatten();
    for part in parts.filter_map(|part| part.as_object()) {
        if let Some(text) = part.try_string("text") {
            say(false, text);
        }
        // Some servers think in a part: a text, or a list of text parts.
        if let Some(thinking) = part.get("thinking") {
            if thinking.kind() == Kind::String {
                say(true, thinking.as_str().unwrap_or_default().into_owned());
            }
            let texts = thinking.items().into_iter().flatten();
            for text in texts.filter_map(|item| item.as_object()?.try_string("text")) {
                say(true, text);
            }
        }
    }
}
