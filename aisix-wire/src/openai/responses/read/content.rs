//! The parts of messages and of what tools gave back.

use crate::chat::{Audio, Block, Content, Document, Image, Opaque, Raw, Source};
use crate::json::{Object, Path, Value};
use crate::openai::uri;
use crate::{Dialect, Invalid};

/// Reads a text, or a list of parts.
pub(super) fn blocks(o: &Object<'_>, path: &Path<'_>, name: &str) -> Result<Vec<Block>, Invalid> {
    let list = path.member(name);
    let value = o.get(name).ok_or_else(|| list.missing())?;
    if let Some(text) = value.as_str() {
        return Ok(vec![Block::text(text)]);
    }
    let items = value
        .items()
        .ok_or_else(|| list.wrong_type("a string or an array of parts"))?;
    items
        .enumerate()
        .map(|(index, part)| block(&part, &list.index(index)))
        .collect()
}

/// Reads one part; one of an unknown type is opaque. What annotates a text in the history says nothing to a model.
fn block(value: &Value<'_>, path: &Path<'_>) -> Result<Block, Invalid> {
    let o = &value
        .as_object()
        .ok_or_else(|| path.wrong_type("an object"))?;
    let content = match &*o.required_string(path, "type")? {
        "input_text" | "output_text" | "text" => Content::Text {
            text: o.required_string(path, "text")?,
            citations: None,
        },
        "refusal" => Content::Refusal(o.required_string(path, "refusal")?),
        "input_image" => Content::Image(Image {
            source: image(o, path)?,
            detail: o.string(path, "detail")?,
        }),
        "input_file" => Content::Document(Document {
            source: file(o, path)?,
            name: o.string(path, "filename")?,
            more: None,
        }),
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
        _ => Content::Opaque(Opaque {
            dialect: Dialect::Responses,
            raw: value.raw(),
        }),
    };
    let marked = o.object(path, "prompt_cache_breakpoint")?.is_some();
    Ok(Block {
        content,
        signature: None,
        cache: marked
            .then(|| Raw::parse(r#"{"type":"ephemeral"}"#))
            .flatten(),
    })
}

fn image(o: &Object<'_>, path: &Path<'_>) -> Result<Source, Invalid> {
    if let Some(url) = o.text(path, "image_url")? {
        return Ok(uri::source(&url));
    }
    match o.string(path, "file_id")? {
        Some(id) => Ok(Source::File(id)),
        None => Err(path.member("image_url").missing()),
    }
}

fn file(o: &Object<'_>, path: &Path<'_>) -> Result<Source, Invalid> {
    if let Some(data) = o.text(path, "file_data")? {
        return Ok(uri::data(&data).unwrap_or_else(|| Source::Data {
            media_type: String::new(),
            data: data.into_owned(),
        }));
    }
    if let Some(url) = o.string(path, "file_url")? {
        return Ok(Source::Url(url));
    }
    match o.string(path, "file_id")? {
        Some(id) => Ok(Source::File(id)),
        None => Err(path.member("file_data").missing()),
    }
}
