//! `prompt_caching`: has providers of Anthropic's dialect cache prompts.

use aisix_core::{
    call::Call,
    config::resource::{CacheTtl, Invalid, Stage},
    hook::{Built, Context, Next, PluginFactory, Stages, from_fn},
    wire::anthropic,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Sets breakpoints of Anthropic's prompt caching in requests, whatever the dialect of their caller.
///
/// It says what is wanted; the breakpoints are set in the body that goes out, where that is in Anthropic's
/// dialect, and other upstreams get nothing of it. A request has four at most. What the caller has given a
/// breakpoint is left alone, and none is set that would break the dialect's order of times. It counts more than
/// the model's `auto_prompt_caching`. It changes no text, keeps nothing, and cannot fail.
#[derive(Clone, Copy, Debug, Default)]
pub struct PromptCaching;

/// Settings of [`PromptCaching`].
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptCachingSettings {
    /// How long a prompt is kept after it was last used: `5m` or `1h`. Default: `5m`.
    #[serde(default)]
    pub ttl: CacheTtl,
    /// Whether a breakpoint stands after the tools. Default: true.
    #[serde(default = "yes")]
    pub tools: bool,
    /// Whether one stands after the instructions. Default: true.
    #[serde(default = "yes")]
    pub system: bool,
    /// After how many of the last turns of the user one stands, up to 4. Default: 2.
    #[serde(default = "two")]
    #[schemars(range(min = 0, max = 4))]
    pub user_turns: u8,
}

fn yes() -> bool {
    true
}

fn two() -> u8 {
    2
}

// === impl PromptCaching ===

impl PluginFactory for PromptCaching {
    type Settings = PromptCachingSettings;

    fn name(&self) -> &'static str {
        "prompt_caching"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn build(
        &self,
        settings: PromptCachingSettings,
        _: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let PromptCachingSettings {
            ttl,
            tools,
            system,
            user_turns,
        } = settings;
        if !tools && !system && user_turns == 0 {
            let message = "must be at least 1, where neither `tools` nor `system` are cached";
            return Err(vec![Invalid::new("user_turns", message)]);
        }
        let caching = anthropic::PromptCaching {
            ttl: ttl.into(),
            tools,
            system,
            user_turns,
        };
        Ok(Built::hook(from_fn(
            move |mut call: Call, next: Next| async move {
                call.cache_prompt(caching);
                next.run(call).await
            },
        )))
    }
}
