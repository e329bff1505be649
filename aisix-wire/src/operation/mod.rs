//! The table of endpoints.
//!
//! One row and one file for each: where it is, what the gateway reads of it, and what a request must look
//! like before the gateway passes it on. What only the provider needs to know, only the provider checks.

mod chat_completions;
mod completions;
mod count_tokens;
mod embeddings;
mod generate_content;
mod messages;
mod responses;
mod rules;
#[cfg(test)]
mod tests;

pub use self::chat_completions::CHAT_COMPLETIONS;
pub use self::completions::COMPLETIONS;
pub use self::count_tokens::COUNT_TOKENS;
pub use self::embeddings::EMBEDDINGS;
pub use self::generate_content::{GENERATE_CONTENT, STREAM_GENERATE_CONTENT};
pub use self::messages::MESSAGES;
pub use self::responses::RESPONSES;
pub use self::rules::Invalid;
use crate::{Dialect, Envelope, Member};

/// One endpoint.
#[derive(Debug)]
#[non_exhaustive]
pub struct Operation {
    /// Its name in logs, labels and configuration, like `chat.completions`.
    pub name: &'static str,
    /// Its path, like `/v1/chat/completions`; the method is `POST`. `{model}` in it stands for the model's
    /// name; without it, the body's `model` names the model.
    pub path: &'static str,
    /// What kind of work it asks for.
    pub form: Form,
    /// The dialect of the request, the answer and the errors.
    pub dialect: Dialect,
    /// Whether the answer is a stream.
    pub streams: Streaming,
    /// Whether a failed call may be sent again.
    pub may_retry: bool,
    /// The members that hold the prompt.
    pub prompt: &'static [&'static str],
    /// The members that limit the output, the one that counts first. A dot leads into an object.
    pub output_limit: &'static [&'static str],
    /// The members that say how many answers are wanted, in the same way.
    pub answers: &'static [&'static str],
    /// The members that the gateway reads; a request that repeats one is refused.
    pub reads: &'static [&'static str],
    /// What is special about a request to this endpoint.
    rules: fn(&[u8], &Envelope) -> Result<(), Invalid>,
}

/// What kind of work an operation asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Form {
    /// Go on with a conversation.
    Chat,
    /// Go on with a text.
    Complete,
    /// Turn texts into vectors.
    Embed,
    /// Tell how many tokens a conversation has.
    CountTokens,
}

/// Whether an answer is a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Streaming {
    /// It never is.
    Never,
    /// It is when the body says `"stream": true`.
    Asked,
    /// It always is.
    Always,
}

/// Every endpoint there is.
pub static OPERATIONS: &[&Operation] = &[
    &CHAT_COMPLETIONS,
    &COMPLETIONS,
    &EMBEDDINGS,
    &MESSAGES,
    &COUNT_TOKENS,
    &RESPONSES,
    &GENERATE_CONTENT,
    &STREAM_GENERATE_CONTENT,
];

/// What stands for the model's name in a path.
const MODEL: &str = "{model}";

// === impl Operation ===

impl Operation {
    /// Checks what the gateway itself relies on: `model` and the members that carry the prompt.
    ///
    /// # Errors
    /// The first member that is missing or has the wrong type or size.
    pub fn check(&self, bytes: &[u8], e: &Envelope) -> Result<(), Invalid> {
        if !self.names_model_in_path() {
            rules::model(bytes, e)?;
        }
        (self.rules)(bytes, e)
    }

    /// Whether the path names the model, not the body.
    pub fn names_model_in_path(&self) -> bool {
        self.path.contains(MODEL)
    }

    /// The model's name in a path of this operation, escapes as they came; `None` when it is another path
    /// or the operation's paths name no model. A path under `/v1beta/` is known under `/v1/` too, where Google's
    /// SDKs go unless they are told otherwise.
    pub fn model_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        const BETA: &str = "/v1beta/";
        let (before, after) = self.path.split_once(MODEL)?;
        let (before, path) = match before.strip_prefix(BETA) {
            Some(before) => (
                before,
                [BETA, "/v1/"]
                    .iter()
                    .find_map(|version| path.strip_prefix(version))?,
            ),
            None => (before, path),
        };
        let model = path.strip_prefix(before)?.strip_suffix(after)?;
        (!model.is_empty()).then_some(model)
    }

    /// Whether the answer to this body is a stream.
    pub fn streams(&self, bytes: &[u8], e: &Envelope) -> bool {
        match self.streams {
            Streaming::Never => false,
            Streaming::Asked => e.member(bytes, "stream").and_then(Member::as_bool) == Some(true),
            Streaming::Always => true,
        }
    }
}
