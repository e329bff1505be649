//! What callers call the members that an upstream may not be able to say.

use super::Request;
use crate::Dialect;

/// A member of a request that some dialects cannot say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Member {
    /// The list of turns.
    Turns,
    /// What is said in some turn.
    Content,
    /// The name of a speaker.
    Speaker,
    Format,
    FormatSchema,
    Tools,
    ToolSchema,
    ToolStrict,
    ToolChoice,
    ParallelTools,
    Reasoning,
    Temperature,
    TopP,
    TopK,
    Seed,
    PresencePenalty,
    FrequencyPenalty,
    LogitBias,
    Stop,
    Count,
    Logprobs,
    User,
    Metadata,
    ServiceTier,
    /// The mark that asks to cache the prompt.
    Cache,
    /// That a tool failed.
    ToolError,
    Thinking,
    RedactedThinking,
}

/// Where a turn stands in the caller's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is a member of its own, like `instructions`.
    Member(&'static str),
    /// It begins with this element of the list of turns.
    Item(usize),
}

// === impl Member ===

impl Member {
    /// The name that callers of a dialect use; the one of chat completions where they have none.
    pub(crate) fn name(self, dialect: Dialect) -> &'static str {
        let [chat, responses, anthropic, gemini] = match self {
            Member::Turns => ["messages", "input", "messages", "contents"],
            Member::Content => [
                "messages[].content[]",
                "input[].content[]",
                "messages[].content[]",
                "contents[].parts[]",
            ],
            Member::Speaker => ["messages.name"; 4],
            Member::Format => [
                "response_format",
                "text.format",
                "output_config.format",
                "generationConfig.responseMimeType",
            ],
            Member::FormatSchema => [
                "response_format.json_schema.schema",
                "text.format.schema",
                "output_config.format.schema",
                "generationConfig.responseJsonSchema",
            ],
            Member::Tools => ["tools"; 4],
            Member::ToolSchema => [
                "tools[].function.parameters",
                "tools[].parameters",
                "tools[].input_schema",
                "tools[].functionDeclarations[].parametersJsonSchema",
            ],
            Member::ToolStrict => [
                "tools[].function.strict",
                "tools[].strict",
                "tools[].strict",
                "tools",
            ],
            Member::ToolChoice => [
                "tool_choice",
                "tool_choice",
                "tool_choice",
                "toolConfig.functionCallingConfig",
            ],
            Member::ParallelTools => [
                "parallel_tool_calls",
                "parallel_tool_calls",
                "tool_choice.disable_parallel_tool_use",
                "toolConfig",
            ],
            Member::Reasoning => [
                "reasoning_effort",
                "reasoning.effort",
                "thinking",
                "generationConfig.thinkingConfig",
            ],
            Member::Temperature => sampling("temperature", "generationConfig.temperature"),
            Member::TopP => sampling("top_p", "generationConfig.topP"),
            Member::TopK => sampling("top_k", "generationConfig.topK"),
            Member::Seed => sampling("seed", "generationConfig.seed"),
            Member::PresencePenalty => {
                sampling("presence_penalty", "generationConfig.presencePenalty")
            }
            Member::FrequencyPenalty => {
                sampling("frequency_penalty", "generationConfig.frequencyPenalty")
            }
            Member::LogitBias => sampling("logit_bias", "generationConfig"),
            Member::Stop => [
                "stop",
                "stop",
                "stop_sequences",
                "generationConfig.stopSequences",
            ],
            Member::Count => sampling("n", "generationConfig.candidateCount"),
            Member::Logprobs => [
                "logprobs",
                "include",
                "logprobs",
                "generationConfig.responseLogprobs",
            ],
            Member::User => ["user", "user", "metadata.user_id", "labels"],
            Member::Metadata => ["metadata"; 4],
            Member::ServiceTier => ["service_tier"; 4],
            Member::Cache => [
                "cache_control",
                "prompt_cache_breakpoint",
                "cache_control",
                "cache_control",
            ],
            Member::ToolError => ["is_error"; 4],
            Member::Thinking => ["thinking", "reasoning", "thinking", "thinking"],
            Member::RedactedThinking => [
                "redacted_thinking",
                "reasoning",
                "redacted_thinking",
                "redacted_thinking",
            ],
        };
        match dialect {
            Dialect::OpenAi => chat,
            Dialect::Responses => responses,
            Dialect::Anthropic => anthropic,
            Dialect::Gemini => gemini,
        }
    }
}

const fn sampling(name: &'static str, gemini: &'static str) -> [&'static str; 4] {
    [name, name, name, gemini]
}

// === impl Request ===

impl Request {
    /// The caller's name for a member.
    pub(crate) fn member(&self, member: Member) -> &'static str {
        member.name(self.dialect)
    }

    /// The place of a turn in the caller's body.
    pub(crate) fn place(&self, turn: usize) -> String {
        let list = self.member(Member::Turns);
        match self.places.get(turn) {
            Some(Place::Member(name)) => return (*name).to_owned(),
            Some(Place::Item(index)) => return format!("{list}[{index}]"),
            None if !self.places.is_empty() => return list.to_owned(),
            None => {}
        }
        // Turn and element are one to one, save for instructions that stand apart.
        let first = self.turns.first();
        let apart =
            self.dialect != Dialect::OpenAi && first.is_some_and(|turn| turn.role.instructs());
        match (apart, turn) {
            (true, 0) if self.dialect == Dialect::Gemini => String::from("systemInstruction"),
            (true, 0) => String::from("system"),
            (true, index) => format!("{list}[{}]", index - 1),
            (false, index) => format!("{list}[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Role, Turn};

    #[test]
    fn a_turn_is_named_by_its_place_in_the_callers_body() {
        let mut request = Request::new(Dialect::Anthropic);
        request.turns = vec![
            Turn::new(Role::System, Vec::new()),
            Turn::new(Role::User, Vec::new()),
        ];
        assert_eq!(request.place(0), "system");
        assert_eq!(request.place(1), "messages[0]");
        request.dialect = Dialect::Gemini;
        assert_eq!(request.place(0), "systemInstruction");
        assert_eq!(request.place(1), "contents[0]");
        request.dialect = Dialect::Responses;
        request.places = vec![Place::Member("instructions"), Place::Item(3)];
        assert_eq!(request.place(0), "instructions");
        assert_eq!(request.place(1), "input[3]");
        assert_eq!(request.place(2), "input");
    }

    #[test]
    fn every_dialect_has_its_own_names() {
        assert_eq!(Member::Format.name(Dialect::OpenAi), "response_format");
        assert_eq!(Member::Format.name(Dialect::Responses), "text.format");
        assert_eq!(
            Member::Reasoning.name(Dialect::Responses),
            "reasoning.effort"
        );
        assert_eq!(Member::Stop.name(Dialect::Anthropic), "stop_sequences");
        assert_eq!(Member::TopK.name(Dialect::Gemini), "generationConfig.topK");
    }
}
