//! The open item: opening it, closing it, and the events between.

use bytes::BytesMut;

use super::{MAX_OUTPUT, PIECE, TOO_LONG, Writer};
use crate::chat::EventWriter;
use crate::json::Writer as Json;
use crate::openai::responses::head::Status;
use crate::openai::responses::item::{Item, Part, summary_text};
use crate::openai::responses::sealed::Sealed;
use crate::openai::responses::write::{arguments, write_item};

/// The open item.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: String,
    pub(super) item: Item,
    /// Whether its last part is open.
    pub(super) part: bool,
    pub(super) signature: Option<String>,
}

// === impl Writer ===

impl Writer {
    /// Writes an item that only carries what has to come back.
    pub(super) fn sealed(&mut self, sealed: &Sealed, out: &mut BytesMut) {
        let encrypted = sealed.write(self.from);
        let cost = encrypted.len();
        let item = Item::Reasoning {
            summary: None,
            encrypted: Some(encrypted),
        };
        self.open(item, cost, out);
        self.close(Status::Completed, out);
    }

    pub(super) fn open_reasoning(&mut self, out: &mut BytesMut) {
        let item = Item::Reasoning {
            summary: None,
            encrypted: None,
        };
        self.open(item, 0, out);
    }

    /// Opens an item, after the one before is closed.
    pub(super) fn open(&mut self, item: Item, cost: usize, out: &mut BytesMut) {
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

    pub(super) fn open_part(&mut self, refusal: bool, out: &mut BytesMut) {
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
    pub(super) fn close_part(&mut self, out: &mut BytesMut) {
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
    pub(super) fn close(&mut self, status: Status<'_>, out: &mut BytesMut) {
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
    pub(super) fn hold(&mut self, bytes: usize, out: &mut BytesMut) -> bool {
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

    pub(super) fn is_message(&self) -> bool {
        matches!(&self.open, Some(open) if matches!(open.item, Item::Message(_)))
    }

    pub(super) fn is_reasoning(&self) -> bool {
        matches!(&self.open, Some(open) if matches!(open.item, Item::Reasoning { .. }))
    }

    /// The open part of a message.
    pub(super) fn part(&mut self) -> Option<&mut Part> {
        let open = self.open.as_mut().filter(|open| open.part)?;
        match &mut open.item {
            Item::Message(parts) => parts.last_mut(),
            _ => None,
        }
    }

    pub(super) fn change(&mut self, change: impl FnOnce(&mut Item)) {
        if let Some(open) = &mut self.open {
            change(&mut open.item);
        }
    }

    /// Writes an event of the open item.
    pub(super) fn item_event(
        &mut self,
        name: &str,
        out: &mut BytesMut,
        members: impl FnOnce(&mut Json<'_>),
    ) {
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
    pub(super) fn part_event(
        &mut self,
        name: &str,
        out: &mut BytesMut,
        members: impl FnOnce(&mut Json<'_>),
    ) {
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

    pub(super) fn summary_event(
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
