//! `POST /v1/responses`

use super::rules::{self, Invalid};
use super::{Form, Operation, Streaming};
use crate::{Dialect, Envelope, Kind};

/// OpenAI's responses.
pub static RESPONSES: Operation = Operation {
    name: "responses",
    path: "/v1/responses",
    form: Form::Chat,
    dialect: Dialect::Responses,
    streams: Streaming::Asked,
    may_retry: true,
    prompt: &["input", "instructions", "tools"],
    output_limit: &["max_output_tokens"],
    answers: &[],
    reads: &[
        "model",
        "input",
        "instructions",
        "tools",
        "stream",
        "stream_options",
        "max_output_tokens",
    ],
    rules: check,
};

/// A missing input is the provider's business: what it holds for the caller may be enough.
fn check(bytes: &[u8], e: &Envelope) -> Result<(), Invalid> {
    rules::stream(bytes, e)?;
    match rules::optional(bytes, e, "input").map(|input| input.kind) {
        None | Some(Kind::String | Kind::Array) => Ok(()),
        Some(_) => Err(Invalid::wrong_type("input", "a string or an array")),
    }
}
