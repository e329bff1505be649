//! Results of tools.

use super::Scene;
use crate::chat::{Block, Content, Raw, Source, ToolResult};
use crate::gemini::part;
use crate::json::Writer;

/// Whether a piece of a result goes beside it: media, unless it may stand in it.
pub(super) fn beside(block: &Block, scene: &Scene<'_>) -> bool {
    match &block.content {
        Content::Text { .. } | Content::Refusal(_) => false,
        _ => !within(block, scene),
    }
}

/// Whether a piece of a result may stand in it.
fn within(block: &Block, scene: &Scene<'_>) -> bool {
    let source = match &block.content {
        Content::Image(image) => &image.source,
        Content::Document(document) => &document.source,
        _ => return false,
    };
    scene.family.takes_media_in_results() && matches!(source, Source::Data { .. })
}

/// Writes the result of a call: an object if it is one, else wrapped into one.
pub(super) fn write(w: &mut Writer<'_>, result: &ToolResult, name: &str, scene: &Scene<'_>) {
    let texts = result
        .blocks
        .iter()
        .filter_map(|block| match &block.content {
            Content::Text { text, .. } | Content::Refusal(text) => Some(text.as_str()),
            _ => None,
        });
    let text = texts.collect::<Vec<_>>().join("\n");
    let object = Raw::parse(&text).filter(Raw::is_object);
    w.object(|w| {
        w.name("functionResponse").object(|w| {
            if !result.call.is_empty() {
                w.name("id").string(&result.call);
            }
            w.name("name").string(name);
            w.name("response");
            match (object, result.is_error) {
                (Some(object), false) => w.raw(object.as_str()),
                (Some(object), true) => w.object(|w| w.name("error").raw(object.as_str())),
                (None, error) => w.object(|w| {
                    w.name(if error { "error" } else { "result" }).string(&text);
                }),
            }
            if result.blocks.iter().any(|block| within(block, scene)) {
                w.name("parts").array(|w| {
                    for block in result.blocks.iter().filter(|block| within(block, scene)) {
                        part::write(w, block, None);
                    }
                });
            }
        });
    });
}
