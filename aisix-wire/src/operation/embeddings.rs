//! `POST /v1/embeddings`

use super::rules::{self, Invalid};
use super::{Form, Operation, Streaming};
use crate::{Dialect, Envelope, Kind};

/// OpenAI embeddings.
pub static EMBEDDINGS: Operation = Operation {
    name: "embeddings",
    path: "/v1/embeddings",
    form: Form::Embed,
    dialect: Dialect::OpenAi,
    streams: Streaming::Never,
    may_retry: true,
    prompt: &["input"],
    output_limit: &[],
    answers: &[],
    reads: &["model", "input"],
    rules: check,
};

fn check(bytes: &[u8], e: &Envelope) -> Result<(), Invalid> {
    let input = rules::required(bytes, e, "input")?;
    let empty = match input.kind {
        Kind::String => input.value.len() <= 2,
        Kind::Array => input.len == 0,
        _ => return Err(Invalid::wrong_type("input", "a string or an array")),
    };
    if empty {
        Err(Invalid::empty("input"))
    } else {
        Ok(())
    }
}
