//! The items of `input`, which become turns.
//!
//! What the model said and called is one turn, however many items it takes, until somebody else speaks. The
//! results of its calls are one user turn right behind it, in the order of the calls, wherever in the input they
//! stand: upstreams want them there. A call that was never answered, as when an agent was interrupted, gets a
//! result that says so.

use std::collections::HashMap;

use super::content;
use crate::Invalid;
use crate::chat::{Block, Content, Image, Place, Role, Source, ToolCall, ToolResult, Turn};
use crate::json::{Object, Path};
use crate::openai::responses::sealed::Sealed;

/// What is said for a call that was never answered.
const NO_RESULT: &str = "(no result)";

/// The types of items that only OpenAI's own servers can go on with.
const FOREIGN: &[&str] = &[
    "additional_tools",
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter_call",
    "compaction",
    "compaction_trigger",
    "computer_call",
    "computer_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "program",
    "program_output",
    "shell_call",
    "shell_call_output",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
];

/// The turns so far.
#[derive(Default)]
pub(super) struct Items {
    pub(super) turns: Vec<Turn>,
    pub(super) places: Vec<Place>,
    /// Whether the last turn is the model's, and goes on.
    open: bool,
    /// The calls so far, by id.
    calls: HashMap<String, Call>,
    /// The ids of the calls of the turn that goes on.
    waiting: Vec<String>,
}

struct Call {
    /// Its turn and block.
    at: (usize, usize),
    /// The turn and block of its result, once there is a place for it.
    result: Option<(usize, usize)>,
    answered: bool,
}

// === impl Items ===

impl Items {
    /// Adds `input`: a text, or a list of items.
    ///
    /// # Errors
    /// The first item that makes no sense or that only OpenAI's servers understand, outputs without a call,
    /// and calls or outputs that repeat an id.
    pub(super) fn input(&mut self, o: &Object<'_>, root: &Path<'_>) -> Result<(), Invalid> {
        let list = root.member("input");
        let value = o.get("input").ok_or_else(|| list.missing())?;
        if let Some(text) = value.as_str() {
            let turn = Turn::new(Role::User, vec![Block::text(text)]);
            self.push(turn, Place::Member("input"));
            return Ok(());
        }
        let items = value
            .items()
            .ok_or_else(|| list.wrong_type("a string or an array of items"))?;
        for (index, item) in items.enumerate() {
            let path = list.index(index);
            let item = item
                .as_object()
                .ok_or_else(|| path.wrong_type("an object"))?;
            self.item(&item, &path, index)?;
        }
        self.close();
        Ok(())
    }

    /// Adds a turn that is a member of the body.
    pub(super) fn push(&mut self, turn: Turn, place: Place) {
        self.close();
        self.turns.push(turn);
        self.places.push(place);
    }

    fn item(&mut self, o: &Object<'_>, path: &Path<'_>, index: usize) -> Result<(), Invalid> {
        let kind = match o.text(path, "type")? {
            Some(kind) => kind,
            None if o.has("role") => "message".into(),
            None => return Err(path.member("type").missing()),
        };
        match &*kind {
            "message" => self.message(o, path, index),
            "function_call" => self.call(o, path, index),
            "function_call_output" => self.output(o, path, index),
            "reasoning" => {
                self.reasoning(o, index);
                Ok(())
            }
            // The gateway tells images of models this way.
            "image_generation_call" => {
                let source = Source::Data {
                    media_type: String::new(),
                    data: o.required_string(path, "result")?,
                };
                let detail = None;
                self.say(Content::Image(Image { source, detail }).into(), index);
                Ok(())
            }
            // Reasoning may be left out, and is, when only its name comes back.
            "item_reference" if o.try_text("id").is_some_and(|id| id.starts_with("rs_")) => Ok(()),
            "item_reference" => Err(blame(
                path,
                "items of type \"item_reference\" need state that is not kept here; send the item itself",
            )),
            kind => Err(match FOREIGN.iter().find(|known| **known == kind) {
                Some(kind) => blame(
                    path,
                    &format!(
                        "items of type \"{kind}\" are not supported by the provider of this model"
                    ),
                ),
                None => blame(path, "the type of this item is not known"),
            }),
        }
    }

    fn message(&mut self, o: &Object<'_>, path: &Path<'_>, index: usize) -> Result<(), Invalid> {
        let role = match &*o.required_string(path, "role")? {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            "developer" => Role::Developer,
            _ => {
                let expected = "one of user, assistant, system and developer";
                return Err(path.member("role").wrong_type(expected));
            }
        };
        let blocks = content::blocks(o, path, "content")?;
        if role != Role::Assistant {
            self.push(Turn::new(role, blocks), Place::Item(index));
            return Ok(());
        }
        for block in blocks {
            if !block.is_empty_text() {
                self.say(block, index);
            }
        }
        Ok(())
    }

    fn call(&mut self, o: &Object<'_>, path: &Path<'_>, index: usize) -> Result<(), Invalid> {
        let id = call_id(o, path)?;
        if self.calls.get(&id).is_some_and(|call| !call.answered) {
            return Err(blame(
                path,
                "another function call has the same \"call_id\"",
            ));
        }
        let call = ToolCall {
            id: id.clone(),
            name: o.required_string(path, "name")?,
            arguments: o.required_string(path, "arguments")?,
        };
        let at = self.say(Content::ToolCall(call).into(), index);
        self.waiting.push(id.clone());
        let call = Call {
            at,
            result: None,
            answered: false,
        };
        self.calls.insert(id, call);
        Ok(())
    }

    fn output(&mut self, o: &Object<'_>, path: &Path<'_>, index: usize) -> Result<(), Invalid> {
        self.close();
        let id = call_id(o, path)?;
        let blocks = content::blocks(o, path, "output")?;
        let Some(call) = self.calls.get_mut(&id) else {
            return Err(blame(
                path,
                "there is no function call with this \"call_id\" before it",
            ));
        };
        if std::mem::replace(&mut call.answered, true) {
            return Err(blame(
                path,
                "the function call with this \"call_id\" has an output already",
            ));
        }
        let Some((turn, block)) = call.result else {
            return Ok(());
        };
        let first = self.places.get_mut(turn);
        if let Some(place @ Place::Member(_)) = first {
            *place = Place::Item(index);
        }
        let slot = self
            .turns
            .get_mut(turn)
            .and_then(|turn| turn.blocks.get_mut(block));
        if let Some(slot) = slot {
            *slot = result(id, blocks);
        }
        Ok(())
    }

    /// Takes from a reasoning item what the gateway has put there, and nothing from those of others.
    fn reasoning(&mut self, o: &Object<'_>, index: usize) {
        let sealed = o.try_text("encrypted_content");
        match sealed.and_then(|text| Sealed::read(&text)) {
            None => {}
            Some(Sealed::Redacted(data)) => {
                self.say(Content::RedactedThinking(data).into(), index);
            }
            Some(Sealed::Thinking(signature)) => {
                let parts = o.try_items("summary").filter_map(|part| part.as_object());
                let text: String = parts.filter_map(|part| part.try_string("text")).collect();
                let content = Content::Thinking(text);
                let block = Block {
                    signature,
                    ..Block::new(content)
                };
                self.say(block, index);
            }
            Some(Sealed::Call { call, signature }) => {
                let Some((turn, block)) = self.calls.get(&call).map(|call| call.at) else {
                    return;
                };
                let block = self
                    .turns
                    .get_mut(turn)
                    .and_then(|turn| turn.blocks.get_mut(block));
                if let Some(block) = block {
                    block.signature = Some(signature);
                }
            }
        }
    }

    /// Adds to the model's turn; returns where.
    fn say(&mut self, block: Block, index: usize) -> (usize, usize) {
        if !self.open {
            self.turns.push(Turn::new(Role::Assistant, Vec::new()));
            self.places.push(Place::Item(index));
            self.open = true;
        }
        let turn = self.turns.len().saturating_sub(1);
        let blocks = self.turns.last_mut().map(|turn| &mut turn.blocks);
        let at = blocks.map_or(0, |blocks| {
            blocks.push(block);
            blocks.len() - 1
        });
        (turn, at)
    }

    /// Ends the model's turn, and makes places for the results of its calls.
    fn close(&mut self) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        if let Some(turn) = self.turns.last_mut() {
            // Thoughts after which nothing was said: providers refuse them at the end of a turn.
            while turn.blocks.last().is_some_and(is_thinking) {
                turn.blocks.pop();
            }
            if turn.blocks.is_empty() {
                self.turns.pop();
                self.places.pop();
            }
        }
        if self.waiting.is_empty() {
            return;
        }
        let mut results = Vec::with_capacity(self.waiting.len());
        for id in self.waiting.drain(..) {
            if let Some(call) = self.calls.get_mut(&id) {
                call.result = Some((self.turns.len(), results.len()));
            }
            results.push(result(id, vec![Block::text(NO_RESULT)]));
        }
        self.turns.push(Turn::new(Role::User, results));
        self.places.push(Place::Member("input"));
    }
}

fn is_thinking(block: &Block) -> bool {
    matches!(
        block.content,
        Content::Thinking(_) | Content::RedactedThinking(_)
    )
}

fn result(call: String, blocks: Vec<Block>) -> Block {
    let (name, is_error) = (None, false);
    Block::new(Content::ToolResult(ToolResult {
        call,
        name,
        blocks,
        is_error,
    }))
}

fn call_id(o: &Object<'_>, path: &Path<'_>) -> Result<String, Invalid> {
    let id = o.required_string(path, "call_id")?;
    match id.is_empty() {
        true => Err(path
            .member("call_id")
            .wrong_type("a string that is not empty")),
        false => Ok(id),
    }
}

fn blame(path: &Path<'_>, what: &str) -> Invalid {
    Invalid::new(path.to_string(), format!("\"{path}\": {what}"))
}
