//! The table of endpoints.
//!
//! One row and one file for each: where it is, what the gateway reads of it, and what a request must look
//! like before the gateway passes it on. What only the provider needs to know, only the provider checks.

mod chat_completions;
mod completions;
mod embeddings;
mod messages;
mod rules;
#[cfg(test)]
mod tests;

pub use self::chat_completions::CHAT_COMPLETIONS;
pub use self::completions::COMPLETIONS;
pub use self::embeddings::EMBEDDINGS;
pub use self::messages::MESSAGES;
pub use self::rules::Invalid;
use crate::{Dialect, Envelope};

/// One endpoint.
#[derive(Debug)]
#[non_exhaustive]
pub struct Operation {
    /// Its name in logs, labels and configuration, like `chat.completions`.
    pub name: &'static str,
    /// Its path, like `/v1/chat/completions`; the method is `POST`.
    pub path: &'static str,
    /// What kind of work it asks for.
    pub form: Form,
    /// The dialect of the request, the answer and the errors.
    pub dialect: Dialect,
    /// Whether the answer may be a stream.
    pub streams: bool,
    /// Whether a failed call may be sent again.
    pub may_retry: bool,
    /// The members that hold the prompt.
    pub prompt: &'static [&'static str],
    /// The members that limit the output, the one that counts first.
    pub output_limit: &'static [&'static str],
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
}

/// Every endpoint there is.
pub static OPERATIONS: &[&Operation] = &[&CHAT_COMPLETIONS, &COMPLETIONS, &EMBEDDINGS, &MESSAGES];

// === impl Operation ===

impl Operation {
    /// Checks what the gateway itself relies on: `model` and the members that carry the prompt.
    ///
    /// # Errors
    /// The first member that is missing or has the wrong type or size.
    pub fn check(&self, bytes: &[u8], e: &Envelope) -> Result<(), Invalid> {
        rules::model(bytes, e)?;
        (self.rules)(bytes, e)
    }
}
