//! What callers call the members that a Gemini request has no place for.

use crate::Dialect;

/// The names of members in one dialect.
pub(super) struct Names {
    pub(super) content: &'static str,
    pub(super) messages: &'static str,
    pub(super) format: &'static str,
    pub(super) schema: &'static str,
    pub(super) tools: &'static str,
    pub(super) tool_schema: &'static str,
    pub(super) tool_strict: &'static str,
    pub(super) tool_choice: &'static str,
    pub(super) parallel_tools: &'static str,
    pub(super) reasoning: &'static str,
    pub(super) seed: &'static str,
    pub(super) logit_bias: &'static str,
    pub(super) user: &'static str,
}

/// The names that callers of a dialect use.
pub(super) fn of(dialect: Dialect) -> &'static Names {
    match dialect {
        Dialect::OpenAi | Dialect::Responses => &OPENAI,
        Dialect::Anthropic => &ANTHROPIC,
        Dialect::Gemini => &GEMINI,
    }
}

static OPENAI: Names = Names {
    content: "messages[].content[]",
    messages: "messages",
    format: "response_format",
    schema: "response_format.json_schema.schema",
    tools: "tools",
    tool_schema: "tools[].function.parameters",
    tool_strict: "tools[].function.strict",
    tool_choice: "tool_choice",
    parallel_tools: "parallel_tool_calls",
    reasoning: "reasoning_effort",
    seed: "seed",
    logit_bias: "logit_bias",
    user: "user",
};

static ANTHROPIC: Names = Names {
    content: "messages[].content[]",
    messages: "messages",
    format: "output_format",
    schema: "output_format.schema",
    tools: "tools",
    tool_schema: "tools[].input_schema",
    tool_strict: "tools[].strict",
    tool_choice: "tool_choice",
    parallel_tools: "tool_choice.disable_parallel_tool_use",
    reasoning: "thinking",
    seed: "seed",
    logit_bias: "logit_bias",
    user: "metadata.user_id",
};

static GEMINI: Names = Names {
    content: "contents[].parts[]",
    messages: "contents",
    format: "generationConfig.responseMimeType",
    schema: "generationConfig.responseJsonSchema",
    tools: "tools",
    tool_schema: "tools[].functionDeclarations[].parametersJsonSchema",
    tool_strict: "tools",
    tool_choice: "toolConfig",
    parallel_tools: "toolConfig",
    reasoning: "generationConfig.thinkingConfig",
    seed: "generationConfig.seed",
    logit_bias: "generationConfig",
    user: "labels",
};
