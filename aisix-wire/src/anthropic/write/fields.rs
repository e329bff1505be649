//! The caller's names for what cannot be said.

use crate::Dialect;
use crate::chat::Request;

/// The caller's name for a member; `chat` is the one that most dialects use.
pub(super) fn name(request: &Request, chat: &'static str) -> &'static str {
    match request.dialect {
        Dialect::OpenAi | Dialect::Responses => chat,
        Dialect::Anthropic => match chat {
            "reasoning_effort" => "thinking",
            "response_format" => "output_config.format",
            "stop" => "stop_sequences",
            other => other,
        },
        Dialect::Gemini => match chat {
            "n" => "generationConfig.candidateCount",
            "seed" => "generationConfig.seed",
            "presence_penalty" => "generationConfig.presencePenalty",
            "frequency_penalty" => "generationConfig.frequencyPenalty",
            "logprobs" => "generationConfig.responseLogprobs",
            "temperature" => "generationConfig.temperature",
            "top_p" => "generationConfig.topP",
            "top_k" => "generationConfig.topK",
            "stop" => "generationConfig.stopSequences",
            "response_format" => "generationConfig.responseJsonSchema",
            "reasoning_effort" => "generationConfig.thinkingConfig",
            "tool_choice" => "toolConfig.functionCallingConfig",
            other => other,
        },
    }
}

/// The place of a turn in the caller's body.
pub(super) fn turn(request: &Request, index: usize) -> String {
    let first = request.turns.first();
    let apart =
        request.dialect != Dialect::OpenAi && first.is_some_and(|turn| turn.role.instructs());
    let list = match request.dialect {
        Dialect::Gemini => "contents",
        _ => "messages",
    };
    match (apart, index) {
        (true, 0) => String::from("system"),
        (true, index) => format!("{list}[{}]", index - 1),
        (false, index) => format!("{list}[{index}]"),
    }
}
