//! Finish reasons and usage.

use crate::Usage;
use crate::chat::{Finish, FinishReason};
use crate::json::Writer;

/// Reads a `finish_reason`.
pub(super) fn read(word: &str) -> Finish {
    let reason = match word {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    };
    Finish::new(reason, Some(word.to_owned()))
}

/// The `finish_reason` for a reason, knowing whether tools were called.
pub(super) fn word(reason: FinishReason, calls: bool) -> &'static str {
    match reason {
        FinishReason::Length => "length",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::Stop | FinishReason::Other if calls => "tool_calls",
        FinishReason::Stop | FinishReason::Other => "stop",
    }
}

/// Writes the `usage` object.
pub(super) fn write_usage(w: &mut Writer<'_>, usage: &Usage) {
    w.object(|w| {
        w.name("prompt_tokens").number(usage.input_total());
        w.name("completion_tokens").number(usage.output_total());
        w.name("total_tokens").number(usage.total());
        w.name("prompt_tokens_details").object(|w| {
            w.name("cached_tokens").number(usage.cache_read);
            w.name("cache_write_tokens").number(usage.cache_write);
        });
        w.name("completion_tokens_details").object(|w| {
            w.name("reasoning_tokens").number(usage.reasoning);
        });
    });
}
