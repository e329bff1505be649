//! The conversation.

use super::names::Names;
use crate::Invalid;
use crate::chat::{Block, Content, Request, Role, Turn};
use crate::gemini::part::{self, Ids};
use crate::json::Object;

/// Reads `systemInstruction`, which is a content or just a text.
pub(super) fn instructions(object: &Names<'_, '_>, request: &mut Request) -> Result<(), Invalid> {
    let Some(value) = object.get("systemInstruction") else {
        return Ok(());
    };
    let mut ids = Ids::new(None, b"");
    let blocks = match (value.as_str(), value.as_object()) {
        (Some(text), _) => vec![Block::text(text)],
        (_, Some(content)) => parts(&content, object, &mut ids)?,
        _ => return Err(object.at("systemInstruction").wrong_type("an object")),
    };
    if !blocks.is_empty() {
        request.turns.push(Turn::new(Role::System, blocks));
    }
    Ok(())
}

/// Reads `contents`; results of calls that have no id get that of the call they must be for.
pub(super) fn read(object: &Names<'_, '_>, request: &mut Request) -> Result<(), Invalid> {
    let path = object.at("contents");
    let value = object.get("contents").ok_or_else(|| path.missing())?;
    if let Some(text) = value.as_str() {
        request
            .turns
            .push(Turn::new(Role::User, vec![Block::text(text)]));
        return Ok(());
    }
    let mut ids = Ids::new(Some("history".to_owned()), b"");
    let mut open: Vec<(String, String)> = Vec::new();
    for (index, content) in object.items("contents")?.into_iter().enumerate() {
        let path = path.index(index);
        let content = content
            .as_object()
            .ok_or_else(|| path.wrong_type("an object"))?;
        let role = match content.text(&path, "role")?.as_deref() {
            Some("model") => Role::Assistant,
            Some("system") => Role::System,
            _ => Role::User,
        };
        let content = Names::new(content, path);
        let mut blocks = Vec::new();
        for part in content.items("parts")? {
            let part = part
                .as_object()
                .ok_or_else(|| content.at("parts").wrong_type("objects"))?;
            blocks.extend(part::read(&part, &mut ids));
        }
        if role == Role::Assistant {
            open.clear();
        }
        blocks.iter_mut().for_each(|block| pair(block, &mut open));
        request.turns.push(Turn::new(role, blocks));
    }
    Ok(())
}

/// Remembers calls, and gives results the id of theirs: the first of that name that has none yet.
fn pair(block: &mut Block, open: &mut Vec<(String, String)>) {
    match &mut block.content {
        Content::ToolCall(call) => open.push((call.id.clone(), call.name.clone())),
        Content::ToolResult(result) => {
            let name = result.name.as_deref();
            let at = open
                .iter()
                .position(|(id, called)| match result.call.is_empty() {
                    true => name.is_none_or(|name| name == called),
                    false => *id == result.call,
                });
            match at {
                Some(at) => result.call = open.remove(at).0,
                None if result.call.is_empty() => {
                    result.call = format!("call_{}", name.unwrap_or("unknown"));
                }
                None => {}
            }
        }
        _ => {}
    }
}

fn parts(
    content: &Object<'_>,
    object: &Names<'_, '_>,
    ids: &mut Ids,
) -> Result<Vec<Block>, Invalid> {
    let path = object.at("systemInstruction");
    let content = Names::new(content.clone(), path);
    let mut blocks = Vec::new();
    for part in content.items("parts")? {
        blocks.extend(part.as_object().and_then(|part| part::read(&part, ids)));
    }
    Ok(blocks)
}
