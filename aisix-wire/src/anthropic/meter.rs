//! What passes in a stream.

use super::usage::Counts;
use crate::error::{error_member, refusal};
use crate::openai::Mark;
use crate::{Envelope, Kind, Member, Usage};

/// Looks on while a stream of events passes, and keeps count.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    counts: Counts,
    finished: bool,
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
    /// The `type` in the data decides; the event's name only where the data has none. Events of unknown
    /// types are [`Mark::Preamble`], blocks and deltas of unknown types [`Mark::Content`]. There is never a
    /// [`Mark::UsageOnly`], since the usage stands in events that every reader needs.
    pub fn observe(&mut self, name: Option<&[u8]>, data: &[u8]) -> Mark {
        let Ok(event) = Envelope::scan(data, &[]) else {
            return Mark::Malformed;
        };
        let kind = event
            .member(data, "type")
            .and_then(|kind| kind.as_str(data));
        match kind
            .as_deref()
            .map(str::as_bytes)
            .or(name)
            .unwrap_or_default()
        {
            b"content_block_delta" => self.delta(data, &event),
            b"content_block_start" => self.start(data, &event),
            b"message_start" => {
                if let Some(message) = object(data, &event, "message") {
                    self.count(data, &message);
                }
                Mark::Preamble
            }
            b"message_delta" => {
                self.count(data, &event);
                let reason = object(data, &event, "delta")
                    .is_some_and(|delta| delta.member(data, "stop_reason").is_some_and(is_some));
                self.finished |= reason;
                if reason { Mark::Finish } else { Mark::Preamble }
            }
            b"message_stop" => {
                self.done = true;
                Mark::Done
            }
            b"error" => Mark::Error(match error_member(data, &event) {
                Some(error) => refusal(data, error),
                None => crate::Refusal::default(),
            }),
            _ => match error_member(data, &event) {
                Some(error) => Mark::Error(refusal(data, error)),
                None => Mark::Preamble,
            },
        }
    }

    /// The usage as far as it has been told.
    pub fn usage(&self) -> Option<Usage> {
        self.counts.usage()
    }

    /// Whether the stop reason has passed.
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// Whether `message_stop` has passed.
    pub fn done(&self) -> bool {
        self.done
    }

    /// How many bytes of content have passed, escapes as they came; for estimates when usage never comes.
    pub fn text_bytes(&self) -> u64 {
        self.text_bytes
    }

    fn count(&mut self, data: &[u8], holder: &Envelope) {
        if let Some(usage) = holder.member(data, "usage") {
            self.counts.replace(usage.raw(data));
        }
    }

    /// A block that starts empty is nothing yet; a tool call or a block that comes whole is something.
    fn start(&mut self, data: &[u8], event: &Envelope) -> Mark {
        let Some(block) = object(data, event, "content_block") else {
            return Mark::Preamble;
        };
        let kind = block
            .member(data, "type")
            .and_then(|kind| kind.as_str(data));
        let opening = matches!(kind.as_deref(), None | Some("text" | "thinking"));
        let mut content = !opening;
        for member in block.members() {
            let written = ["text", "thinking", "name", "data"]
                .iter()
                .any(|name| member.is_named(data, name));
            content |= written && self.text(member);
        }
        if content {
            Mark::Content
        } else {
            Mark::Preamble
        }
    }

    fn delta(&mut self, data: &[u8], event: &Envelope) -> Mark {
        let Some(delta) = object(data, event, "delta") else {
            return Mark::Preamble;
        };
        let mut content = false;
        for member in delta.members() {
            if member.is_named(data, "type") {
                continue;
            }
            content |= match member.kind {
                Kind::String if member.is_named(data, "signature") => member.value.len() > 2,
                Kind::String => self.text(member),
                Kind::Null => false,
                _ => true,
            };
        }
        if content {
            Mark::Content
        } else {
            Mark::Preamble
        }
    }

    /// Counts a text; says whether there is something in it.
    fn text(&mut self, member: &Member) -> bool {
        if member.kind != Kind::String {
            return false;
        }
        let len = member.value.len().saturating_sub(2);
        self.text_bytes = self.text_bytes.saturating_add(len as u64);
        len > 0
    }
}

fn is_some(member: &Member) -> bool {
    !member.is_null()
}

fn object(data: &[u8], holder: &Envelope, name: &str) -> Option<Envelope> {
    let member = holder
        .member(data, name)
        .filter(|member| member.kind == Kind::Object)?;
    Envelope::scan_at(data, member.value.clone()).ok()
}
