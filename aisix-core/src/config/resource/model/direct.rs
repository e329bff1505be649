//! Models that a provider serves.

use std::num::NonZeroU32;

use aisix_wire::anthropic::{self, PromptCaching};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{AdaptiveConcurrency, BackgroundCheck, CircuitBreaker, Cooldown, MaxConnections};

/// A model that a provider serves.
#[derive(Clone, Debug)]
pub struct Direct {
    /// The provider, such as `openai`.
    pub provider: String,
    /// The name at the provider, which only a pattern may leave out.
    pub model_name: Option<String>,
    /// The id of the provider key.
    pub provider_key_id: String,
    /// What is done with members of a request that the provider cannot say.
    pub on_unsupported: Option<OnUnsupported>,
    /// Whether prompts are cached.
    pub auto_prompt_caching: Option<AutoPromptCaching>,
    /// What tokens cost.
    pub cost: Option<Cost>,
    /// Set for a model that makes embeddings.
    pub embedding: Option<Embedding>,
    /// Whether it is asked in the background.
    pub background_model_check: Option<BackgroundCheck>,
    /// When it rests.
    pub cooldown: Cooldown,
    /// When it is taken out.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// How many requests it answers at a time.
    pub max_connections: Option<MaxConnections>,
    /// Whether that number follows how the upstream fares.
    pub adaptive_concurrency: Option<AdaptiveConcurrency>,
    /// Whether it takes no more requests of groups.
    pub draining: bool,
    /// Whether it takes no requests at all.
    pub disabled: bool,
}

/// What is done with members of a request that the provider cannot say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnUnsupported {
    /// They are left out and listed in `x-aisix-dropped-params`.
    Drop,
    /// The request is refused, naming the first of them.
    Refuse,
}

/// Whether prompts are cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AutoPromptCaching {
    /// Whether they are: breakpoints are set after the tools, the instructions, and the user's last two turns.
    pub enabled: bool,
    /// How long a prompt is kept after it was last used. Default: `5m`.
    #[serde(default)]
    pub ttl: CacheTtl,
}

/// How long a cached prompt is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum CacheTtl {
    /// Five minutes.
    #[default]
    #[serde(rename = "5m")]
    FiveMinutes,
    /// One hour, which costs more to write.
    #[serde(rename = "1h")]
    OneHour,
}

/// What tokens cost.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// A thousand tokens of the prompt, in US dollars.
    #[schemars(range(min = 0.0))]
    pub input_per_1k: f64,
    /// A thousand tokens of the completion, in US dollars.
    #[schemars(range(min = 0.0))]
    pub output_per_1k: f64,
}

/// What embeddings are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    /// How many numbers a vector has.
    pub dimensions: NonZeroU32,
    /// Whether vectors come with length one. Default: true.
    #[serde(default = "yes")]
    pub normalize: bool,
}

fn yes() -> bool {
    true
}

// === impl AutoPromptCaching ===

impl AutoPromptCaching {
    /// Where breakpoints are set; `None` for nowhere.
    pub(crate) fn breakpoints(self) -> Option<PromptCaching> {
        self.enabled.then(|| PromptCaching {
            ttl: self.ttl.into(),
            tools: true,
            system: true,
            user_turns: 2,
        })
    }
}

// === impl CacheTtl ===

impl From<CacheTtl> for anthropic::CacheTtl {
    fn from(ttl: CacheTtl) -> Self {
        match ttl {
            CacheTtl::FiveMinutes => Self::FiveMinutes,
            CacheTtl::OneHour => Self::OneHour,
        }
    }
}
