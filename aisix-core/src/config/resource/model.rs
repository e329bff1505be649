//! Models as callers name them.

use std::num::NonZeroU32;

use aisix_wire::anthropic::{self, PromptCaching};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Invalid, Kind, cidrs::Cidrs, document::Document, plugin::Plugin, rate_limit::RateLimit,
};
use crate::config::glob::Glob;

/// A name for callers and what serves it.
///
/// A `display_name` with one `*` is a pattern: it serves every name that it matches.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The name, unique among models.
    #[schemars(length(min = 1))]
    pub display_name: String,
    /// The provider, such as `openai`.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-z0-9][a-z0-9._-]*$"))]
    pub provider: String,
    /// The name at the provider. A `*` in it becomes what the `*` of the pattern stands for. Only a
    /// pattern may leave it out: then it is what the `*` stands for.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub model_name: Option<String>,
    /// The id of the provider key.
    #[schemars(length(min = 1))]
    pub provider_key_id: String,
    /// The time for a whole answer, in milliseconds; not for streams. `0` is none. Default: the
    /// gateway's own.
    #[serde(default)]
    pub timeout: Option<u64>,
    /// The time between two pieces of a stream, in milliseconds. Default, and `0`: `timeout`, or
    /// the gateway's own.
    #[serde(default)]
    pub stream_timeout: Option<u64>,
    /// What is done with members of a request that the provider cannot say: `drop` leaves all of them
    /// out, `refuse` refuses the request. Default: what would change the shape of the answer is refused,
    /// hints are left out.
    #[serde(default)]
    pub on_unsupported: Option<OnUnsupported>,
    /// Has prompts cached, by providers of Anthropic's dialect; nothing elsewhere.
    #[serde(default)]
    pub auto_prompt_caching: Option<AutoPromptCaching>,
    /// Limits of everything that uses this model.
    #[serde(default)]
    pub rate_limit: RateLimit,
    /// Where clients may come from. Default: anywhere.
    #[serde(default)]
    pub allowed_cidrs: Cidrs,
    /// What tokens cost.
    #[serde(default)]
    pub cost: Option<Cost>,
    /// Set for a model that makes embeddings.
    #[serde(default)]
    pub embedding: Option<Embedding>,
    /// Hooks of calls of this model, see [`Plugin`].
    #[serde(default)]
    pub plugins: Vec<Plugin>,
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

// === impl Model ===

impl Document for Model {
    const LATER: &'static [&'static str] = &["cooldown", "background_model_check", "retries"];
    const SHAPES: &'static [&'static str] = &["routing", "ensemble", "semantic"];
    const IDENTITIES: &'static [&'static [&'static str]] = &[&["display_name"]];
    const REFERENCES: &'static [(&'static str, Kind)] = &[("provider_key_id", Kind::ProviderKey)];

    fn rules(document: &Map<String, Value>, errors: &mut Vec<Invalid>) {
        let name = document.get("display_name").and_then(Value::as_str);
        let is_pattern = name.is_some_and(|name| Glob::new(name).is_wildcard());
        if !is_pattern && !document.contains_key("model_name") {
            errors.push(Invalid::new("model_name", "is required"));
        }
    }
}
