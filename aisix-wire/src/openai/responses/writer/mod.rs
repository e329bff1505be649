//! Streams to the caller.

mod open;

use bytes::BytesMut;

use self::open::Open;
use super::failure::{error_event, failed};
use super::head::{Head, Status};
use super::item::{CallIds, Item, Part, summary_text};
use super::sealed::Sealed;
use super::sequence::Sequence;
use super::write::{arguments, logprobs};
use crate::chat::{
    Block, BlockKind, Content, Delta, Event, EventWriter, Finish, Source, ToolCall, WriteContext,
};
use crate::error::ErrorBody;
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

// === impl Writer ===

impl Writer {
    /// A writer for a call.
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
            // A message has a part for each text, and goes on where nothing was thought.
            BlockKind::Text | BlockKind::Refusal | BlockKind::Thinking => match self.is_message() {
                true => self.close_part(out),
                false => self.close(Status::Completed, out),
            },
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
                self.arguments(arguments(&call.arguments), out);
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
}
