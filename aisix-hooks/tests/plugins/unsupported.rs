//! Hooks that are known and not there.

use aisix_core::{
    config::resource::{Invalid, Stage},
    hook::{Built, Context, PluginFactory, Stages},
};
use serde_json::json;

use crate::ask::*;

/// A hook of a name, which is never built.
struct Named(&'static str);

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

impl PluginFactory for Named {
    type Settings = Nothing;

    fn name(&self) -> &'static str {
        self.0
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn build(&self, _: Nothing, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        Err(vec![Invalid::new("", "was built")])
    }
}

#[test]
fn what_is_not_supported_is_told_from_a_mistake() {
    for name in [
        "anomaly_detector",
        "bot_detector",
        "code_sanitation",
        "contextual_security",
        "model_allowlist",
        "per_tool_rate_limiter",
        "prompt_compression",
        "tool_allowlist",
        "tool_injection",
        "trustguard",
        "token_rate_limiter",
    ] {
        let said = wrong(json!([{"name": name, "settings": {"limit": 1}}]));
        let expected = "`plugins[0].name` is not supported yet";
        assert!(said.contains(expected), "{name}: {said}");
    }
    let said = wrong(json!([{"name": "token_rate_limit"}]));
    assert!(said.contains("is no known hook"), "{said}");
}

#[test]
fn an_older_name_tells_of_the_hook_that_does_the_same() {
    for (name, instead) in [
        ("regex_replace", "data_masking"),
        ("semantic_cache", "cache"),
        ("toxicity_azure", "azure_content_safety_text_moderation"),
        ("toxicity_openai", "openai_moderation"),
    ] {
        let said = wrong(json!([{"name": name}]));
        let expected = format!("`plugins[0].name` is not supported; use `{instead}`");
        assert!(said.contains(&expected), "{said}");
    }
}

#[test]
fn a_hook_that_is_there_after_all_is_built() {
    let hooks = aisix_hooks::hooks().plugin(Named("token_rate_limiter"));
    let said = wrong_with(hooks, json!([{"name": "token_rate_limiter"}]));
    assert!(said.contains("was built"), "{said}");
}
