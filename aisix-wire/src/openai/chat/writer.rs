//! Streams to the caller.

use bytes::{BufMut, Bytes, BytesMut};

use super::{arguments, finish, write_response, write_turns};
use crate::chat::{
    Block, BlockKind, Content, Delta, Event, EventWriter, FinishReason, ToolCall, WriteContext,
};
use crate::error::{ErrorBody, write_error_event};
use crate::json::Writer as Json;
use crate::{Dialect, Usage, sse};

/// Writes chunks.
///
/// The finish reason of a choice is its last chunk, usage the last chunk of all; `[DONE]` ends the stream.
#[derive(Debug)]
pub(super) struct Writer {
    /// What every chunk begins with.
    head: Bytes,
    /// The part of it that the first event decides.
    context: Context,
    choices: Vec<State>,
    usage: Option<Usage>,
    over: bool,
}

#[derive(Debug)]
struct Context {
    model: String,
    created: u64,
    id: String,
    include_usage: bool,
}

/// One choice.
#[derive(Debug)]
struct State {
    index: u32,
    /// How many calls were told.
    calls: u64,
    /// The block that is open.
    open: Open,
    /// A call that is not told yet: its signature may follow.
    held: Option<Block>,
    finished: bool,
}

/// What decides where a piece of a block goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Text,
    Call,
    /// None, or one whose signature has no place here.
    Other,
}

// === impl Writer ===

impl EventWriter for Writer {
    fn write(&mut self, event: &Event, out: &mut BytesMut) {
        if self.over {
            return;
        }
        if self.head.is_empty() {
            self.begin(event);
        }
        match event {
            Event::Start(_) => {
                self.state(0, out);
            }
            Event::BlockStart { choice, kind, .. } => self.block(*choice, kind, out),
            Event::Delta { choice, delta } => self.delta(*choice, delta, out),
            Event::BlockEnd { choice } => {
                if let Some(at) = self.state(*choice, out) {
                    self.tell_call(at, out);
                    self.choices[at].open = Open::Other;
                }
            }
            Event::Finish { choice, finish } => {
                if let Some(at) = self.state(*choice, out) {
                    self.finish(at, finish.reason, out);
                }
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Opaque(_) => {}
            Event::End => self.end(out),
        }
    }

    fn fail(&mut self, error: &ErrorBody<'_>, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.over, true) {
            out.put_slice(&write_error_event(Dialect::OpenAi, error));
        }
    }
}

impl Writer {
    pub(super) fn new(context: &WriteContext<'_>) -> Self {
        Self {
            head: Bytes::new(),
            context: Context {
                model: context.model.to_owned(),
                created: context.created,
                id: write_response::id(None, context),
                include_usage: context.include_usage,
            },
            choices: Vec::new(),
            usage: None,
            over: false,
        }
    }

    /// Fixes what all chunks share.
    fn begin(&mut self, event: &Event) {
        let start = match event {
            Event::Start(start) => Some(start),
            _ => None,
        };
        let context = &self.context;
        let id = start.and_then(|start| start.id.as_deref());
        let created = start.and_then(|start| start.created);
        let mut head = BytesMut::new();
        Json::new(&mut head).object(|w| {
            w.name("id").string(id.unwrap_or(&context.id));
            w.name("object").string("chat.completion.chunk");
            w.name("created").number(created.unwrap_or(context.created));
            w.name("model").string(&context.model);
        });
        // The closing brace comes at the end of each chunk.
        head.truncate(head.len() - 1);
        self.head = head.freeze();
    }

    /// Where a choice is kept; its first chunk tells the role. `None` when it is over.
    fn state(&mut self, index: u32, out: &mut BytesMut) -> Option<usize> {
        let at = match self.choices.iter().position(|state| state.index == index) {
            Some(at) => at,
            None => {
                self.choices.push(State::new(index));
                self.chunk(out, index, None, |w| {
                    w.name("role").string("assistant");
                    w.name("content").string("");
                });
                self.choices.len() - 1
            }
        };
        (!self.choices[at].finished).then_some(at)
    }

    fn block(&mut self, choice: u32, kind: &BlockKind, out: &mut BytesMut) {
        let Some(at) = self.state(choice, out) else {
            return;
        };
        self.tell_call(at, out);
        self.choices[at].open = match kind {
            BlockKind::Text => Open::Text,
            BlockKind::ToolCall { .. } => Open::Call,
            _ => Open::Other,
        };
        match kind {
            BlockKind::Text | BlockKind::Thinking | BlockKind::Refusal => {}
            BlockKind::ToolCall { id, name } => {
                let call = Content::ToolCall(ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                });
                self.choices[at].held = Some(Block::new(call));
            }
            BlockKind::Whole(block) => match &block.content {
                Content::Text { text, .. } => self.text(choice, "content", text, out),
                Content::Thinking(text) => self.text(choice, "reasoning_content", text, out),
                Content::Refusal(text) => self.text(choice, "refusal", text, out),
                Content::Image(image) => self.chunk(out, choice, None, |w| {
                    w.name("images")
                        .array(|w| w.object(|w| write_turns::image(w, image)));
                }),
                Content::ToolCall(_) => {
                    self.choices[at].held = Some(Block::clone(block));
                    self.tell_call(at, out);
                }
                _ => {}
            },
        }
    }

    fn delta(&mut self, choice: u32, delta: &Delta, out: &mut BytesMut) {
        let Some(at) = self.state(choice, out) else {
            return;
        };
        if let (Some(call), Delta::Signature(signature)) = (&mut self.choices[at].held, delta) {
            call.signature = Some(signature.clone());
            return self.tell_call(at, out);
        }
        self.tell_call(at, out);
        let open = self.choices[at].open;
        let index = self.choices[at].calls.saturating_sub(1);
        match delta {
            Delta::Text(text) => self.text(choice, "content", text, out),
            Delta::Thinking(text) => self.text(choice, "reasoning_content", text, out),
            Delta::Refusal(text) => self.text(choice, "refusal", text, out),
            Delta::Arguments(text) if open == Open::Call => self.chunk(out, choice, None, |w| {
                call(w, index, |w| {
                    w.name("function")
                        .object(|w| w.name("arguments").string(text));
                });
            }),
            Delta::Signature(text) if open == Open::Call => self.chunk(out, choice, None, |w| {
                call(w, index, |w| write_turns::signature(w, text));
            }),
            Delta::Signature(text) if open == Open::Text => {
                self.chunk(out, choice, None, |w| write_turns::signature(w, text));
            }
            Delta::Citations(list) if list.dialect == Dialect::OpenAi => {
                self.chunk(out, choice, None, |w| {
                    w.name("annotations").raw(list.raw.as_str());
                });
            }
            Delta::Arguments(_)
            | Delta::Signature(_)
            | Delta::Citations(_)
            | Delta::Logprobs(_) => {}
        }
    }

    fn text(&self, choice: u32, name: &str, text: &str, out: &mut BytesMut) {
        if !text.is_empty() {
            self.chunk(out, choice, None, |w| w.name(name).string(text));
        }
    }

    /// Tells a call that was held back.
    fn tell_call(&mut self, at: usize, out: &mut BytesMut) {
        let state = &mut self.choices[at];
        let Some(block) = state.held.take() else {
            return;
        };
        let (choice, index) = (state.index, state.calls);
        state.calls += 1;
        self.chunk(out, choice, None, |w| {
            w.name("tool_calls").array(|w| {
                arguments::write_call(w, Some(index), &block, block.signature.as_deref());
            });
        });
    }

    fn finish(&mut self, at: usize, reason: FinishReason, out: &mut BytesMut) {
        self.tell_call(at, out);
        let state = &mut self.choices[at];
        state.finished = true;
        let (choice, word) = (state.index, finish::word(reason, state.calls > 0));
        self.chunk(out, choice, Some(word), |_| {});
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.over = true;
        self.state(0, out);
        for at in 0..self.choices.len() {
            if !self.choices[at].finished {
                self.finish(at, FinishReason::Other, out);
            }
        }
        if let Some(usage) = self.usage.filter(|_| self.context.include_usage) {
            out.put_slice(b"data: ");
            out.put_slice(&self.head);
            out.put_slice(b",\"choices\":[],\"usage\":");
            finish::write_usage(&mut Json::new(out), &usage);
            out.put_slice(b"}\n\n");
        }
        out.put_slice(sse::DONE);
    }

    /// Writes one chunk of a choice.
    fn chunk(
        &self,
        out: &mut BytesMut,
        choice: u32,
        finish: Option<&str>,
        delta: impl FnOnce(&mut Json<'_>),
    ) {
        out.put_slice(b"data: ");
        out.put_slice(&self.head);
        out.put_slice(b",\"choices\":[");
        Json::new(out).object(|w| {
            w.name("index").number(u64::from(choice));
            w.name("delta").object(delta);
            w.name("logprobs").null();
            match finish {
                Some(word) => w.name("finish_reason").string(word),
                None => w.name("finish_reason").null(),
            }
        });
        out.put_slice(match self.context.include_usage {
            true => b"],\"usage\":null}\n\n",
            false => b"]}\n\n",
        });
    }
}

/// Writes a piece of the call with this number.
fn call(w: &mut Json<'_>, index: u64, piece: impl FnOnce(&mut Json<'_>)) {
    w.name("tool_calls").array(|w| {
        w.object(|w| {
            w.name("index").number(index);
            piece(w);
        });
    });
}

// === impl State ===

impl State {
    fn new(index: u32) -> Self {
        Self {
            index,
            calls: 0,
            open: Open::Other,
            held: None,
            finished: false,
        }
    }
}
