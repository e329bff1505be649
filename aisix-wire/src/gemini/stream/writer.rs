//! Writing streams.

use bytes::{BufMut, BytesMut};

use crate::chat::{
    Block, BlockKind, Content, Delta, Event, EventWriter, Finish, FinishReason, ToolCall,
    WriteContext,
};
use crate::error::{ErrorBody, write_error_event};
use crate::gemini::{finish, part, response, usage};
use crate::{Dialect, Usage, json};

/// How many choices may speak; what others say is left out.
const MAX_CHOICES: usize = 128;

/// How many bytes of a call's arguments are held; longer ones are cut.
const MAX_ARGUMENTS: usize = 32 << 20;

/// Writes a stream: text as it comes, calls when they are whole, endings and usage in one last event.
#[derive(Debug)]
pub(crate) struct Writer {
    model: String,
    id: String,
    from: Dialect,
    calls: Vec<Call>,
    /// The choices that think at the moment, among those that have spoken.
    thinking: Vec<u32>,
    /// The choices that have said something.
    spoken: Vec<u32>,
    finishes: Vec<(u32, Finish)>,
    usage: Option<Usage>,
    ended: bool,
}

/// A call that is not whole yet.
#[derive(Debug)]
struct Call {
    choice: u32,
    call: ToolCall,
    signature: Option<String>,
}

// === impl Writer ===

impl EventWriter for Writer {
    fn write(&mut self, event: &Event, out: &mut BytesMut) {
        if self.ended || !self.hears(event) {
            return;
        }
        match event {
            Event::Start(start) => {
                self.from = start.dialect;
                if let Some(id) = &start.id {
                    self.id.clone_from(id);
                }
            }
            Event::BlockStart { choice, kind, .. } => {
                self.flush(*choice, out);
                if *kind == BlockKind::Thinking {
                    self.thinking.push(*choice);
                }
                match kind {
                    BlockKind::ToolCall { id, name } => self.hold(*choice, id, name),
                    BlockKind::Whole(block) => {
                        self.part(*choice, block, block.signature.as_deref(), out);
                    }
                    BlockKind::Text | BlockKind::Thinking | BlockKind::Refusal => {}
                }
            }
            Event::Delta { choice, delta } => self.delta(*choice, delta, out),
            Event::BlockEnd { choice } => self.flush(*choice, out),
            Event::Finish { choice, finish } => {
                self.flush(*choice, out);
                let known = self.finishes.iter().any(|(index, _)| index == choice);
                if !known {
                    self.finishes.push((*choice, finish.clone()));
                }
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Opaque(_) => {}
            Event::End => self.end(out),
        }
    }

    fn fail(&mut self, error: &ErrorBody<'_>, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.ended, true) {
            out.put_slice(&write_error_event(Dialect::Gemini, error));
        }
    }
}

impl Writer {
    pub(crate) fn new(context: &WriteContext<'_>) -> Self {
        Self {
            model: context.model.to_owned(),
            id: context.request_id.to_owned(),
            from: Dialect::OpenAi,
            calls: Vec::new(),
            thinking: Vec::new(),
            spoken: Vec::new(),
            finishes: Vec::new(),
            usage: None,
            ended: false,
        }
    }

    /// Takes note of the choice that an event belongs to; false when there are too many of them.
    fn hears(&mut self, event: &Event) -> bool {
        let (Event::BlockStart { choice, .. }
        | Event::Delta { choice, .. }
        | Event::BlockEnd { choice }
        | Event::Finish { choice, .. }) = event
        else {
            return true;
        };
        let known = self.spoken.contains(choice);
        if !known && self.spoken.len() < MAX_CHOICES {
            self.spoken.push(*choice);
            return true;
        }
        known
    }

    fn delta(&mut self, choice: u32, delta: &Delta, out: &mut BytesMut) {
        let call = self.calls.iter_mut().find(|call| call.choice == choice);
        match (delta, call) {
            (Delta::Arguments(piece), Some(call)) => {
                let held = &mut call.call.arguments;
                if held.len() + piece.len() <= MAX_ARGUMENTS {
                    held.push_str(piece);
                }
            }
            (Delta::Signature(signature), Some(call)) => {
                call.signature = Some(signature.clone());
            }
            (Delta::Text(text) | Delta::Refusal(text), _) => {
                self.part(choice, &Block::text(text.as_str()), None, out);
            }
            (Delta::Thinking(text), _) => {
                let block = Block::new(Content::Thinking(text.clone()));
                self.part(choice, &block, None, out);
            }
            (Delta::Signature(signature), None) => {
                let block = match self.thinking.contains(&choice) {
                    true => Block::new(Content::Thinking(String::new())),
                    false => Block::text(""),
                };
                self.part(choice, &block, Some(signature), out);
            }
            (Delta::Citations(more), _) if more.dialect == Dialect::Gemini => {
                self.candidate(choice, out, |w| response::splice(w, &more.raw));
            }
            (Delta::Logprobs(more), _) if more.dialect == Dialect::Gemini => {
                self.candidate(choice, out, |w| {
                    w.name("logprobsResult").raw(more.raw.as_str());
                });
            }
            _ => {}
        }
    }

    fn hold(&mut self, choice: u32, id: &str, name: &str) {
        self.calls.push(Call {
            choice,
            call: ToolCall {
                id: id.to_owned(),
                name: name.to_owned(),
                arguments: String::new(),
            },
            signature: None,
        });
    }

    /// Ends the block that is open, and writes the call that it was, since that is whole now.
    fn flush(&mut self, choice: u32, out: &mut BytesMut) {
        self.thinking.retain(|open| *open != choice);
        let Some(at) = self.calls.iter().position(|call| call.choice == choice) else {
            return;
        };
        let Call {
            call, signature, ..
        } = self.calls.swap_remove(at);
        let block = Block::new(Content::ToolCall(call));
        self.part(choice, &block, signature.as_deref(), out);
    }

    fn part(&self, choice: u32, block: &Block, signature: Option<&str>, out: &mut BytesMut) {
        let signature = signature.filter(|signature| part::is_signature(signature));
        if block.is_empty_text() && signature.is_none() {
            return;
        }
        let mut piece = BytesMut::new();
        if part::write(&mut json::Writer::new(&mut piece), block, signature) {
            let piece = std::str::from_utf8(&piece).unwrap_or("{}");
            self.candidate(choice, out, |w| content(w, piece));
        }
    }

    fn candidate(
        &self,
        choice: u32,
        out: &mut BytesMut,
        members: impl FnOnce(&mut json::Writer<'_>),
    ) {
        self.event(out, |w| {
            w.name("candidates").array(|w| {
                w.object(|w| {
                    members(w);
                    w.name("index").number(choice.into());
                });
            });
        });
    }

    fn end(&mut self, out: &mut BytesMut) {
        while let Some(call) = self.calls.first() {
            self.flush(call.choice, out);
        }
        self.ended = true;
        // Without a reason to finish, callers take the stream for one that was cut.
        if self.spoken.is_empty() {
            self.spoken.push(0);
        }
        for choice in std::mem::take(&mut self.spoken) {
            if !self.finishes.iter().any(|(index, _)| *index == choice) {
                let finish = Finish::new(FinishReason::Other, None);
                self.finishes.push((choice, finish));
            }
        }
        self.event(out, |w| {
            w.name("candidates").array(|w| {
                for (choice, finish) in &self.finishes {
                    w.object(|w| {
                        content(w, "{\"text\":\"\"}");
                        w.name("finishReason")
                            .string(finish::word(finish, self.from));
                        w.name("index").number((*choice).into());
                    });
                }
            });
            if let Some(usage) = &self.usage {
                usage::write(w, usage);
            }
        });
    }

    fn event(&self, out: &mut BytesMut, members: impl FnOnce(&mut json::Writer<'_>)) {
        out.extend_from_slice(b"data: ");
        json::Writer::new(out).object(|w| {
            members(w);
            w.name("modelVersion").string(&self.model);
            w.name("responseId").string(&self.id);
        });
        out.extend_from_slice(b"\r\n\r\n");
    }
}

fn content(w: &mut json::Writer<'_>, part: &str) {
    w.name("content").object(|w| {
        w.name("parts").array(|w| w.raw(part));
        w.name("role").string("model");
    });
}
