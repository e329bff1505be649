//! Reading a stream of a provider.

mod open;

use self::open::{Open, OpenKind, with_input};
use super::errors::with_code;
use super::read;
use super::usage::Counts;
use crate::chat::{
    Block, BlockKind, Content, Delta, Event, EventReader, Finish, FinishReason, Opaque, Raw, Start,
    StreamError, call_id,
};
use crate::error::{Refusal, error_member, refusal};
use crate::json::Object;
use crate::{Dialect, Kind, Usage};

/// How many bytes of a block are held back until it is whole.
const MAX_HELD: usize = 4 << 20;

/// Reads one stream.
///
/// Lenient where the order of events leaves no doubt: a block that is not closed is closed by what follows,
/// a delta of text or thinking without a block of its kind opens one, an empty second `message_start` and
/// whatever comes after `message_stop` are passed over. A stream whose blocks interleave is broken.
#[derive(Debug, Default)]
pub(super) struct Reader {
    counts: Counts,
    told: Option<Usage>,
    started: bool,
    id: Option<String>,
    blocks: u32,
    calls: usize,
    open: Option<Open>,
    finish: Option<Finish>,
    ended: bool,
    failed: bool,
}

// === impl EventReader for Reader ===

impl EventReader for Reader {
    fn read(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError> {
        if self.failed {
            return Err(StreamError::Malformed);
        }
        if self.ended {
            return Ok(());
        }
        let result = self.event(name, data, out);
        self.failed = result.is_err();
        result
    }

    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), StreamError> {
        if self.ended {
            return Ok(());
        }
        // Some servers leave the last event out.
        let complete = self
            .finish
            .as_ref()
            .is_some_and(|finish| finish.raw.is_some());
        if self.failed || !complete {
            self.failed = true;
            return Err(StreamError::Cut);
        }
        self.stop(out)
    }
}

// === impl Reader ===

impl Reader {
    fn event(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError> {
        if data.trim_ascii().is_empty() {
            return Ok(());
        }
        let event = Object::scan(data).map_err(|_| StreamError::Malformed)?;
        let kind = event.try_text("type");
        match kind.as_deref().map(str::as_bytes).or(name) {
            Some(b"content_block_delta") => self.delta(&event, out),
            Some(b"content_block_start") => self.block_start(&event, out),
            Some(b"content_block_stop") => self.block_stop(&event, out),
            Some(b"message_start") => self.message_start(&event, out),
            Some(b"message_delta") => self.message_delta(&event, out),
            Some(b"message_stop") => {
                self.start(None, out);
                self.stop(out)
            }
            kind => match error_member(data, event.envelope()) {
                Some(error) => Err(StreamError::InBand(with_code(refusal(data, error)))),
                None if kind == Some(b"error") => Err(StreamError::InBand(Refusal::default())),
                None => Ok(()),
            },
        }
    }

    fn message_start(
        &mut self,
        event: &Object<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError> {
        if self.started {
            let empty = self.blocks == 0 && self.finish.is_none();
            return empty.then_some(()).ok_or(StreamError::Malformed);
        }
        let message = event.try_object("message");
        self.start(message.as_ref(), out);
        if let Some(message) = message {
            self.count(&message, out);
            // Some servers send what there is already.
            for block in message.try_items("content") {
                let Some(block) = block.as_object() else {
                    continue;
                };
                self.open(&block, None, out)?;
                self.close(out)?;
            }
        }
        Ok(())
    }

    fn message_delta(
        &mut self,
        event: &Object<'_>,
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError> {
        self.start(None, out);
        self.close(out)?;
        self.count(event, out);
        if let Some(delta) = event.try_object("delta")
            && (delta.has("stop_reason") || self.finish.is_none())
        {
            self.finish = Some(read::finish(&delta));
        }
        Ok(())
    }

    fn block_start(&mut self, event: &Object<'_>, out: &mut Vec<Event>) -> Result<(), StreamError> {
        let block = event.try_object("content_block");
        let block = block.ok_or(StreamError::Malformed)?;
        self.start(None, out);
        self.close(out)?;
        self.open(&block, event.try_count("index"), out)
    }

    fn block_stop(&mut self, event: &Object<'_>, out: &mut Vec<Event>) -> Result<(), StreamError> {
        let index = event.try_count("index");
        match &self.open {
            Some(open) if open.is(index) => self.close(out),
            // It was closed by what came after it.
            _ => Ok(()),
        }
    }

    fn delta(&mut self, event: &Object<'_>, out: &mut Vec<Event>) -> Result<(), StreamError> {
        let delta = event.try_object("delta").ok_or(StreamError::Malformed)?;
        let index = event.try_count("index");
        self.start(None, out);
        if self.open.as_ref().is_some_and(|open| !open.is(index)) {
            return Err(StreamError::Malformed);
        }
        let text = |name| delta.try_string(name).unwrap_or_default();
        match delta.try_text("type").as_deref() {
            Some("text_delta") => {
                self.ensure(index, true, out)?;
                push(out, Delta::Text(text("text")));
            }
            Some("thinking_delta") => {
                self.ensure(index, false, out)?;
                push(out, Delta::Thinking(text("thinking")));
            }
            Some("signature_delta") => {
                self.ensure(index, false, out)?;
                push(out, Delta::Signature(text("signature")));
            }
            Some("citations_delta") => {
                let citation = delta.get("citation").ok_or(StreamError::Malformed)?;
                self.ensure(index, true, out)?;
                let list = format!("[{}]", citation.raw());
                if let Some(raw) = Raw::parse(&list) {
                    push(out, Delta::Citations(own(raw)));
                }
            }
            Some("input_json_delta") => self.input(text("partial_json"), out)?,
            // Of a kind that is not known here.
            _ => {}
        }
        Ok(())
    }

    fn input(&mut self, piece: String, out: &mut Vec<Event>) -> Result<(), StreamError> {
        match self.open.as_mut().map(|open| &mut open.kind) {
            Some(OpenKind::Call(given)) => {
                if !piece.is_empty() {
                    *given = None;
                    push(out, Delta::Arguments(piece));
                }
                Ok(())
            }
            Some(OpenKind::Held(_, input)) => {
                if input.len() + piece.len() > MAX_HELD {
                    return Err(StreamError::TooMuch);
                }
                input.push_str(&piece);
                Ok(())
            }
            _ if piece.is_empty() => Ok(()),
            _ => Err(StreamError::Malformed),
        }
    }

    /// Opens a block for a delta that has none of its kind.
    fn ensure(
        &mut self,
        index: Option<u64>,
        text: bool,
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError> {
        match self.open.as_ref().map(|open| &open.kind) {
            Some(OpenKind::Text) if text => return Ok(()),
            Some(OpenKind::Thinking) if !text => return Ok(()),
            Some(OpenKind::Call(_) | OpenKind::Held(..) | OpenKind::Whole) => {
                return Err(StreamError::Malformed);
            }
            _ => {}
        }
        self.close(out)?;
        let (kind, open) = match text {
            true => (BlockKind::Text, OpenKind::Text),
            false => (BlockKind::Thinking, OpenKind::Thinking),
        };
        self.begin(kind, open, index, out);
        Ok(())
    }

    fn open(
        &mut self,
        block: &Object<'_>,
        wire: Option<u64>,
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError> {
        let text = |name| block.try_string(name).unwrap_or_default();
        match block.try_text("type").as_deref() {
            Some("text") => {
                self.begin(BlockKind::Text, OpenKind::Text, wire, out);
                push(out, Delta::Text(text("text")));
                if let Some(citations) = block.get("citations")
                    && citations
                        .items()
                        .is_some_and(|mut items| items.next().is_some())
                {
                    push(out, Delta::Citations(own(citations.raw())));
                }
            }
            Some("thinking") => {
                self.begin(BlockKind::Thinking, OpenKind::Thinking, wire, out);
                push(out, Delta::Thinking(text("thinking")));
                push(out, Delta::Signature(text("signature")));
            }
            Some("redacted_thinking") => {
                let block = Block::new(Content::RedactedThinking(text("data")));
                self.begin(
                    BlockKind::Whole(Box::new(block)),
                    OpenKind::Whole,
                    wire,
                    out,
                );
            }
            Some("tool_use") => {
                let id = Some(text("id")).filter(|id| !id.is_empty());
                let minted = || call_id(self.id.as_deref().unwrap_or_default(), self.calls);
                let kind = BlockKind::ToolCall {
                    id: id.unwrap_or_else(minted),
                    name: text("name"),
                };
                self.calls += 1;
                // Whole calls may come with their start; the empty object stands for what follows.
                let given = block
                    .get("input")
                    .filter(|input| input.kind() == Kind::Object);
                let given = given.map(|input| input.raw());
                let given = given.filter(|input| {
                    let envelope = input.envelope();
                    envelope.is_some_and(|envelope| !envelope.members().is_empty())
                });
                let given = given.map(|input| input.as_str().to_owned());
                self.begin(kind, OpenKind::Call(given), wire, out);
            }
            Some(_) => {
                let kind = OpenKind::Held(block.raw(), String::new());
                self.open = Some(Open { wire, kind });
            }
            None => return Err(StreamError::Malformed),
        }
        Ok(())
    }

    fn begin(&mut self, kind: BlockKind, open: OpenKind, wire: Option<u64>, out: &mut Vec<Event>) {
        out.push(Event::BlockStart {
            choice: 0,
            index: self.blocks,
            kind,
        });
        self.blocks = self.blocks.saturating_add(1);
        self.open = Some(Open { wire, kind: open });
    }

    /// Closes the open block, if there is one.
    fn close(&mut self, out: &mut Vec<Event>) -> Result<(), StreamError> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        match open.kind {
            OpenKind::Call(Some(given)) => push(out, Delta::Arguments(given)),
            OpenKind::Held(started, input) => {
                let raw = with_input(&started, &input).ok_or(StreamError::Malformed)?;
                let block = Block::new(Content::Opaque(own(raw)));
                self.begin(
                    BlockKind::Whole(Box::new(block)),
                    OpenKind::Whole,
                    None,
                    out,
                );
                self.open = None;
            }
            _ => {}
        }
        out.push(Event::BlockEnd { choice: 0 });
        Ok(())
    }

    fn start(&mut self, message: Option<&Object<'_>>, out: &mut Vec<Event>) {
        if self.started {
            return;
        }
        self.started = true;
        let text = |name| message.and_then(|message| message.try_string(name));
        self.id = text("id");
        out.push(Event::Start(Start {
            dialect: Dialect::Anthropic,
            id: self.id.clone(),
            model: text("model"),
            created: None,
        }));
    }

    fn count(&mut self, holder: &Object<'_>, out: &mut Vec<Event>) {
        let Some(usage) = holder.get("usage") else {
            return;
        };
        self.counts.replace(usage.raw().as_bytes());
        let usage = self.counts.usage();
        if usage != self.told {
            self.told = usage;
            out.extend(usage.map(Event::Usage));
        }
    }

    fn stop(&mut self, out: &mut Vec<Event>) -> Result<(), StreamError> {
        self.close(out)?;
        let finish = self.finish.take();
        let finish = finish.unwrap_or_else(|| Finish::new(FinishReason::Other, None));
        out.push(Event::Finish {
            choice: 0,
            finish: finish.with_calls(self.calls > 0),
        });
        out.push(Event::End);
        self.ended = true;
        Ok(())
    }
}

/// Adds a delta, unless it is empty.
fn push(out: &mut Vec<Event>, delta: Delta) {
    let empty = match &delta {
        Delta::Text(text)
        | Delta::Thinking(text)
        | Delta::Arguments(text)
        | Delta::Refusal(text)
        | Delta::Signature(text) => text.is_empty(),
        Delta::Citations(_) | Delta::Logprobs(_) => false,
    };
    if !empty {
        out.push(Event::Delta { choice: 0, delta });
    }
}

fn own(raw: Raw) -> Opaque {
    Opaque {
        dialect: Dialect::Anthropic,
        raw,
    }
}
