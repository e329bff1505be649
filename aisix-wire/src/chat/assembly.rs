//! From the events of a stream to a whole answer, and back.

use super::{
    Block, BlockKind, Choice, Content, Delta, Event, Finish, FinishReason, Opaque, Response, Start,
    ToolCall,
};
use crate::Dialect;

/// Puts the events of a stream together again.
#[derive(Debug)]
pub(super) struct Assembly {
    response: Response,
    /// Whether each choice, by its place, has a block that is open.
    open: Vec<bool>,
    ended: bool,
    /// Whether there was something that has no place in a whole answer.
    loses: bool,
}

// === impl Assembly ===

impl Assembly {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            response: Response::new(dialect),
            open: Vec::new(),
            ended: false,
            loses: false,
        }
    }

    pub(super) fn add(&mut self, event: &Event) {
        match event {
            Event::Start(start) => {
                self.response.id.clone_from(&start.id);
                self.response.model.clone_from(&start.model);
                self.response.created = start.created;
            }
            Event::BlockStart { choice, kind, .. } => {
                let at = self.choice(*choice);
                self.open[at] = true;
                self.response.choices[at].blocks.push(begun(kind));
            }
            Event::Delta { choice, delta } => {
                let at = self.choice(*choice);
                self.loses |= !self.open[at] || !grow(&mut self.response.choices[at], delta);
            }
            Event::BlockEnd { choice } => {
                let at = self.choice(*choice);
                self.open[at] = false;
            }
            Event::Finish { choice, finish } => {
                let at = self.choice(*choice);
                self.response.choices[at].finish = finish.clone();
            }
            Event::Usage(usage) => self.response.usage = Some(*usage),
            Event::Opaque(_) => self.loses = true,
            Event::End => self.ended = true,
        }
    }

    /// The answer; `None` when it is not complete, or something of it has no place there.
    pub(super) fn finish(self) -> Option<Response> {
        (self.ended && !self.loses).then_some(self.response)
    }

    /// Where a choice stands.
    fn choice(&mut self, index: u32) -> usize {
        let choices = &mut self.response.choices;
        if let Some(at) = choices.iter().position(|choice| choice.index == index) {
            return at;
        }
        choices.push(Choice {
            index,
            blocks: Vec::new(),
            finish: Finish::new(FinishReason::Other, None),
            logprobs: None,
        });
        self.open.push(false);
        choices.len() - 1
    }
}

fn begun(kind: &BlockKind) -> Block {
    Block::new(match kind {
        BlockKind::Text => Content::Text {
            text: String::new(),
            citations: None,
        },
        BlockKind::Thinking => Content::Thinking(String::new()),
        BlockKind::Refusal => Content::Refusal(String::new()),
        BlockKind::ToolCall { id, name } => Content::ToolCall(ToolCall {
            id: id.clone(),
            name: name.clone(),
            arguments: String::new(),
        }),
        BlockKind::Whole(block) => return Block::clone(block),
    })
}

/// Lets the last block of a choice grow; tells whether it can.
fn grow(choice: &mut Choice, delta: &Delta) -> bool {
    let Some(block) = choice.blocks.last_mut() else {
        return false;
    };
    match (delta, &mut block.content) {
        (Delta::Text(more), Content::Text { text, .. })
        | (Delta::Thinking(more), Content::Thinking(text))
        | (Delta::Refusal(more), Content::Refusal(text)) => text.push_str(more),
        (Delta::Arguments(more), Content::ToolCall(call)) => call.arguments.push_str(more),
        (Delta::Citations(list), Content::Text { citations, .. }) if citations.is_none() => {
            *citations = Some(list.clone());
        }
        (Delta::Signature(signature), _) => block.signature = Some(signature.clone()),
        (Delta::Logprobs(list), _) if choice.logprobs.is_none() => {
            choice.logprobs = Some(list.clone());
        }
        _ => return false,
    }
    true
}

/// The events of a whole answer, in the order that [`Event`] describes.
pub(super) fn events(response: &Response) -> Vec<Event> {
    let mut events = vec![Event::Start(Start {
        dialect: response.dialect,
        id: response.id.clone(),
        model: response.model.clone(),
        created: response.created,
    })];
    for choice in &response.choices {
        let mut logprobs = choice.logprobs.as_ref();
        for (index, block) in (0..).zip(&choice.blocks) {
            block_events(choice.index, index, block, &mut logprobs, &mut events);
        }
        events.push(Event::Finish {
            choice: choice.index,
            finish: choice.finish.clone(),
        });
    }
    events.extend(response.usage.map(Event::Usage));
    events.push(Event::End);
    events
}

fn block_events(
    choice: u32,
    index: u32,
    block: &Block,
    logprobs: &mut Option<&Opaque>,
    events: &mut Vec<Event>,
) {
    let (kind, text) = match &block.content {
        Content::Text { text, .. } => (BlockKind::Text, Delta::Text(text.clone())),
        Content::Thinking(text) => (BlockKind::Thinking, Delta::Thinking(text.clone())),
        Content::Refusal(text) => (BlockKind::Refusal, Delta::Refusal(text.clone())),
        Content::ToolCall(call) => {
            let (id, name) = (call.id.clone(), call.name.clone());
            let arguments = Delta::Arguments(call.arguments.clone());
            (BlockKind::ToolCall { id, name }, arguments)
        }
        _ => {
            let kind = BlockKind::Whole(Box::new(block.clone()));
            events.push(Event::BlockStart {
                choice,
                index,
                kind,
            });
            return events.push(Event::BlockEnd { choice });
        }
    };
    let is_text = kind == BlockKind::Text;
    events.push(Event::BlockStart {
        choice,
        index,
        kind,
    });
    let mut grow = |delta| events.push(Event::Delta { choice, delta });
    let is_empty = matches!(&text, Delta::Text(text) | Delta::Thinking(text)
        | Delta::Refusal(text) | Delta::Arguments(text) if text.is_empty());
    if !is_empty {
        grow(text);
    }
    if let Content::Text {
        citations: Some(list),
        ..
    } = &block.content
    {
        grow(Delta::Citations(list.clone()));
    }
    if let Some(list) = logprobs.take_if(|_| is_text) {
        grow(Delta::Logprobs(list.clone()));
    }
    if let Some(signature) = &block.signature {
        grow(Delta::Signature(signature.clone()));
    }
    events.push(Event::BlockEnd { choice });
}
