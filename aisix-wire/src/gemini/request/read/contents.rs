//! The conversation.

use std::collections::{HashMap, HashSet, VecDeque};

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
    let mut open = Open::default();
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
            let block = part::read(&part, &mut ids);
            block.into_iter().for_each(|block| join(&mut blocks, block));
        }
        if role == Role::Assistant {
            open = Open::default();
        }
        blocks.iter_mut().for_each(|block| open.pair(block));
        request.turns.push(Turn::new(role, blocks));
    }
    Ok(())
}

/// Adds a block. A thought that goes on is one: streams tell it in pieces, its signature with the last.
fn join(blocks: &mut Vec<Block>, block: Block) {
    if let Content::Thinking(more) = &block.content
        && let Some(Block {
            content: Content::Thinking(text),
            signature: signature @ None,
            ..
        }) = blocks.last_mut()
    {
        text.push_str(more);
        *signature = block.signature;
        return;
    }
    blocks.push(block);
}

/// The calls of the latest model turn.
#[derive(Default)]
struct Open {
    ids: HashMap<String, VecDeque<String>>,
    answered: HashSet<String>,
}

// === impl Open ===

impl Open {
    /// Remembers calls, and gives results the id of theirs: the first of that name that has none yet.
    fn pair(&mut self, block: &mut Block) {
        match &mut block.content {
            Content::ToolCall(call) => {
                let ids = self.ids.entry(call.name.clone()).or_default();
                ids.push_back(call.id.clone());
            }
            Content::ToolResult(result) if result.call.is_empty() => {
                let name = result.name.as_deref().unwrap_or("unknown");
                let first = self.first(name);
                result.call = first.unwrap_or_else(|| format!("call_{name}"));
            }
            Content::ToolResult(result) => {
                self.answered.insert(result.call.clone());
            }
            _ => {}
        }
    }

    fn first(&mut self, name: &str) -> Option<String> {
        let ids = self.ids.get_mut(name)?;
        std::iter::from_fn(|| ids.pop_front()).find(|id| !self.answered.contains(id))
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
