//! What passes in a stream.

use bytes::{Bytes, BytesMut};

use super::failure::error_event;
use super::sequence::Sequence;
use super::usage;
use crate::error::{ErrorBody, error_member, read_error, refusal};
use crate::json::Object;
use crate::openai::Mark;
use crate::{Kind, Refusal, Usage};

/// Looks on while a stream of events passes, and keeps count.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    sequence: Sequence,
    usage: Option<Usage>,
    done: bool,
    text_bytes: u64,
}

// === impl Meter ===

impl Meter {
    /// Nothing has passed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one event into account and says what it is.
    ///
    /// The `type` in the data decides; the event's name only where the data has none. The last event,
    /// `response.completed` or `response.incomplete`, is [`Mark::Done`]; `response.failed` and `error` are
    /// [`Mark::Error`]. A message or reasoning that begins is nothing yet, any other item is content. Events of
    /// unknown types are [`Mark::Preamble`], unless they are deltas. There is never a [`Mark::Finish`] nor a
    /// [`Mark::UsageOnly`], since the last event tells both.
    pub fn observe(&mut self, name: Option<&[u8]>, data: &[u8]) -> Mark {
        let Ok(event) = Object::scan(data) else {
            return Mark::Malformed;
        };
        if let Some(number) = event.try_count("sequence_number") {
            self.sequence.next = self.sequence.next.max(number.saturating_add(1));
        }
        let kind = event.try_text("type");
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        match kind.as_deref().or(name).unwrap_or_default() {
            "response.completed" | "response.incomplete" => {
                self.count(&event);
                self.done = true;
                Mark::Done
            }
            "response.failed" => {
                self.count(&event);
                Mark::Error(failure(&event))
            }
            "error" => Mark::Error(error(data, &event)),
            "response.output_item.added" => self.item(&event, &["message", "reasoning"]),
            // What had no deltas comes whole, like an image.
            "response.output_item.done" => self.whole(&event),
            kind if kind.ends_with(".delta") => self.delta(&event),
            _ if error_member(data, event.envelope()).is_some() => Mark::Error(error(data, &event)),
            _ => Mark::Preamble,
        }
    }

    /// The usage, once the last event has told it.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Whether the answer has come to its end; the same as [`done`](Self::done).
    pub fn finished(&self) -> bool {
        self.done
    }

    /// Whether the last event has passed.
    pub fn done(&self) -> bool {
        self.done
    }

    /// How many bytes of content have passed, escapes as they came; for estimates when usage never comes.
    pub fn text_bytes(&self) -> u64 {
        self.text_bytes
    }

    /// Writes the event that ends a stream which broke, with the number that follows the last one.
    pub fn fail(&self, error: &ErrorBody<'_>) -> Bytes {
        let mut sequence = self.sequence;
        let mut out = BytesMut::new();
        error_event(&mut sequence, error, &mut out);
        out.freeze()
    }

    fn count(&mut self, event: &Object<'_>) {
        let response = event.try_object("response");
        let usage = response.and_then(|response| response.try_object("usage"));
        self.usage = usage.as_ref().and_then(usage::read).or(self.usage);
    }

    /// An item that begins; those of the types in `empty` hold nothing yet.
    fn item(&mut self, event: &Object<'_>, empty: &[&str]) -> Mark {
        let Some(item) = event.try_object("item") else {
            return Mark::Preamble;
        };
        let kind = item.try_text("type");
        if kind.is_none_or(|kind| empty.contains(&&*kind)) {
            return Mark::Preamble;
        }
        if let Some(name) = item.get("name").filter(|name| name.kind() == Kind::String) {
            self.text(name.size());
        }
        Mark::Content
    }

    fn whole(&self, event: &Object<'_>) -> Mark {
        let item = event.try_object("item");
        let kind = item.and_then(|item| item.try_string("type"));
        match kind.as_deref() {
            None | Some("reasoning") => Mark::Preamble,
            Some(_) => Mark::Content,
        }
    }

    fn delta(&mut self, event: &Object<'_>) -> Mark {
        let Some(delta) = event.get("delta") else {
            return Mark::Preamble;
        };
        let content = match delta.kind() {
            Kind::String => self.text(delta.size()),
            _ => true,
        };
        if content {
            Mark::Content
        } else {
            Mark::Preamble
        }
    }

    /// Counts a text of so many bytes, quotes included; says whether there is something in it.
    fn text(&mut self, size: usize) -> bool {
        let len = size.saturating_sub(2);
        self.text_bytes = self.text_bytes.saturating_add(len as u64);
        len > 0
    }
}

/// Why a response failed.
fn failure(event: &Object<'_>) -> Refusal {
    let response = event.try_object("response");
    let error = response.and_then(|response| {
        let error = error_member(response.bytes(), response.envelope())?;
        Some(refusal(response.bytes(), error))
    });
    error.unwrap_or_default()
}

/// Reads an `error` event, which is flat or has an `error` member.
fn error(data: &[u8], event: &Object<'_>) -> Refusal {
    match error_member(data, event.envelope()) {
        Some(error) => refusal(data, error),
        None => Refusal {
            // It is the type of the event.
            kind: None,
            ..read_error(data).unwrap_or_default()
        },
    }
}
