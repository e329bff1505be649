//! What passes in a stream.

use smallvec::SmallVec;

use crate::error::{error_member, refusal};
use crate::{Envelope, Kind, Member, Refusal, Span, Usage, elements, openai};

/// Looks on while a stream of chunks passes, and keeps count.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    usage: Option<Usage>,
    finished: bool,
    done: bool,
    text_bytes: u64,
}

/// What one event of a stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mark {
    /// Nothing for the reader yet: a role, an empty delta.
    Preamble,
    /// Something for the reader: text, reasoning, a refusal, a tool call, audio.
    Content,
    /// A choice has ended, and there is no content beside that.
    Finish,
    /// Usage, and no choices.
    UsageOnly,
    /// An error instead of a chunk.
    Error(Refusal),
    /// The end of the stream: `[DONE]`.
    Done,
    /// Not a JSON object.
    Malformed,
}

// === impl Meter ===

impl Meter {
    /// Nothing has passed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the data of one event into account and says what it is.
    ///
    /// A chunk with content and a finish reason is [`Mark::Content`]; [`finished`](Self::finished) tells.
    pub fn observe(&mut self, data: &[u8]) -> Mark {
        if data.trim_ascii() == b"[DONE]" {
            self.done = true;
            return Mark::Done;
        }
        let Ok(chunk) = Envelope::scan(data, &[]) else {
            return Mark::Malformed;
        };
        if let Some(error) = error_member(data, &chunk) {
            return Mark::Error(refusal(data, error));
        }
        let usage = chunk
            .member(data, "usage")
            .filter(|usage| usage.kind == Kind::Object)
            .and_then(|usage| openai::usage(usage.raw(data)));
        // Some servers count along on every chunk: the latest holds.
        self.usage = usage.or(self.usage);

        let choices = chunk
            .member(data, "choices")
            .filter(|c| c.kind == Kind::Array && c.len > 0);
        let Some(choices) = choices else {
            return if usage.is_some() {
                Mark::UsageOnly
            } else {
                Mark::Preamble
            };
        };
        let before = self.text_bytes;
        let (mut content, mut finish) = (false, false);
        for (choice, _) in elements(data, choices.value.clone()) {
            let Ok(choice) = Envelope::scan_at(data, choice) else {
                continue;
            };
            content |= self.choice(data, &choice);
            finish |= choice
                .member(data, "finish_reason")
                .is_some_and(|reason| !reason.is_null());
        }
        self.finished |= finish;
        if content || self.text_bytes > before {
            Mark::Content
        } else if finish {
            Mark::Finish
        } else {
            Mark::Preamble
        }
    }

    /// The latest usage that passed.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// Whether a choice has given its finish reason.
    pub fn finished(&self) -> bool {
        self.finished
    }

    /// Whether `[DONE]` has passed.
    pub fn done(&self) -> bool {
        self.done
    }

    /// How many bytes of content have passed, escapes as they came; for estimates when usage never comes.
    pub fn text_bytes(&self) -> u64 {
        self.text_bytes
    }

    /// Counts a choice; says whether it holds content.
    fn choice(&mut self, data: &[u8], choice: &Envelope) -> bool {
        let mut content = false;
        if let Some(text) = choice.member(data, "text") {
            content |= self.value(data, text);
        }
        let delta = choice
            .member(data, "delta")
            .filter(|delta| delta.kind == Kind::Object);
        let delta = delta.and_then(|delta| Envelope::scan_at(data, delta.value.clone()).ok());
        for member in delta.iter().flat_map(Envelope::members) {
            content |= is_content(data, member) && self.value(data, member);
        }
        content
    }

    /// Counts a member of a delta; says whether there is something in it.
    fn value(&mut self, data: &[u8], member: &Member) -> bool {
        match member.kind {
            Kind::String => self.string(&member.value),
            Kind::Object | Kind::Array if member.len > 0 => {
                self.nested(data, member);
                true
            }
            _ => false,
        }
    }

    /// Counts the strings of a tool call, of audio or of content parts: of ever deeper values, those that
    /// are content, at most [`NESTING`] deep.
    fn nested(&mut self, data: &[u8], member: &Member) {
        let mut open: SmallVec<[(Span, Kind, u8); 8]> = SmallVec::new();
        open.push((member.value.clone(), member.kind, 0));
        while let Some((span, kind, depth)) = open.pop() {
            match kind {
                Kind::Array if depth < NESTING => {
                    open.extend(elements(data, span).map(|(span, kind)| (span, kind, depth + 1)));
                }
                Kind::Object if depth < NESTING => {
                    let Ok(object) = Envelope::scan_at(data, span) else {
                        continue;
                    };
                    for member in object.members() {
                        let counted = COUNTED.iter().any(|name| member.is_named(data, name));
                        if counted || matches!(member.kind, Kind::Object | Kind::Array) {
                            open.push((member.value.clone(), member.kind, depth + 1));
                        }
                    }
                }
                Kind::String => {
                    self.string(&span);
                }
                _ => {}
            }
        }
    }

    fn string(&mut self, value: &Span) -> bool {
        let len = value.len().saturating_sub(2);
        self.text_bytes = self.text_bytes.saturating_add(len as u64);
        len > 0
    }
}

const NESTING: u8 = 4;

/// The members of nested content that a model wrote.
const COUNTED: &[&str] = &["name", "arguments", "input", "text", "transcript"];

/// Whether a member of a delta is for the reader.
fn is_content(data: &[u8], member: &Member) -> bool {
    const CONTENT: &[&str] = &[
        "content",
        "tool_calls",
        "reasoning_content",
        "reasoning",
        "refusal",
        "function_call",
        "audio",
    ];
    CONTENT.iter().any(|name| member.is_named(data, name))
}
