//! `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`

use super::rules::{self, Invalid};
use super::{Form, Operation, Streaming};
use crate::{Dialect, Envelope, Kind};

/// Gemini's content, whole.
pub static GENERATE_CONTENT: Operation = Operation {
    name: "generate_content",
    path: "/v1beta/models/{model}:generateContent",
    streams: Streaming::Never,
    ..CONTENT
};

/// Gemini's content, streamed.
pub static STREAM_GENERATE_CONTENT: Operation = Operation {
    name: "stream_generate_content",
    path: "/v1beta/models/{model}:streamGenerateContent",
    streams: Streaming::Always,
    ..CONTENT
};

/// What the two share. Names are read in both of Gemini's spellings.
const CONTENT: Operation = Operation {
    name: "",
    path: "",
    form: Form::Chat,
    dialect: Dialect::Gemini,
    streams: Streaming::Never,
    may_retry: true,
    prompt: &[
        "contents",
        "systemInstruction",
        "system_instruction",
        "tools",
    ],
    output_limit: &[
        "generationConfig.maxOutputTokens",
        "generation_config.max_output_tokens",
    ],
    answers: &[
        "generationConfig.candidateCount",
        "generation_config.candidate_count",
    ],
    reads: &[
        "contents",
        "systemInstruction",
        "system_instruction",
        "tools",
        "generationConfig",
        "generation_config",
    ],
    rules: check,
};

fn check(bytes: &[u8], e: &Envelope) -> Result<(), Invalid> {
    let contents = rules::required(bytes, e, "contents")?;
    match contents.kind {
        Kind::Array if contents.len == 0 => Err(Invalid::empty("contents")),
        Kind::Array => Ok(()),
        _ => Err(Invalid::wrong_type("contents", "an array")),
    }
}
