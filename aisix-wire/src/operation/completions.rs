//! `POST /v1/completions`

use super::rules::{self, Invalid};
use super::{Form, Operation, Streaming};
use crate::{Dialect, Envelope, Kind};

/// OpenAI's older completions of a text.
pub static COMPLETIONS: Operation = Operation {
    name: "completions",
    path: "/v1/completions",
    form: Form::Complete,
    dialect: Dialect::OpenAi,
    streams: Streaming::Asked,
    may_retry: true,
    prompt: &["prompt"],
    output_limit: &["max_tokens"],
    answers: &["n"],
    reads: &[
        "model",
        "prompt",
        "stream",
        "stream_options",
        "max_tokens",
        "n",
    ],
    rules: check,
};

/// A missing prompt is the provider's business: it means the start of a document.
fn check(bytes: &[u8], e: &Envelope) -> Result<(), Invalid> {
    match rules::optional(bytes, e, "prompt").map(|prompt| prompt.kind) {
        None | Some(Kind::String | Kind::Array) => rules::stream(bytes, e),
        Some(_) => Err(Invalid::wrong_type("prompt", "a string or an array")),
    }
}
