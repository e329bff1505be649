//! Requests, the messages.

use std::collections::HashMap;

use super::content;
use crate::chat::{Block, Content, Opaque, Place, Role, ToolCall, ToolResult, Turn, call_id};
use crate::json::{Object, Path};
use crate::{Dialect, Invalid};

/// Reads the messages. Tool messages become results in a user turn, one turn for as many as follow each other.
pub(super) fn turns(o: &Object<'_>, root: &Path<'_>) -> Result<(Vec<Turn>, Vec<Place>), Invalid> {
    let list = root.member("messages");
    if !o.has("messages") {
        return Err(list.missing());
    }
    let mut turns = Turns::default();
    for (index, message) in o.items(root, "messages")?.enumerate() {
        let path = list.index(index);
        let message = message
            .as_object()
            .ok_or_else(|| path.wrong_type("an object"))?;
        turns.message(&message, &path)?;
        // A message makes one turn, or goes on with the one before.
        turns.places.resize(turns.turns.len(), Place::Item(index));
    }
    Ok((turns.turns, turns.places))
}

#[derive(Default)]
struct Turns {
    turns: Vec<Turn>,
    places: Vec<Place>,
    /// Whether the last turn is made of tool messages.
    results: bool,
    /// The calls of the older form, which have no ids: by name, the id that was made for the latest.
    older: HashMap<String, String>,
    /// How many such calls there were.
    older_calls: usize,
}

// === impl Turns ===

impl Turns {
    fn message(&mut self, o: &Object<'_>, path: &Path<'_>) -> Result<(), Invalid> {
        let role = match &*o.required_string(path, "role")? {
            "system" => Role::System,
            "developer" => Role::Developer,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" => {
                let call = o.required_string(path, "tool_call_id")?;
                let name = o.string(path, "name")?;
                return self.result(o, path, call, name);
            }
            "function" => {
                let name = o.required_string(path, "name")?;
                let call = self.older_call(&name);
                return self.result(o, path, call, Some(name));
            }
            _ => {
                let expected = "one of system, developer, user, assistant, tool and function";
                return Err(path.member("role").wrong_type(expected));
            }
        };
        let mut blocks = content::blocks(o, path, "content")?;
        if role == Role::Assistant {
            self.assistant(o, path, &mut blocks)?;
        }
        self.results = false;
        self.turns.push(Turn {
            role,
            name: o.string(path, "name")?,
            blocks,
        });
        Ok(())
    }

    /// What only the model's own messages hold.
    fn assistant(
        &mut self,
        o: &Object<'_>,
        path: &Path<'_>,
        blocks: &mut Vec<Block>,
    ) -> Result<(), Invalid> {
        if let Some(signature) = content::signature(o)
            && let Some(last) = blocks.last_mut()
        {
            last.signature = Some(signature);
        }
        if let Some(thinking) = content::thinking(o) {
            blocks.insert(0, Block::new(Content::Thinking(thinking)));
        }
        if let Some(refusal) = o.string(path, "refusal")? {
            blocks.push(Block::new(Content::Refusal(refusal)));
        }
        let before = blocks.len();
        let list = path.member("tool_calls");
        for (index, call) in o.items(path, "tool_calls")?.enumerate() {
            let path = list.index(index);
            let call = call
                .as_object()
                .ok_or_else(|| path.wrong_type("an object"))?;
            blocks.push(tool_call(&call, &path)?);
        }
        if let Some(call) = o.object(path, "function_call")? {
            let outer = path.member("function_call");
            let name = call.required_string(&outer, "name")?;
            let id = call_id("function", self.older_calls);
            self.older_calls += 1;
            self.older.insert(name.clone(), id.clone());
            blocks.push(Block::new(Content::ToolCall(ToolCall {
                id,
                name,
                arguments: call.string(&outer, "arguments")?.unwrap_or_default(),
            })));
        }
        // An empty text beside calls says nothing.
        if blocks.len() > before {
            blocks.retain(|block| !block.is_empty_text() || block.signature.is_some());
        }
        Ok(())
    }

    fn result(
        &mut self,
        o: &Object<'_>,
        path: &Path<'_>,
        call: String,
        name: Option<String>,
    ) -> Result<(), Invalid> {
        let block = Block::new(Content::ToolResult(ToolResult {
            call,
            name,
            blocks: content::blocks(o, path, "content")?,
            is_error: false,
        }));
        match self.turns.last_mut().filter(|_| self.results) {
            Some(turn) => turn.blocks.push(block),
            None => self.turns.push(Turn::new(Role::User, vec![block])),
        }
        self.results = true;
        Ok(())
    }

    /// The id of the latest call of the older form to this function.
    fn older_call(&self, name: &str) -> String {
        match self.older.get(name) {
            Some(id) => id.clone(),
            None => call_id("function", self.older_calls),
        }
    }
}

fn tool_call(o: &Object<'_>, path: &Path<'_>) -> Result<Block, Invalid> {
    let kind = o.text(path, "type")?;
    if kind.is_some_and(|kind| kind != "function") {
        o.required_string(path, "id")?;
        return Ok(Block::new(Content::Opaque(Opaque {
            dialect: Dialect::OpenAi,
            raw: o.raw(),
        })));
    }
    let outer = path.member("function");
    let function = o.object(path, "function")?.ok_or_else(|| outer.missing())?;
    Ok(Block {
        content: Content::ToolCall(ToolCall {
            id: o.required_string(path, "id")?,
            name: function.required_string(&outer, "name")?,
            arguments: function.string(&outer, "arguments")?.unwrap_or_default(),
        }),
        signature: content::signature(o),
        cache: o.raw_object(path, "cache_control")?,
    })
}
