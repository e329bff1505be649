//! `POST /v1/messages`

use super::rules::{self, Invalid};
use super::{Form, Operation, Streaming};
use crate::{Dialect, Envelope};

/// Anthropic's messages.
pub static MESSAGES: Operation = Operation {
    name: "messages",
    path: "/v1/messages",
    form: Form::Chat,
    dialect: Dialect::Anthropic,
    streams: Streaming::Asked,
    may_retry: true,
    prompt: &["messages", "system", "tools"],
    output_limit: &["max_tokens"],
    answers: &[],
    reads: &[
        "model",
        "messages",
        "system",
        "tools",
        "stream",
        "max_tokens",
    ],
    rules: check,
};

fn check(bytes: &[u8], e: &Envelope) -> Result<(), Invalid> {
    rules::messages(bytes, e)?;
    rules::stream(bytes, e)
}
