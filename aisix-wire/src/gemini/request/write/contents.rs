//! The conversation.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{Scene, results};
use crate::chat::{Block, Content, Member, Role, Source, ToolCall, ToolResult, Turn};
use crate::gemini::names::wire_name;
use crate::gemini::part;
use crate::json::Writer;
use crate::{Dialect, Invalid};

/// What stands for the signature of a call that lost it, or that another model made; documented by Google.
const DUMMY_SIGNATURE: &str = "skip_thought_signature_validator";

/// A conversation in the order that Gemini wants.
#[derive(Default)]
pub(super) struct Conversation<'r> {
    instructions: Vec<&'r Block>,
    contents: Vec<Spoken<'r>>,
}

/// One content: everything that one side says before the other does.
struct Spoken<'r> {
    model: bool,
    blocks: Vec<&'r Block>,
    /// The results, and the place of their call in the content before.
    results: Vec<(usize, &'r ToolResult)>,
    /// The calls: place and name by id, and whether there is a result.
    calls: HashMap<&'r str, Call<'r>>,
}

struct Call<'r> {
    place: usize,
    name: &'r str,
    answered: bool,
}

// === impl Conversation ===

impl<'r> Conversation<'r> {
    /// Brings the turns in order: instructions aside, turns of one side merged, results behind their calls.
    ///
    /// # Errors
    /// A call without a result or a result without a call, unless the caller speaks Gemini's dialect, where
    /// names link them; and what there is no part for.
    pub(super) fn plan(scene: &mut Scene<'r>) -> Result<Self, Invalid> {
        let mut plan = Self::default();
        for turn in &scene.request.turns {
            plan.turn(turn, scene)?;
        }
        plan.check_answered(scene)?;
        for content in &mut plan.contents {
            content.results.sort_by_key(|(place, _)| *place);
        }
        plan.contents.retain(|content| !content.is_empty(scene));
        Ok(plan)
    }

    fn turn(&mut self, turn: &'r Turn, scene: &mut Scene<'r>) -> Result<(), Invalid> {
        if turn.role.instructs() {
            for block in &turn.blocks {
                let text = matches!(block.content, Content::Text { .. });
                if !text {
                    scene.losses.shape(scene.request.member(Member::Content))?;
                } else if sayable(block, scene)? && !block.is_empty_text() {
                    self.instructions.push(block);
                }
            }
            return Ok(());
        }
        if turn.blocks.iter().all(|block| is_nothing(block, scene)) {
            return Ok(());
        }
        let model = turn.role == Role::Assistant;
        if self.contents.last().is_none_or(|last| last.model != model) {
            if model {
                self.check_answered(scene)?;
            }
            self.contents.push(Spoken::new(model));
        }
        for block in &turn.blocks {
            if sayable(block, scene)? {
                self.block(block, scene)?;
            }
        }
        Ok(())
    }

    fn block(&mut self, block: &'r Block, scene: &Scene<'_>) -> Result<(), Invalid> {
        let Some((last, before)) = self.contents.split_last_mut() else {
            return Ok(());
        };
        match &block.content {
            Content::ToolCall(call) => {
                let place = last.calls.len();
                let answered = false;
                let name = call.name.as_str();
                last.calls.entry(&call.id).or_insert(Call {
                    place,
                    name,
                    answered,
                });
                last.blocks.push(block);
            }
            Content::ToolResult(result) => {
                let calls = before.last_mut().map(|spoken| &mut spoken.calls);
                let call = calls.and_then(|calls| calls.get_mut(result.call.as_str()));
                let place = match call {
                    Some(call) if !call.answered => {
                        call.answered = true;
                        call.place
                    }
                    _ if scene.own() => usize::MAX,
                    Some(_) => return Err(unpaired(scene, "two results for one tool call")),
                    None => {
                        let what = "a tool result without its call in the turn before";
                        return Err(unpaired(scene, what));
                    }
                };
                last.results.push((place, result));
            }
            _ => last.blocks.push(block),
        }
        Ok(())
    }

    /// The calls of the latest model turn have their results.
    fn check_answered(&self, scene: &Scene<'_>) -> Result<(), Invalid> {
        let calls = self.contents.iter().rev().find(|content| content.model);
        let open = calls.is_some_and(|content| content.calls.values().any(|call| !call.answered));
        match open && !scene.own() {
            true => Err(unpaired(
                scene,
                "a tool call without its result in the turn after",
            )),
            false => Ok(()),
        }
    }

    /// Writes `systemInstruction` and `contents`.
    pub(super) fn write(&self, w: &mut Writer<'_>, scene: &Scene<'_>) {
        let parts = |w: &mut Writer<'_>| {
            w.name("parts").array(|w| {
                for block in &self.instructions {
                    part::write(w, block, None);
                }
            });
        };
        // Gemini answers nothing if nobody but the operator has spoken.
        let alone = self.contents.is_empty();
        if !alone && !self.instructions.is_empty() {
            w.name("systemInstruction").object(parts);
        }
        w.name("contents").array(|w| {
            if alone {
                w.object(|w| {
                    w.name("role").string("user");
                    match self.instructions.is_empty() {
                        true => w.name("parts").raw("[{\"text\":\"\"}]"),
                        false => parts(w),
                    }
                });
            }
            let mut before = None;
            for content in &self.contents {
                w.object(|w| content.write(w, before, scene));
                before = Some(content);
            }
        });
    }
}

fn unpaired(scene: &Scene<'_>, what: &str) -> Invalid {
    let messages = scene.request.member(Member::Turns);
    Invalid::new(messages, format!("\"{messages}\" hold {what}"))
}

/// Whether there is a part for a block; reports what is lost with it.
fn sayable(block: &Block, scene: &mut Scene<'_>) -> Result<bool, Invalid> {
    if block.cache.is_some() {
        scene.losses.hint(scene.request.member(Member::Cache))?;
    }
    let lost = match &block.content {
        Content::RedactedThinking(_) => {
            let name = format!(
                "{}.redacted_thinking",
                scene.request.member(Member::Content)
            );
            scene.losses.hint(&name)?;
            return Ok(false);
        }
        Content::Image(image) => matches!(image.source, Source::File(_)).then_some("file"),
        Content::Document(document) => matches!(document.source, Source::File(_)).then_some("file"),
        Content::Opaque(opaque) => (opaque.dialect != Dialect::Gemini).then_some("type"),
        Content::ToolResult(result) => {
            for block in &result.blocks {
                sayable(block, scene)?;
            }
            None
        }
        _ => None,
    };
    if let Some(what) = lost {
        scene
            .losses
            .shape(&format!("{}.{what}", scene.request.member(Member::Content)))?;
    }
    Ok(lost.is_none())
}

// === impl Spoken ===

impl<'r> Spoken<'r> {
    fn new(model: bool) -> Self {
        Self {
            model,
            blocks: Vec::new(),
            results: Vec::new(),
            calls: HashMap::new(),
        }
    }

    fn is_empty(&self, scene: &Scene<'_>) -> bool {
        self.results.is_empty() && self.blocks.iter().all(|block| is_nothing(block, scene))
    }

    fn write(&self, w: &mut Writer<'_>, before: Option<&Spoken<'_>>, scene: &Scene<'_>) {
        w.name("role")
            .string(if self.model { "model" } else { "user" });
        w.name("parts").array(|w| {
            for (_, result) in &self.results {
                let called = before.and_then(|before| before.calls.get(result.call.as_str()));
                let name = result.name.as_deref().or(called.map(|call| call.name));
                results::write(w, result, &wire_name(name.unwrap_or("unknown")), scene);
            }
            for (_, result) in &self.results {
                for block in result
                    .blocks
                    .iter()
                    .filter(|block| results::beside(block, scene))
                {
                    part::write(w, block, None);
                }
            }
            let signed = |block: &&&Block| is_call(block) && signature(block, scene).is_some();
            let mut dummy =
                scene.family.wants_signatures() && !self.blocks.iter().any(|b| signed(&b));
            for block in self.blocks.iter().filter(|block| !is_nothing(block, scene)) {
                let mut signature = signature(block, scene);
                if is_call(block) && std::mem::take(&mut dummy) {
                    signature = Some(DUMMY_SIGNATURE);
                }
                match renamed(block) {
                    Some(block) => part::write(w, &block, signature),
                    None => part::write(w, block, signature),
                };
            }
        });
    }
}

/// A call of a tool that goes under another name.
fn renamed(block: &Block) -> Option<Block> {
    let Content::ToolCall(call) = &block.content else {
        return None;
    };
    match wire_name(&call.name) {
        Cow::Borrowed(_) => None,
        Cow::Owned(name) => Some(Block::new(Content::ToolCall(ToolCall {
            name,
            ..call.clone()
        }))),
    }
}

fn is_call(block: &Block) -> bool {
    matches!(block.content, Content::ToolCall(_))
}

/// A block that says nothing, and has no signature to keep.
fn is_nothing(block: &Block, scene: &Scene<'_>) -> bool {
    match &block.content {
        Content::Text { text, .. } | Content::Thinking(text) => {
            text.is_empty() && signature(block, scene).is_none()
        }
        _ => false,
    }
}

/// The signature of a block, if it can be Gemini's: other providers sign thoughts too, but no calls.
fn signature<'b>(block: &'b Block, scene: &Scene<'_>) -> Option<&'b str> {
    let signature = block.signature.as_deref()?;
    (scene.own() || is_call(block))
        .then_some(signature)
        .filter(|s| part::is_signature(s))
}
