//! Why answers end, in Gemini's words.

use crate::Dialect;
use crate::chat::{Finish, FinishReason};

/// Reads a `finishReason`; `calls` tells whether a function was called.
pub(super) fn read(word: &str, calls: bool) -> Finish {
    let reason = match word {
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY" | "RECITATION" | "BLOCKLIST" | "PROHIBITED_CONTENT" | "SPII" | "LANGUAGE"
        | "MODEL_ARMOR" => FinishReason::ContentFilter,
        image if image.starts_with("IMAGE_") => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    };
    Finish::new(reason, Some(word.to_owned())).with_calls(calls)
}

/// The end of an answer to a prompt that was not looked at, for the `blockReason` given.
pub(super) fn blocked(reason: &str) -> Finish {
    Finish::new(FinishReason::ContentFilter, Some(reason.to_owned()))
}

/// The `finishReason` to write; the provider's own word if the answer comes from Gemini.
pub(super) fn word(finish: &Finish, from: Dialect) -> &str {
    match (&finish.raw, finish.reason) {
        (Some(raw), _) if from == Dialect::Gemini => raw,
        (_, FinishReason::Length) => "MAX_TOKENS",
        (_, FinishReason::ContentFilter) => "SAFETY",
        (_, FinishReason::Stop | FinishReason::ToolCalls | FinishReason::Other) => "STOP",
    }
}
