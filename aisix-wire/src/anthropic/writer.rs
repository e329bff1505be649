//! Writing a stream for a caller.

use bytes::{BufMut, BytesMut};

use super::{signed, usage, write};
use crate::chat::{
    Block, BlockKind, Content, Delta, Event, EventWriter, Finish, FinishReason, Start, ToolCall,
    WriteContext,
};
use crate::error::{ErrorBody, write_error_event};
use crate::json::Writer;
use crate::{Dialect, Usage, elements};

/// How many bytes of a tool's arguments are held back.
const MAX_HELD: usize = 4 << 20;

/// Writes one stream.
///
/// Valid whatever comes in: blocks are opened at their first delta and closed before another begins, and
/// the end is held back until reason and usage are in. Only the first choice is written.
#[derive(Debug)]
pub(super) struct MessageWriter {
    model: String,
    /// The id that is used when the provider has none of the dialect's form.
    id: String,
    /// The start, while it waits for the usage that comes right after it.
    waiting: Option<Start>,
    own: bool,
    started: bool,
    ended: bool,
    blocks: u32,
    open: Option<Open>,
    /// A call that is not told yet, because its signature may follow.
    call: Option<Block>,
    calls: bool,
    refuses: bool,
    usage: Option<Usage>,
    finish: Option<Finish>,
}

/// The open block.
#[derive(Debug, PartialEq)]
enum Open {
    Text,
    Thinking,
    /// A tool call, whose arguments have begun as an object.
    Call,
    /// A tool call, whose arguments have not begun, or are no object and therefore held back.
    CallHeld(String),
}

// === impl EventWriter for MessageWriter ===

impl EventWriter for MessageWriter {
    fn write(&mut self, event: &Event, out: &mut BytesMut) {
        if self.ended {
            return;
        }
        match event {
            Event::Start(start) => return self.start(start, out),
            Event::Usage(usage) => {
                self.usage = Some(*usage);
                if self.waiting.is_some() {
                    self.begin(out);
                }
                return;
            }
            Event::Finish { choice: 0, finish } => {
                self.finish = Some(finish.clone());
                return;
            }
            _ => {}
        }
        match event {
            Event::BlockStart {
                choice: 0, kind, ..
            } => self.block_start(kind, out),
            Event::Delta { choice: 0, delta } => self.delta(delta, out),
            Event::BlockEnd { choice: 0 } => self.close(out),
            Event::End => self.end(out),
            _ => {}
        }
    }

    fn fail(&mut self, error: &ErrorBody<'_>, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.ended, true) {
            out.put_slice(&write_error_event(Dialect::Anthropic, error));
        }
    }
}

// === impl MessageWriter ===

impl MessageWriter {
    /// A writer for a call.
    pub(super) fn new(context: &WriteContext<'_>) -> Self {
        Self {
            model: context.model.to_owned(),
            id: write::message_id(None, context).into_owned(),
            waiting: None,
            own: false,
            started: false,
            ended: false,
            blocks: 0,
            open: None,
            call: None,
            calls: false,
            refuses: false,
            usage: None,
            finish: None,
        }
    }

    fn start(&mut self, start: &Start, out: &mut BytesMut) {
        if self.started || self.waiting.is_some() {
            return;
        }
        self.own = start.dialect == Dialect::Anthropic;
        if let Some(id) = start.id.as_ref().filter(|id| id.starts_with("msg_")) {
            self.id.clone_from(id);
        }
        self.waiting = Some(start.clone());
        // Providers of this dialect tell the usage of the prompt at once, and callers look for it here.
        if !self.own {
            self.begin(out);
        }
    }

    /// Sees to it that `message_start` has been written.
    fn begin(&mut self, out: &mut BytesMut) {
        if self.started {
            return;
        }
        self.started = true;
        self.waiting = None;
        let (id, model) = (&self.id, &self.model);
        let counts = self.usage.unwrap_or_default();
        event(out, "message_start", |w| {
            w.name("message").object(|w| {
                w.name("id").string(id);
                w.name("type").string("message");
                w.name("role").string("assistant");
                w.name("model").string(model);
                w.name("content").array(|_| {});
                w.name("stop_reason").null();
                w.name("stop_sequence").null();
                w.name("usage").object(|w| usage::write(w, &counts));
            });
        });
    }

    fn block_start(&mut self, kind: &BlockKind, out: &mut BytesMut) {
        self.close(out);
        match kind {
            // They are opened by what is in them: the dialect has no use for empty ones.
            BlockKind::Text | BlockKind::Thinking => self.begin(out),
            BlockKind::Refusal => {
                self.refuses = true;
                self.begin(out);
            }
            BlockKind::ToolCall { id, name } => {
                self.begin(out);
                self.call = Some(Block::new(Content::ToolCall(ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    arguments: String::new(),
                })));
            }
            BlockKind::Whole(block) => self.whole(block, out),
        }
    }

    fn delta(&mut self, delta: &Delta, out: &mut BytesMut) {
        if let (Some(call), Delta::Signature(signature)) = (&mut self.call, delta) {
            call.signature = Some(signature.clone());
        }
        self.tell_call(out);
        match delta {
            Delta::Text(text) | Delta::Refusal(text) => {
                self.refuses |= matches!(delta, Delta::Refusal(_));
                if !text.is_empty() {
                    self.open_text(out);
                    self.block_delta(out, "text_delta", "text", text);
                }
            }
            Delta::Thinking(text) => {
                if !text.is_empty() {
                    self.open_thinking(out);
                    self.block_delta(out, "thinking_delta", "thinking", text);
                }
            }
            // On other blocks it is of no use to the callers of this dialect.
            Delta::Signature(signature) => {
                if !matches!(self.open, Some(Open::Text | Open::Call | Open::CallHeld(_)))
                    && !signature.is_empty()
                {
                    self.open_thinking(out);
                    self.block_delta(out, "signature_delta", "signature", signature);
                }
            }
            Delta::Citations(citations) if citations.dialect == Dialect::Anthropic => {
                let raw = &citations.raw;
                let bytes = raw.as_bytes();
                for (span, _) in elements(bytes, 0..bytes.len()) {
                    self.open_text(out);
                    let citation = raw.as_str().get(span).unwrap_or("{}");
                    let index = self.index();
                    event(out, "content_block_delta", |w| {
                        w.name("index").number(index);
                        w.name("delta").object(|w| {
                            w.name("type").string("citations_delta");
                            w.name("citation").raw(citation);
                        });
                    });
                }
            }
            Delta::Arguments(piece) => self.arguments(piece, out),
            Delta::Citations(_) | Delta::Logprobs(_) => {}
        }
    }

    /// Passes arguments on once they have begun as an object; others are held back and wrapped in one.
    fn arguments(&mut self, piece: &str, out: &mut BytesMut) {
        match &mut self.open {
            Some(Open::Call) if !piece.is_empty() => {
                self.block_delta(out, "input_json_delta", "partial_json", piece);
            }
            Some(Open::CallHeld(held)) => {
                if held.len() + piece.len() <= MAX_HELD {
                    held.push_str(piece);
                }
                if held.trim_ascii_start().starts_with('{') {
                    let begun = std::mem::take(held);
                    self.open = Some(Open::Call);
                    self.block_delta(out, "input_json_delta", "partial_json", &begun);
                }
            }
            // Arguments of no call.
            _ => {}
        }
    }

    fn whole(&mut self, block: &Block, out: &mut BytesMut) {
        match &block.content {
            Content::Text { text, citations } => {
                self.delta(&Delta::Text(text.clone()), out);
                if let Some(citations) = citations {
                    self.delta(&Delta::Citations(citations.clone()), out);
                }
            }
            Content::Refusal(text) => self.delta(&Delta::Refusal(text.clone()), out),
            Content::Thinking(text) => {
                self.delta(&Delta::Thinking(text.clone()), out);
                if let Some(signature) = &block.signature {
                    self.delta(&Delta::Signature(signature.clone()), out);
                }
            }
            Content::ToolCall(call) => {
                self.open_call(call, block, out);
                self.arguments(&call.arguments, out);
            }
            Content::RedactedThinking(_) | Content::Opaque(_) if write::has_place(block, None) => {
                self.begin(out);
                let index = u64::from(self.blocks);
                self.blocks = self.blocks.saturating_add(1);
                event(out, "content_block_start", |w| {
                    w.name("index").number(index);
                    w.name("content_block");
                    write::content_block(w, block);
                });
                block_stop(out, index);
            }
            _ => {}
        }
        self.close(out);
    }

    fn open_text(&mut self, out: &mut BytesMut) {
        if self.open == Some(Open::Text) {
            return;
        }
        self.open(Open::Text, out, |w| {
            w.name("type").string("text");
            w.name("text").string("");
        });
    }

    fn open_thinking(&mut self, out: &mut BytesMut) {
        if self.open == Some(Open::Thinking) {
            return;
        }
        self.open(Open::Thinking, out, |w| {
            w.name("type").string("thinking");
            w.name("thinking").string("");
            w.name("signature").string("");
        });
    }

    /// Tells a call that was held back.
    fn tell_call(&mut self, out: &mut BytesMut) {
        let Some(block) = self.call.take() else {
            return;
        };
        if let Content::ToolCall(call) = &block.content {
            self.open_call(call, &block, out);
        }
    }

    fn open_call(&mut self, call: &ToolCall, block: &Block, out: &mut BytesMut) {
        self.calls = true;
        self.open(Open::CallHeld(String::new()), out, |w| {
            w.name("type").string("tool_use");
            w.name("id").string(&signed::seal(&call.id, block));
            w.name("name").string(&call.name);
            w.name("input").object(|_| {});
        });
    }

    fn open(&mut self, open: Open, out: &mut BytesMut, block: impl FnOnce(&mut Writer<'_>)) {
        self.begin(out);
        self.close(out);
        self.open = Some(open);
        self.blocks = self.blocks.saturating_add(1);
        let index = self.index();
        event(out, "content_block_start", |w| {
            w.name("index").number(index);
            w.name("content_block").object(block);
        });
    }

    /// Closes the open block, if there is one.
    fn close(&mut self, out: &mut BytesMut) {
        self.tell_call(out);
        let Some(open) = self.open.take() else {
            return;
        };
        if let Open::CallHeld(held) = &open
            && !held.trim_ascii().is_empty()
        {
            let wrapped = write::wrapped(held);
            self.block_delta(out, "input_json_delta", "partial_json", wrapped.as_str());
        }
        block_stop(out, self.index());
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.begin(out);
        self.close(out);
        self.ended = true;
        let finish = self.finish.take();
        let finish = finish.unwrap_or_else(|| Finish::new(FinishReason::Other, None));
        let reason = write::stop_reason(&finish, self.own, self.calls, self.refuses);
        let counts = self.usage.unwrap_or_default();
        event(out, "message_delta", |w| {
            w.name("delta").object(|w| {
                w.name("stop_reason").string(reason);
                w.name("stop_sequence");
                match &finish.stop_sequence {
                    Some(text) => w.string(text),
                    None => w.null(),
                }
            });
            w.name("usage").object(|w| usage::write(w, &counts));
        });
        event(out, "message_stop", |_| {});
    }

    /// The number of the latest block.
    fn index(&self) -> u64 {
        u64::from(self.blocks.saturating_sub(1))
    }

    fn block_delta(&self, out: &mut BytesMut, kind: &str, member: &str, text: &str) {
        event(out, "content_block_delta", |w| {
            w.name("index").number(self.index());
            w.name("delta").object(|w| {
                w.name("type").string(kind);
                w.name(member).string(text);
            });
        });
    }
}

fn block_stop(out: &mut BytesMut, index: u64) {
    event(out, "content_block_stop", |w| {
        w.name("index").number(index);
    });
}

/// Writes one event, whose data begins with its type.
fn event(out: &mut BytesMut, name: &str, members: impl FnOnce(&mut Writer<'_>)) {
    out.put_slice(b"event: ");
    out.put_slice(name.as_bytes());
    out.put_slice(b"\ndata: ");
    Writer::new(out).object(|w| {
        w.name("type").string(name);
        members(w);
    });
    out.put_slice(b"\n\n");
}
