//! Names of hooks that other gateways have and this one has not.

use aisix_core::hook::Hooks;

/// Hooks of other gateways, and which one of this gateway does the same.
const NAMES: &[(&str, Option<&str>)] = &[
    ("anomaly_detector", None),
    ("bot_detector", None),
    ("code_sanitation", None),
    ("contextual_security", None),
    ("model_allowlist", None),
    ("neuraltrust_guardrail", None),
    ("neuraltrust_jailbreak", None),
    ("neuraltrust_moderation", None),
    ("neuraltrust_toxicity", None),
    ("per_tool_rate_limiter", None),
    ("prompt_compression", None),
    ("regex_replace", Some("data_masking")),
    ("semantic_cache", Some("cache")),
    ("token_rate_limiter", None),
    ("tool_allowlist", None),
    ("tool_injection", None),
    (
        "toxicity_azure",
        Some("azure_content_safety_text_moderation"),
    ),
    ("toxicity_openai", Some("openai_moderation")),
    ("trustguard", None),
];

/// Says of each name that it is not supported. A hook that is registered under one of them counts more.
pub(crate) fn names(hooks: Hooks) -> Hooks {
    NAMES.iter().fold(hooks, |hooks, (name, instead)| {
        hooks.unsupported(name, *instead)
    })
}
