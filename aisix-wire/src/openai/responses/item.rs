//! The items of `output`.

use std::collections::HashSet;

use crate::chat::{ToolCall, call_id};
use crate::json::Writer;

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// What the model says.
    Message(Vec<Part>),
    /// What it thinks.
    Reasoning {
        /// Its words; `None` where they are not told.
        summary: Option<String>,
        /// What has to come back with the next request.
        encrypted: Option<String>,
    },
    /// What it calls.
    Call(ToolCall),
    /// What it draws, in base64; empty while it is not there yet.
    Image(String),
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text {
        text: String,
        /// How likely the tokens were: elements of an array, with commas between them.
        logprobs: String,
    },
    Refusal(String),
}

/// Sees to it that the ids of a response's calls are its own: readers tell calls apart by them.
#[derive(Debug, Default)]
pub(super) struct CallIds(HashSet<String>);

// === impl Item ===

impl Item {
    /// What the id of such an item begins with.
    pub(super) fn prefix(&self) -> &'static str {
        match self {
            Item::Message(_) => "msg",
            Item::Reasoning { .. } => "rs",
            Item::Call(_) => "fc",
            Item::Image(_) => "ig",
        }
    }

    /// Writes it.
    pub(super) fn write(&self, w: &mut Writer<'_>, id: &str, status: &str) {
        w.object(|w| {
            w.name("type").string(match self {
                Item::Message(_) => "message",
                Item::Reasoning { .. } => "reasoning",
                Item::Call(_) => "function_call",
                Item::Image(_) => "image_generation_call",
            });
            w.name("id").string(id);
            w.name("status").string(status);
            match self {
                Item::Message(parts) => {
                    w.name("role").string("assistant");
                    w.name("content")
                        .array(|w| parts.iter().for_each(|part| part.write(w)));
                }
                Item::Reasoning { summary, encrypted } => {
                    w.name("summary").array(|w| {
                        if let Some(text) = summary {
                            summary_text(w, text);
                        }
                    });
                    w.name("encrypted_content");
                    match encrypted {
                        Some(text) => w.string(text),
                        None => w.null(),
                    }
                }
                Item::Call(call) => {
                    w.name("call_id").string(&call.id);
                    w.name("name").string(&call.name);
                    w.name("arguments").string(&call.arguments);
                }
                Item::Image(data) => {
                    w.name("result");
                    match data.as_str() {
                        "" => w.null(),
                        data => w.string(data),
                    }
                }
            }
        });
    }
}

/// Writes the part of a summary.
pub(super) fn summary_text(w: &mut Writer<'_>, text: &str) {
    w.object(|w| {
        w.name("type").string("summary_text");
        w.name("text").string(text);
    });
}

// === impl Part ===

impl Part {
    /// A part that is empty yet.
    pub(super) fn new(refusal: bool) -> Self {
        match refusal {
            true => Part::Refusal(String::new()),
            false => Part::Text {
                text: String::new(),
                logprobs: String::new(),
            },
        }
    }

    /// Whether it is a refusal.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Part::Refusal(_))
    }

    /// The words.
    pub(super) fn words(&mut self) -> &mut String {
        match self {
            Part::Text { text, .. } | Part::Refusal(text) => text,
        }
    }

    /// Writes it.
    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.object(|w| match self {
            Part::Text { text, logprobs } => {
                w.name("type").string("output_text");
                w.name("text").string(text);
                w.name("annotations").array(|_| {});
                w.name("logprobs").array(|w| w.raw(logprobs));
            }
            Part::Refusal(text) => {
                w.name("type").string("refusal");
                w.name("refusal").string(text);
            }
        });
    }
}

// === impl CallIds ===

impl CallIds {
    /// The id of a call: the given one, unless it is empty or was given before.
    pub(super) fn own(&mut self, id: &str, base: &str) -> String {
        let mut own = match id {
            "" => call_id(base, self.0.len()),
            id => id.to_owned(),
        };
        let mut number = self.0.len();
        while self.0.contains(&own) {
            own = format!("{id}_{number}");
            number += 1;
        }
        self.0.insert(own.clone());
        own
    }
}
