//! The thread of an answer, which another stream can take up where one has broken off.

use std::sync::Arc;

use aisix_wire::{
    Dialect, Envelope, Form, Usage,
    chat::{
        BlockKind, Delta, Event, EventReader, EventWriter, UpstreamCodec, caller_codec,
        upstream_codec,
    },
    elements, sse,
};
use bytes::{Bytes, BytesMut};

use super::overlap::Overlap;
use crate::{
    call::{Call, Payload},
    error::{Error, ErrorKind},
    models::Member,
    upstream::{wants_usage, write_context},
};

/// The longest text that is given to another target, in bytes.
const MAX_TEXT: usize = 256 * 1024;
/// The largest event, in bytes.
const MAX_EVENT: usize = 16 * 1024 * 1024;
/// What marks the seam.
const CONTINUED: &[u8] = b": continued\n\n";

/// Follows the events of an answer, and writes those of a second stream as if they were of the first.
///
/// The first stream passes as the bytes that it is. A writer is shown what it says, so that it can go on in the middle:
/// what it writes has the id, the model and the indices of the first stream.
pub(super) struct Thread {
    call: Arc<Call>,
    codec: &'static dyn UpstreamCodec,
    decoder: sse::Decoder,
    reader: Box<dyn EventReader>,
    /// There when the answer has begun.
    writer: Option<Box<dyn EventWriter>>,
    events: Vec<Event>,
    out: BytesMut,
    /// What has been said.
    text: String,
    /// Whether any event has passed.
    has_begun: bool,
    /// Whether there was nothing but text, and no end.
    is_plain: bool,
    /// Whether a block is open.
    is_open: bool,
    seam: Option<Seam>,
}

/// Where another stream has taken up the thread.
struct Seam {
    /// Who goes on.
    name: Arc<str>,
    /// What was used before.
    before: Usage,
    /// Whether the text goes on in the block that is open.
    goes_on: bool,
    /// What of the text was said already, until that is known.
    overlap: Option<Overlap>,
    is_marked: bool,
}

// === impl Thread ===

impl Thread {
    /// Follows the answer to a call; `None` where it cannot be taken up.
    pub(super) fn of(call: &Arc<Call>) -> Option<Self> {
        if !can_be_taken_up(call) {
            return None;
        }
        let codec = upstream_codec(call.inbound.operation.dialect)?;
        Some(Self {
            call: call.clone(),
            codec,
            decoder: sse::Decoder::new(MAX_EVENT),
            reader: codec.reader(),
            writer: None,
            events: Vec::new(),
            out: BytesMut::new(),
            text: String::new(),
            has_begun: false,
            is_plain: true,
            is_open: false,
            seam: None,
        })
    }

    /// Whether anything has been said, if only that the answer begins.
    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// What has been said, if it can be taken up: text, the end of which is open.
    pub(super) fn text(&self) -> Option<Arc<str>> {
        let text = self.text.trim_end();
        let may = self.is_plain && self.writer.is_some() && !text.is_empty();
        may.then(|| text.into())
    }

    /// The next stream goes on with it.
    pub(super) fn take_up(&mut self, name: Arc<str>, before: Usage) {
        self.decoder = sse::Decoder::new(MAX_EVENT);
        self.reader = self.codec.reader();
        self.seam = Some(Seam {
            name,
            before,
            goes_on: self.is_open,
            overlap: Some(Overlap::new(&self.text)),
            is_marked: false,
        });
    }

    /// What goes out of the bytes of whole events.
    ///
    /// # Errors
    ///
    /// When a second stream cannot be read.
    pub(super) fn pass(&mut self, bytes: Bytes) -> Result<Bytes, Error> {
        // What cannot be taken up is not looked at any more.
        if self.seam.is_none() && !self.is_plain {
            return Ok(bytes);
        }
        self.decoder.push(bytes.clone());
        while let Some(event) = self.decoder.next().map_err(unreadable)? {
            let Some(data) = event.data() else {
                self.out.extend_from_slice(&event.raw);
                continue;
            };
            self.has_begun = true;
            let read = self.reader.read(event.name(), &data, &mut self.events);
            if let Err(error) = read {
                self.is_plain = false;
                if self.seam.is_some() {
                    return Err(unreadable(error));
                }
            }
            for event in std::mem::take(&mut self.events) {
                self.event(event);
            }
        }
        let written = self.out.split().freeze();
        Ok(match self.seam {
            Some(_) => written,
            None => bytes,
        })
    }

    fn event(&mut self, event: Event) {
        let Some(seam) = &mut self.seam else {
            return self.write(&event);
        };
        let settled = match event {
            Event::Start(_) => return,
            Event::Usage(usage) => return self.writer_usage(usage),
            Event::BlockStart {
                choice: 0,
                kind: BlockKind::Text,
                ..
            } => match std::mem::take(&mut seam.goes_on) {
                true => return,
                false => return self.write(&event),
            },
            Event::Opaque(_) => return self.write(&event),
            Event::Delta {
                choice: 0,
                delta: Delta::Text(text),
            } => match &mut seam.overlap {
                None => return self.say(text),
                Some(overlap) => match overlap.push(&text) {
                    None => return,
                    Some(rest) => {
                        seam.overlap = None;
                        return self.say(rest);
                    }
                },
            },
            event => {
                seam.goes_on = false;
                // Before its first text, it may think.
                let begun = seam.overlap.take_if(|it| it.has_begun());
                (begun.map(Overlap::settle), event)
            }
        };
        let (held, event) = settled;
        self.say(held.unwrap_or_default());
        self.write(&event);
    }

    fn say(&mut self, text: String) {
        if !text.is_empty() {
            let delta = Delta::Text(text);
            self.write(&Event::Delta { choice: 0, delta });
        }
    }

    fn writer_usage(&mut self, usage: Usage) {
        let before = self.seam.as_ref().map_or(Usage::default(), |it| it.before);
        self.write(&Event::Usage(before + usage));
    }

    fn write(&mut self, event: &Event) {
        self.note(event);
        if let Some(writer) = &mut self.writer {
            let before = self.out.len();
            writer.write(event, &mut self.out);
            if let Some(seam) = &mut self.seam
                && self.out.len() > before
                && !std::mem::replace(&mut seam.is_marked, true)
            {
                let said = self.out.split_off(before);
                self.out.extend_from_slice(CONTINUED);
                self.out.unsplit(said);
                let trail = self.call.trail();
                trail.mark("stream_continued", &*seam.name);
            }
        }
    }

    /// Takes note of what is said.
    fn note(&mut self, event: &Event) {
        match event {
            Event::Start(start) => {
                let codec = caller_codec(self.call.inbound.operation.dialect);
                let include_usage = wants_usage(&self.call.inbound.payload);
                let mut context = write_context(&self.call, include_usage);
                context.model = start.model.as_deref().unwrap_or(context.model);
                self.writer = codec.map(|codec| codec.writer(&context));
            }
            Event::BlockStart {
                choice: 0,
                kind: BlockKind::Text,
                ..
            } => {
                // The writer opens a block with the first text in it. The caller has seen more than that of a second one.
                self.is_plain &= self.seam.is_some() || self.text.is_empty();
                self.is_open = true;
            }
            Event::BlockEnd { choice: 0 } => self.is_open = false,
            Event::Delta {
                choice: 0,
                delta: Delta::Text(text),
            } if self.text.len() + text.len() <= MAX_TEXT => self.text.push_str(text),
            Event::Usage(_) | Event::Opaque(_) => {}
            _ => {
                self.is_plain = false;
                self.text = String::new();
            }
        }
    }
}

/// Whether another stream can take up an answer to this call: where there is a way to say how it begins, unless the
/// caller has begun it itself or wants several.
pub(super) fn can_be_taken_up(call: &Call) -> bool {
    let operation = call.inbound.operation;
    let is_known = matches!(operation.dialect, Dialect::OpenAi | Dialect::Anthropic);
    let payload = &call.inbound.payload;
    let answers = operation.answers.iter().find_map(|it| payload.u64_at(it));
    let is_one = answers.unwrap_or(1) == 1;
    operation.form == Form::Chat && is_known && is_one && !ends_with_an_answer(payload)
}

/// Whether a member of a group goes on with an answer that it is given.
pub(super) fn goes_on(member: &Member, call: &Call) -> bool {
    let endpoint = member.target.endpoint().ok();
    endpoint.is_some_and(|it| it.continues(call.inbound.operation))
}

/// Whether the caller has given the beginning of the answer itself.
fn ends_with_an_answer(payload: &Payload) -> bool {
    let bytes = payload.bytes();
    let messages = payload.member("messages").map(|it| it.value.clone());
    let last = messages.and_then(|messages| elements(bytes, messages).last());
    let role = last.and_then(|(span, _)| {
        let message = Envelope::scan_at(bytes, span).ok()?;
        let role = message.member(bytes, "role")?.as_str(bytes)?;
        Some(role == "assistant")
    });
    role.unwrap_or_default()
}

fn unreadable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let message = "the upstream's stream could not be decoded";
    Error::new(ErrorKind::Decode, message).with_source(error)
}
