//! What models of OpenAI's take, by their names.

/// Whether the model of this name takes a temperature: those that reason take none.
///
/// Names are like `o3-mini-2025-01-31`, `gpt-5.2` or `openai/o4-mini`. Source: OpenAI's guide to reasoning models,
/// <https://platform.openai.com/docs/guides/reasoning>.
pub(crate) fn takes_temperature(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    // These only chat.
    let chats = name.starts_with("gpt-5") && name.contains("-chat");
    let reasons = ["o1", "o3", "o4", "gpt-5"].iter().any(|line| {
        let rest = name.strip_prefix(line);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
    });
    chats || !reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_reason_take_no_temperature() {
        for model in [
            "o1",
            "o1-pro",
            "o3-mini-2025-01-31",
            "openai/o4-mini",
            "gpt-5",
            "gpt-5-nano",
            "gpt-5.2",
        ] {
            assert!(!takes_temperature(model), "{model}");
        }
        for model in [
            "gpt-4o",
            "gpt-4.1-mini",
            "gpt-5-chat-latest",
            "o100",
            "claude-opus-4-7",
            "up-a",
            "",
        ] {
            assert!(takes_temperature(model), "{model}");
        }
    }
}
