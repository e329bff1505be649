//! The conversation in the order that the dialect wants.
//!
//! Instructions are hoisted, turns of one role merged, results put before everything else in the turn that
//! follows their calls, and blocks that say nothing left out.

use std::collections::HashMap;

use super::block::{content_block, has_place};
use crate::anthropic::names::wire_id;
use crate::chat::{Block, Content, Losses, Member, Raw, Request, Role, ToolResult};
use crate::json::Writer;
use crate::{Dialect, Invalid};

/// What a conversation that has to begin with the user begins with if it does not.
const OPENING: &str = ".";

/// The conversation, ready to be written.
#[derive(Debug, Default)]
pub(super) struct Plan<'a> {
    dialect: Option<Dialect>,
    system: Vec<&'a Block>,
    turns: Vec<Turn<'a>>,
}

/// A turn after merging.
#[derive(Debug)]
struct Turn<'a> {
    assistant: bool,
    /// Where the first of the merged turns stands.
    at: usize,
    results: Vec<(String, &'a Block, &'a ToolResult)>,
    calls: Vec<(String, &'a Block)>,
    blocks: Vec<&'a Block>,
}

// === impl Plan ===

impl<'a> Plan<'a> {
    /// Orders the turns of a request.
    ///
    /// # Errors
    /// Results without a call, calls without a result, two results of one call, nothing to say, and
    /// blocks without a place, as `losses` decides.
    pub(super) fn new(request: &'a Request, losses: &mut Losses) -> Result<Self, Invalid> {
        let own = Some(request.dialect);
        let mut plan = Plan {
            dialect: own,
            ..Plan::default()
        };
        let mut last_empty = None;
        for (at, turn) in request.turns.iter().enumerate() {
            if turn.name.is_some() {
                losses.hint(request.member(Member::Speaker))?;
            }
            for block in &turn.blocks {
                let inner = match &block.content {
                    Content::ToolResult(result) => result.blocks.as_slice(),
                    _ => &[],
                };
                let fits = has_place(block, own)
                    && inner.iter().all(|block| in_result(block, own))
                    && !misplaced(turn.role, block);
                if !fits {
                    losses.shape(&format!("{}.content", request.place(at)))?;
                }
            }
            let said = turn
                .blocks
                .iter()
                .filter(|block| says_something(block) && has_place(block, own))
                .filter(|block| !misplaced(turn.role, block));
            if turn.role.instructs() {
                plan.system.extend(said);
                continue;
            }
            let assistant = turn.role == Role::Assistant;
            let mut any = false;
            for block in said {
                any = true;
                plan.add(assistant, at, block);
            }
            last_empty = (!any && !assistant).then_some(at);
        }
        if let Some(at) = last_empty {
            let param = format!("{}.content", request.place(at));
            let message = format!("\"{param}\" must not be empty");
            return Err(Invalid::new(param, message));
        }
        if plan.turns.is_empty() {
            // Instructions alone: they are what there is to answer.
            for block in std::mem::take(&mut plan.system) {
                plan.add(false, 0, block);
            }
        }
        if plan.turns.is_empty() {
            return Err(Invalid::empty(request.member(Member::Turns)));
        }
        plan.pair(request)?;
        Ok(plan)
    }

    /// Whether the tool loop is open and its turn of the model has lost the thinking it began with.
    pub(super) fn lacks_thinking(&self) -> bool {
        let ends_in_result = self
            .turns
            .last()
            .is_some_and(|turn| !turn.results.is_empty());
        let model = self.turns.iter().rev().find(|turn| turn.assistant);
        let thinks = |block: &&Block| {
            matches!(
                block.content,
                Content::Thinking(_) | Content::RedactedThinking(_)
            )
        };
        ends_in_result && model.is_some_and(|turn| !turn.blocks.first().is_some_and(thinks))
    }

    /// Writes `system`, if there is any; `more` is an instruction of the gateway's own.
    pub(super) fn write_system(&self, w: &mut Writer<'_>, more: Option<&str>) {
        match (self.system.as_slice(), more) {
            ([], None) => {}
            ([], Some(more)) => w.name("system").string(more),
            ([block], None) if plain(block).is_some() => {
                w.name("system").string(plain(block).unwrap_or_default());
            }
            (blocks, more) => w.name("system").array(|w| {
                blocks.iter().for_each(|block| content_block(w, block));
                if let Some(more) = more {
                    content_block(w, &Block::text(more));
                }
            }),
        }
    }

    /// Writes the items of `messages`.
    pub(super) fn write_messages(&self, w: &mut Writer<'_>) {
        if self.turns.first().is_some_and(|turn| turn.assistant) {
            w.object(|w| {
                w.name("role").string("user");
                w.name("content").string(OPENING);
            });
        }
        for (index, turn) in self.turns.iter().enumerate() {
            let last = index + 1 == self.turns.len();
            w.object(|w| turn.write(w, last, self.dialect));
        }
    }

    fn add(&mut self, assistant: bool, at: usize, block: &'a Block) {
        let turn = match self.turns.last_mut() {
            Some(turn) if turn.assistant == assistant => turn,
            _ => {
                self.turns.push(Turn {
                    assistant,
                    at,
                    results: Vec::new(),
                    calls: Vec::new(),
                    blocks: Vec::new(),
                });
                self.turns.last_mut().expect("one was pushed just now")
            }
        };
        match &block.content {
            Content::ToolResult(result) => turn.results.push((String::new(), block, result)),
            Content::ToolCall(call) => {
                turn.calls.push((wire_id(&call.id).into_owned(), block));
                turn.blocks.push(block);
            }
            _ => turn.blocks.push(block),
        }
    }

    /// Links results to calls, and makes the ids of calls unique in the conversation.
    fn pair(&mut self, request: &Request) -> Result<(), Invalid> {
        let mut used = HashMap::new();
        let mut open: HashMap<&str, (String, usize)> = HashMap::new();
        for turn in &mut self.turns {
            let place = |what: &str| {
                let param = request.place(turn.at);
                let message = format!("\"{param}\": {what}");
                Invalid::new(param, message)
            };
            if turn.assistant {
                for (id, block) in &mut turn.calls {
                    let Content::ToolCall(call) = &block.content else {
                        continue;
                    };
                    *id = unique(std::mem::take(id), &mut used);
                    let before = open.insert(&call.id, (id.clone(), turn.at));
                    if before.is_some() {
                        return Err(place("two tool calls have the same id"));
                    }
                }
                continue;
            }
            for (id, _, result) in &mut turn.results {
                let (wire, _) = open.remove(result.call.as_str()).ok_or_else(|| {
                    place("a tool result does not answer a tool call of the turn before it")
                })?;
                *id = wire;
            }
            unanswered(request, &open)?;
        }
        unanswered(request, &open)
    }
}

// === impl Turn ===

impl Turn<'_> {
    fn write(&self, w: &mut Writer<'_>, last: bool, own: Option<Dialect>) {
        w.name("role")
            .string(if self.assistant { "assistant" } else { "user" });
        w.name("content");
        if let ([block], []) = (self.blocks.as_slice(), self.results.as_slice())
            && let Some(text) = plain(block)
        {
            return w.string(self.ending(text, last));
        }
        w.array(|w| {
            for (id, block, result) in &self.results {
                w.object(|w| tool_result(w, id, block, result, own));
            }
            let mut calls = self.calls.iter();
            let ends = self.blocks.len().wrapping_sub(1);
            for (index, block) in self.blocks.iter().enumerate() {
                match &block.content {
                    Content::ToolCall(call) => {
                        let Some((id, _)) = calls.next() else {
                            continue;
                        };
                        if *id == call.id {
                            content_block(w, block);
                            continue;
                        }
                        let mut renamed = (*block).clone();
                        if let Content::ToolCall(call) = &mut renamed.content {
                            call.id.clone_from(id);
                        }
                        content_block(w, &renamed);
                    }
                    Content::Text { text, .. }
                        if index == ends && self.ending(text, last).len() < text.len() =>
                    {
                        let mut cut = (*block).clone();
                        if let Content::Text { text, .. } = &mut cut.content {
                            text.truncate(text.trim_end().len());
                        }
                        content_block(w, &cut);
                    }
                    _ => content_block(w, block),
                }
            }
        });
    }

    /// The beginning of an answer that the model is to go on with must not end in white space.
    fn ending<'t>(&self, text: &'t str, last: bool) -> &'t str {
        match self.assistant && last {
            true => text.trim_end(),
            false => text,
        }
    }
}

fn tool_result(
    w: &mut Writer<'_>,
    id: &str,
    block: &Block,
    result: &ToolResult,
    own: Option<Dialect>,
) {
    w.name("type").string("tool_result");
    w.name("tool_use_id").string(id);
    let said: Vec<_> = result
        .blocks
        .iter()
        .filter(|block| says_something(block) && in_result(block, own))
        .collect();
    match said.as_slice() {
        [] => {}
        [only] if plain(only).is_some() => {
            w.name("content").string(plain(only).unwrap_or_default());
        }
        blocks => w.name("content").array(|w| {
            blocks.iter().for_each(|block| content_block(w, block));
        }),
    }
    if result.is_error {
        w.name("is_error").bool(true);
    }
    w.maybe_raw("cache_control", block.cache.as_ref().map(Raw::as_str));
}

fn unanswered(request: &Request, open: &HashMap<&str, (String, usize)>) -> Result<(), Invalid> {
    let Some(at) = open.values().map(|(_, at)| *at).min() else {
        return Ok(());
    };
    let param = request.place(at);
    let message = format!("\"{param}\": a tool call has no result in the turn that follows");
    Err(Invalid::new(param, message))
}

/// An id that has not been used yet, made of this one; `used` keeps how often each has come.
fn unique(id: String, used: &mut HashMap<String, usize>) -> String {
    let mut number = used.get(&id).copied().unwrap_or(0);
    let mut fresh = id.clone();
    while number > 0 && used.contains_key(&fresh) {
        number += 1;
        fresh = format!("{id}_{number}");
    }
    used.insert(fresh.clone(), 1);
    if number > 0 {
        used.insert(id, number);
    }
    fresh
}

/// The text of a block that is nothing but text.
fn plain(block: &Block) -> Option<&str> {
    match &block.content {
        Content::Text {
            text,
            citations: None,
        } if block.cache.is_none() => Some(text),
        Content::Refusal(text) if block.cache.is_none() => Some(text),
        _ => None,
    }
}

/// Blank texts are refused by the dialect, and so is thinking that nobody signed.
fn says_something(block: &Block) -> bool {
    match &block.content {
        Content::Text { text, .. } | Content::Refusal(text) => !text.trim().is_empty(),
        Content::Thinking(_) => block.signature.is_some(),
        _ => true,
    }
}

/// What this speaker cannot say in this dialect.
fn misplaced(role: Role, block: &Block) -> bool {
    match &block.content {
        Content::Image(_) | Content::Document(_) | Content::ToolResult(_) => role != Role::User,
        Content::ToolCall(_) | Content::Thinking(_) | Content::RedactedThinking(_) => {
            role != Role::Assistant
        }
        _ => false,
    }
}

/// Whether a block may stand in the result of a tool.
fn in_result(block: &Block, own: Option<Dialect>) -> bool {
    let kind = matches!(
        block.content,
        Content::Text { .. } | Content::Image(_) | Content::Document(_) | Content::Opaque(_)
    );
    kind && has_place(block, own)
}
