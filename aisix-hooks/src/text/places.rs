//! Where texts stand, in each dialect.
//!
//! A place is a path of names with dots between them. `*` is any element of an array, `**` every string and
//! number from there on, names of members too, `!` the value there, whatever it is, and `?name=value` goes on only
//! in an object in which that is so.

use aisix_core::wire::Dialect;

pub(super) fn of_request(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Responses => RESPONSES_REQUEST,
        Dialect::Anthropic => ANTHROPIC_REQUEST,
        Dialect::Gemini => GEMINI_REQUEST,
        _ => OPENAI_REQUEST,
    }
}

pub(super) fn of_answer(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Responses => RESPONSES_ANSWER,
        Dialect::Anthropic => ANTHROPIC_ANSWER,
        Dialect::Gemini => GEMINI_ANSWER,
        _ => OPENAI_ANSWER,
    }
}

pub(super) fn of_event(dialect: Dialect) -> &'static [&'static str] {
    match dialect {
        Dialect::Responses => RESPONSES_EVENT,
        Dialect::Anthropic => ANTHROPIC_EVENT,
        Dialect::Gemini => GEMINI_EVENT,
        _ => OPENAI_EVENT,
    }
}

/// What tells how probable the tokens of a text were, and so which ones there were; and what stands for nothing there.
pub(super) fn probabilities(dialect: Dialect) -> (&'static [&'static str], &'static str) {
    match dialect {
        Dialect::Responses => (RESPONSES_PROBABILITIES, "[]"),
        Dialect::Anthropic => (&[], "null"),
        Dialect::Gemini => (GEMINI_PROBABILITIES, "null"),
        _ => (OPENAI_PROBABILITIES, "null"),
    }
}

/// Whether a place of this name is none of a text, but says that texts have come to their end.
pub(super) fn is_end(name: &str) -> bool {
    matches!(name, "finish_reason" | "finishReason" | "type")
}

/// Whether a text of this name, in an event, may go on in the next one.
pub(super) fn is_piece(dialect: Dialect, name: &str) -> bool {
    match dialect {
        Dialect::Responses => name == "delta",
        _ => !matches!(name, "**" | "code" | "output"),
    }
}

/// Whether a text of this name is a JSON document.
pub(super) fn is_arguments(name: &str) -> bool {
    matches!(name, "arguments" | "partial_json")
}

/// Chats, completions and embeddings.
const OPENAI_REQUEST: &[&str] = &[
    "messages.*.content",
    "messages.*.content.*.text",
    "messages.*.content.*.refusal",
    "messages.*.refusal",
    "messages.*.reasoning_content",
    "messages.*.tool_calls.*.function.arguments",
    "messages.*.tool_calls.*.custom.input",
    "messages.*.function_call.arguments",
    "prompt",
    "prompt.*",
    "suffix",
    "input",
    "input.*",
];

const OPENAI_ANSWER: &[&str] = &[
    "choices.*.message.content",
    "choices.*.message.content.*.text",
    "choices.*.message.refusal",
    "choices.*.message.reasoning_content",
    "choices.*.message.tool_calls.*.function.arguments",
    "choices.*.message.tool_calls.*.custom.input",
    "choices.*.message.function_call.arguments",
    "choices.*.text",
];

const OPENAI_EVENT: &[&str] = &[
    "choices.*.delta.content",
    "choices.*.delta.content.*.text",
    "choices.*.delta.refusal",
    "choices.*.delta.reasoning_content",
    "choices.*.delta.tool_calls.*.function.arguments",
    "choices.*.delta.tool_calls.*.custom.input",
    "choices.*.delta.function_call.arguments",
    "choices.*.text",
    "choices.*.finish_reason",
];

const RESPONSES_REQUEST: &[&str] = &[
    "instructions",
    "input",
    "input.*.content",
    "input.*.content.*.text",
    "input.*.content.*.refusal",
    "input.*.summary.*.text",
    "input.*.arguments",
    "input.*.input",
    "input.*.output",
    "input.*.output.*.text",
];

const RESPONSES_ANSWER: &[&str] = &[
    "output.*.content.*.text",
    "output.*.content.*.refusal",
    "output.*.summary.*.text",
    "output.*.arguments",
    "output.*.input",
];

/// Pieces, and then all of it again when an item is done, and once more at the end.
const RESPONSES_EVENT: &[&str] = &[
    "delta",
    "text",
    "refusal",
    "arguments",
    "input",
    "part.text",
    "part.refusal",
    "item.content.*.text",
    "item.content.*.refusal",
    "item.summary.*.text",
    "item.arguments",
    "item.input",
    "response.output.*.content.*.text",
    "response.output.*.content.*.refusal",
    "response.output.*.summary.*.text",
    "response.output.*.arguments",
    "response.output.*.input",
];

const ANTHROPIC_REQUEST: &[&str] = &[
    "system",
    "system.*.text",
    "messages.*.content",
    "messages.*.content.*.text",
    "messages.*.content.*.thinking",
    "messages.*.content.*.input.**",
    "messages.*.content.*.content",
    "messages.*.content.*.content.*.text",
    "messages.*.content.*.source.?type=text.data",
    "messages.*.content.*.source.content",
    "messages.*.content.*.source.content.*.text",
];

const ANTHROPIC_ANSWER: &[&str] = &["content.*.text", "content.*.thinking", "content.*.input.**"];

const ANTHROPIC_EVENT: &[&str] = &[
    "content_block.text",
    "content_block.thinking",
    "content_block.input.**",
    "delta.text",
    "delta.thinking",
    "delta.partial_json",
    "?type=content_block_stop.type",
];

const OPENAI_PROBABILITIES: &[&str] = &["choices.*.logprobs.!"];

const RESPONSES_PROBABILITIES: &[&str] = &[
    "logprobs.!",
    "part.logprobs.!",
    "item.content.*.logprobs.!",
    "output.*.content.*.logprobs.!",
    "response.output.*.content.*.logprobs.!",
];

const GEMINI_PROBABILITIES: &[&str] = &["candidates.*.logprobsResult.!"];

/// Names are in either case, as Google takes them.
const GEMINI_REQUEST: &[&str] = &[
    "systemInstruction.parts.*.text",
    "systemInstruction.parts.text",
    "system_instruction.parts.*.text",
    "system_instruction.parts.text",
    "contents.*.parts.*.text",
    "contents.*.parts.text",
    "contents.parts.*.text",
    "contents.parts.text",
    "contents.*.parts.*.functionCall.args.**",
    "contents.*.parts.*.function_call.args.**",
    "contents.*.parts.*.functionResponse.response.**",
    "contents.*.parts.*.function_response.response.**",
    "contents.*.parts.*.executableCode.code",
    "contents.*.parts.*.codeExecutionResult.output",
    "content.parts.*.text",
    "requests.*.content.parts.*.text",
];

const GEMINI_ANSWER: &[&str] = &[
    "candidates.*.content.parts.*.text",
    "candidates.*.content.parts.*.functionCall.args.**",
    "candidates.*.content.parts.*.executableCode.code",
    "candidates.*.content.parts.*.codeExecutionResult.output",
];

/// Each event is an answer of its own.
const GEMINI_EVENT: &[&str] = &[
    "candidates.*.content.parts.*.text",
    "candidates.*.content.parts.*.functionCall.args.**",
    "candidates.*.content.parts.*.executableCode.code",
    "candidates.*.content.parts.*.codeExecutionResult.output",
    "candidates.*.finishReason",
];
