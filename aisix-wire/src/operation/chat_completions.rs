//! `POST /v1/chat/completions`

use super::rules::{self, Invalid};
use super::{Form, Operation, Streaming};
use crate::{Dialect, Envelope, Kind};

/// OpenAI chat completions.
pub static CHAT_COMPLETIONS: Operation = Operation {
    name: "chat.completions",
    path: "/v1/chat/completions",
    form: Form::Chat,
    dialect: Dialect::OpenAi,
    streams: Streaming::Asked,
    may_retry: true,
    prompt: &["messages", "tools", "functions"],
    output_limit: &["max_completion_tokens", "max_tokens"],
    answers: &["n"],
    reads: &[
        "model",
        "messages",
        "tools",
        "functions",
        "stream",
        "stream_options",
        "max_completion_tokens",
        "max_tokens",
        "n",
    ],
    rules: check,
};

fn check(bytes: &[u8], e: &Envelope) -> Result<(), Invalid> {
    rules::messages(bytes, e)?;
    rules::stream(bytes, e)?;
    match rules::optional(bytes, e, "tools").map(|tools| tools.kind) {
        None | Some(Kind::Array) => Ok(()),
        Some(_) => Err(Invalid::wrong_type("tools", "an array")),
    }
}
