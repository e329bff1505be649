//! Streams to the caller.

use bytes::BytesMut;

use super::failure::{error_event, failed};
use super::head::{Head, Status};
use super::item::{CallIds, Item, Part, summary_text};
use super::sealed::Sealed;
use super::sequence::Sequence;
use super::write::{arguments, logprobs, write_item};
use crate::chat::{
    Block, BlockKind, Content, Delta, Event, EventWriter, Finish, Source, ToolCall, WriteContext,
};
use crate::error::ErrorBody;
use crate::json::Writer as Json;
use crate::{Dialect, Usage};

/// How many bytes of an answer are held, since the last event repeats all of it.
const MAX_OUTPUT: usize = 16 << 20;

/// What a piece costs beside its text.
const PIECE: usize = 64;

/// What is said of an answer that is longer.
const TOO_LONG: ErrorBody<'static> = ErrorBody {
    status: 502,
    message: "the answer is too long to be streamed in this dialect",
    kind: "server_error",
    code: None,
    param: None,
};

/// Writes one stream.
///
/// Valid whatever comes in: items and parts are opened at their first delta, and one is closed before another
/// begins. The last item stays open until it is known why the answer ends, which its status tells.
#[derive(Debug)]
pub(super) struct Writer {
    head: Head,
    from: Dialect,
    sequence: Sequence,
    started: bool,
    over: bool,
    /// Whether the block that grows is thinking.
    thinking: bool,
    open: Option<Open>,
    /// The items that are closed, with commas between them, and their number.
    output: BytesMut,
    items: u64,
    ids: CallIds,
    usage: Option<Usage>,
    finish: Option<Finish>,
    held: usize,
}

/// The open item.
#[derive(Debug)]
struct Open {
    id: String,
    item: Item,
    /// Whether its last part is open.
    part: bool,
    signature: Option<String>,
}

// === impl EventWriter for Writer ===

impl EventWriter for Writer {
    fn write(&mut self, event: &Event, out: &mut BytesMut) {
        if self.over {
            return;
        }
        if !self.started {
            if let Event::Start(start) = event {
                self.from = start.dialect;
                self.head.told(start.id.as_deref(), start.created);
            }
            self.begin(out);
        }
        match event {
            Event::BlockStart {
                choice: 0, kind, ..
            } => self.block(kind, out),
            Event::Delta { choice: 0, delta } => self.delta(delta, out),
            Event::BlockEnd { choice: 0 } => self.thinking = false,
            Event::Finish { choice: 0, finish } => {
                self.finish.get_or_insert_with(|| finish.clone());
                self.close(self.ending(), out);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::End => self.end(out),
            _ => {}
        }
    }

    fn fail(&mut self, error: &ErrorBody<'_>, out: &mut BytesMut) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        error_event(&mut self.sequence, error, out);
        // For those who wait for the last word on the response; SDKs have stopped reading.
        if self.started {
            self.lifecycle("response.failed", failed(error), out);
        }
        self.open = None;
        self.output = BytesMut::new();
    }
}

impl Writer {
    pub(super) fn new(context: &WriteContext<'_>) -> Self {
        Self {
            head: Head::new(context),
            from: Dialect::OpenAi,
            sequence: Sequence::default(),
            started: false,
            over: false,
            thinking: false,
            open: None,
            output: BytesMut::new(),
            items: 0,
            ids: CallIds::default(),
            usage: None,
            finish: None,
            held: 0,
        }
    }

    fn begin(&mut self, out: &mut BytesMut) {
        self.started = true;
        for name in ["response.created", "response.in_progress"] {
            self.lifecycle(name, Status::InProgress, out);
        }
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.close(self.ending(), out);
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let status = self.ending();
        let name = match status {
            Status::Incomplete(_) => "response.incomplete",
            _ => "response.completed",
        };
        self.lifecycle(name, status, out);
        self.output = BytesMut::new();
    }

    /// How the response stands at its end, as far as that is known.
    fn ending(&self) -> Status<'static> {
        Status::of(self.finish.as_ref())
    }

    /// Writes an event that carries the response.
    fn lifecycle(&mut self, name: &str, status: Status<'_>, out: &mut BytesMut) {
        let output = std::str::from_utf8(&self.output).unwrap_or_default();
        let (head, usage) = (&self.head, self.usage.as_ref());
        let usage = usage.filter(|_| status != Status::InProgress);
        self.sequence.event(out, name, |w| {
            head.write(w.name("response"), status, output, usage);
        });
    }

    fn block(&mut self, kind: &BlockKind, out: &mut BytesMut) {
        self.thinking = matches!(kind, BlockKind::Thinking);
        match kind {
            // A message has a part for each of them.
            BlockKind::Text | BlockKind::Refusal if self.is_message() => self.close_part(out),
            BlockKind::Text | BlockKind::Refusal | BlockKind::Thinking => {
                self.close(Status::Completed, out);
            }
            BlockKind::ToolCall { id, name } => self.call(id, name, out),
            BlockKind::Whole(block) => self.whole(block, out),
        }
    }

    fn delta(&mut self, delta: &Delta, out: &mut BytesMut) {
        match delta {
            Delta::Text(text) => self.say(text, false, out),
            Delta::Refusal(text) => self.say(text, true, out),
            Delta::Thinking(text) => self.think(text, out),
            Delta::Arguments(text) => self.arguments(text, out),
            Delta::Signature(signature) => self.sign(signature, out),
            Delta::Logprobs(opaque) => {
                if let Some(list) = logprobs(opaque) {
                    self.logprobs(&list, out);
                }
            }
            Delta::Citations(_) => {}
        }
    }

    fn whole(&mut self, block: &Block, out: &mut BytesMut) {
        match &block.content {
            Content::Text { text, .. } => {
                self.block(&BlockKind::Text, out);
                self.say(text, false, out);
            }
            Content::Refusal(text) => {
                self.block(&BlockKind::Refusal, out);
                self.say(text, true, out);
            }
            Content::Thinking(text) => {
                self.block(&BlockKind::Thinking, out);
                self.think(text, out);
                if let Some(signature) = &block.signature {
                    self.sign(signature, out);
                }
            }
            Content::ToolCall(call) => {
                self.call(&call.id, &call.name, out);
                self.arguments(&call.arguments, out);
                if let Some(signature) = &block.signature {
                    self.sign(signature, out);
                }
            }
            Content::RedactedThinking(data) => {
                self.close(Status::Completed, out);
                self.sealed(&Sealed::Redacted(data.clone()), out);
            }
            Content::Image(image) => {
                if let Source::Data { data, .. } = &image.source {
                    self.open(Item::Image(String::new()), data.len(), out);
                    self.change(|item| *item = Item::Image(data.clone()));
                }
            }
            _ => {}
        }
        self.thinking = false;
    }

    fn say(&mut self, piece: &str, refusal: bool, out: &mut BytesMut) {
        if piece.is_empty() || !self.hold(piece.len(), out) {
            return;
        }
        if !self.is_message() {
            self.open(Item::Message(Vec::new()), 0, out);
        }
        let goes_on = self.part().is_some_and(|part| part.is_refusal() == refusal);
        if !goes_on {
            self.close_part(out);
            self.open_part(refusal, out);
        }
        if let Some(part) = self.part() {
            part.words().push_str(piece);
        }
        let name = match refusal {
            true => "response.refusal.delta",
            false => "response.output_text.delta",
        };
        self.part_event(name, out, |w| {
            w.name("delta").string(piece);
            if !refusal {
                w.name("logprobs").array(|_| {});
            }
        });
    }

    /// How likely the tokens of the open text were. They come behind it, so that this delta is empty.
    fn logprobs(&mut self, list: &str, out: &mut BytesMut) {
        if !self.hold(list.len(), out) {
            return;
        }
        let Some(Part::Text { logprobs, .. }) = self.part() else {
            return;
        };
        if !logprobs.is_empty() {
            logprobs.push(',');
        }
        logprobs.push_str(list);
        self.part_event("response.output_text.delta", out, |w| {
            w.name("delta").string("");
            w.name("logprobs").array(|w| w.raw(list));
        });
    }

    fn think(&mut self, piece: &str, out: &mut BytesMut) {
        if piece.is_empty() || !self.hold(piece.len(), out) {
            return;
        }
        if !self.is_reasoning() {
            self.open_reasoning(out);
        }
        let mut begins = false;
        self.change(|item| {
            if let Item::Reasoning { summary, .. } = item {
                begins = summary.is_none();
                summary.get_or_insert_default().push_str(piece);
            }
        });
        if begins {
            self.summary_event("response.reasoning_summary_part.added", out, |w| {
                summary_text(w.name("part"), "");
            });
        }
        self.summary_event("response.reasoning_summary_text.delta", out, |w| {
            w.name("delta").string(piece);
        });
    }

    fn call(&mut self, id: &str, name: &str, out: &mut BytesMut) {
        let id = self.ids.own(id, &self.head.id);
        let cost = id.len() + name.len();
        let call = ToolCall {
            id,
            name: name.to_owned(),
            arguments: String::new(),
        };
        self.open(Item::Call(call), cost, out);
    }

    fn arguments(&mut self, piece: &str, out: &mut BytesMut) {
        let called = matches!(&self.open, Some(open) if matches!(open.item, Item::Call(_)));
        if piece.is_empty() || !called || !self.hold(piece.len(), out) {
            return;
        }
        self.change(|item| {
            if let Item::Call(call) = item {
                call.arguments.push_str(piece);
            }
        });
        self.item_event("response.function_call_arguments.delta", out, |w| {
            w.name("delta").string(piece);
        });
    }

    /// Keeps the signature of thinking or of a call; those of texts have no place here.
    fn sign(&mut self, signature: &str, out: &mut BytesMut) {
        if signature.is_empty() || !self.hold(signature.len(), out) {
            return;
        }
        if self.thinking && !self.is_reasoning() {
            self.open_reasoning(out);
        }
        if let Some(open) = &mut self.open
            && matches!(open.item, Item::Reasoning { .. } | Item::Call(_))
        {
            open.signature = Some(signature.to_owned());
        }
    }

    /// Writes an item that only carries what has to come back.
    fn sealed(&mut self, sealed: &Sealed, out: &mut BytesMut) {
        let encrypted = sealed.write(self.from);
        let cost = encrypted.len();
        let item = Item::Reasoning {
            summary: None,
            encrypted: Some(encrypted),
        };
        self.open(item, cost, out);
        self.close(Status::Completed, out);
    }

    fn open_reasoning(&mut self, out: &mut BytesMut) {
        let item = Item::Reasoning {
            summary: None,
            encrypted: None,
        };
        self.open(item, 0, out);
    }

    /// Opens an item, after the one before is closed.
    fn open(&mut self, item: Item, cost: usize, out: &mut BytesMut) {
        self.close(Status::Completed, out);
        if !self.hold(cost, out) {
            return;
        }
        let (id, index) = (self.head.item_id(item.prefix(), self.items), self.items);
        self.sequence.event(out, "response.output_item.added", |w| {
            w.name("output_index").number(index);
            item.write(w.name("item"), &id, Status::InProgress.word());
        });
        self.open = Some(Open {
            id,
            item,
            part: false,
            signature: None,
        });
    }

    fn open_part(&mut self, refusal: bool, out: &mut BytesMut) {
        let part = Part::new(refusal);
        if let Some(open) = &mut self.open
            && let Item::Message(parts) = &mut open.item
        {
            parts.push(part.clone());
            open.part = true;
        }
        self.part_event("response.content_part.added", out, |w| {
            part.write(w.name("part"));
        });
    }

    /// Closes the open part of a message, if there is one.
    fn close_part(&mut self, out: &mut BytesMut) {
        let Some(part) = self.part().cloned() else {
            return;
        };
        match &part {
            Part::Text { text, logprobs } => {
                self.part_event("response.output_text.done", out, |w| {
                    w.name("text").string(text);
                    w.name("logprobs").array(|w| w.raw(logprobs));
                });
            }
            Part::Refusal(text) => self.part_event("response.refusal.done", out, |w| {
                w.name("refusal").string(text);
            }),
        }
        self.part_event("response.content_part.done", out, |w| {
            part.write(w.name("part"));
        });
        if let Some(open) = &mut self.open {
            open.part = false;
        }
    }

    /// Closes the open item, if there is one.
    fn close(&mut self, status: Status<'_>, out: &mut BytesMut) {
        self.close_part(out);
        let sealed = self.complete(out);
        let Some(open) = self.open.take() else {
            return;
        };
        let index = self.items;
        let word = status.word();
        let start = write_item(&mut self.output, &self.head, &open.item, index, word);
        let item = self.output.get(start..).unwrap_or_default();
        let item = std::str::from_utf8(item).unwrap_or("{}");
        self.sequence.event(out, "response.output_item.done", |w| {
            w.name("output_index").number(index);
            w.name("item").raw(item);
        });
        self.items += 1;
        if let Some(sealed) = sealed {
            self.sealed(&sealed, out);
        }
    }

    /// Writes what comes before the end of the open item; returns what has to come back beside it.
    fn complete(&mut self, out: &mut BytesMut) -> Option<Sealed> {
        if let Item::Call(call) = &self.open.as_ref()?.item
            && call.arguments.trim_ascii().is_empty()
        {
            self.arguments(arguments(""), out);
        }
        let from = self.from;
        let open = self.open.as_mut()?;
        match &mut open.item {
            Item::Message(_) | Item::Image(_) => None,
            Item::Call(call) => {
                let (name, text) = (call.name.clone(), call.arguments.clone());
                let sealed = open.signature.take().map(|signature| Sealed::Call {
                    call: call.id.clone(),
                    signature,
                });
                self.item_event("response.function_call_arguments.done", out, |w| {
                    w.name("name").string(&name);
                    w.name("arguments").string(&text);
                });
                sealed
            }
            Item::Reasoning { summary, encrypted } => {
                let signature = open.signature.take();
                encrypted.get_or_insert_with(|| Sealed::Thinking(signature).write(from));
                let text = summary.clone()?;
                self.summary_event("response.reasoning_summary_text.done", out, |w| {
                    w.name("text").string(&text);
                });
                self.summary_event("response.reasoning_summary_part.done", out, |w| {
                    summary_text(w.name("part"), &text);
                });
                None
            }
        }
    }

    /// Counts what is held; ends the stream where that becomes too much.
    fn hold(&mut self, bytes: usize, out: &mut BytesMut) -> bool {
        if self.over {
            return false;
        }
        self.held = self.held.saturating_add(bytes).saturating_add(PIECE);
        let fits = self.held <= MAX_OUTPUT;
        if !fits {
            self.fail(&TOO_LONG, out);
        }
        fits
    }

    fn is_message(&self) -> bool {
        matches!(&self.open, Some(open) if matches!(open.item, Item::Message(_)))
    }

    fn is_reasoning(&self) -> bool {
        matches!(&self.open, Some(open) if matches!(open.item, Item::Reasoning { .. }))
    }

    /// The open part of a message.
    fn part(&mut self) -> Option<&mut Part> {
        let open = self.open.as_mut().filter(|open| open.part)?;
        match &mut open.item {
            Item::Message(parts) => parts.last_mut(),
            _ => None,
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut Item)) {
        if let Some(open) = &mut self.open {
            change(&mut open.item);
        }
    }

    /// Writes an event of the open item.
    fn item_event(&mut self, name: &str, out: &mut BytesMut, members: impl FnOnce(&mut Json<'_>)) {
        let Some(open) = &self.open else {
            return;
        };
        let (id, index) = (&open.id, self.items);
        self.sequence.event(out, name, |w| {
            w.name("item_id").string(id);
            w.name("output_index").number(index);
            members(w);
        });
    }

    /// Writes an event of the last part of the open message.
    fn part_event(&mut self, name: &str, out: &mut BytesMut, members: impl FnOnce(&mut Json<'_>)) {
        let parts = match &self.open {
            Some(Open {
                item: Item::Message(parts),
                ..
            }) => parts.len() as u64,
            _ => return,
        };
        self.item_event(name, out, |w| {
            w.name("content_index").number(parts.saturating_sub(1));
            members(w);
        });
    }

    fn summary_event(
        &mut self,
        name: &str,
        out: &mut BytesMut,
        members: impl FnOnce(&mut Json<'_>),
    ) {
        self.item_event(name, out, |w| {
            w.name("summary_index").number(0);
            members(w);
        });
    }
}
