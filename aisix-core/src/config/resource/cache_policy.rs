//! Which calls are answered by what was answered before.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Invalid, document::Document, plugin::Plugin};

/// The hook that serves cache policies.
const HOOK: &str = "cache";
/// The fields that are no settings of the hook.
const OWN: [&str; 2] = ["enabled", "applies_to"];

/// A policy that answers the same calls with what was answered before. Of several that apply to a call, one runs:
/// that of its API key, else that of its model, else that of all; of equal ones the one whose id sorts first.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CachePolicy {
    /// The name, unique among cache policies; metrics and the access log call it that.
    #[schemars(length(min = 1, max = 120))]
    pub name: String,
    /// Whether it runs. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Which calls: `all`, `model:<name>` or `api_key:<id>`. Default: `all`.
    #[serde(default)]
    #[schemars(with = "Option<String>", length(min = 1, max = 255))]
    pub applies_to: AppliesTo,
    /// Where answers are kept. Default: `memory`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<CacheBackend>,
    /// Who shares answers. Default: `api_key`, nobody but the key itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<CacheScope>,
    /// How long an answer is kept, in seconds. Default: 3600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 604_800))]
    pub ttl_seconds: Option<u64>,
    /// Another number forgets everything. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purge_generation: Option<u64>,
    /// Whether answers that stream are kept, too. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streaming: Option<bool>,
    /// Whether calls for the same at the same time share one. Default: false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coalesce: Option<bool>,
    /// How much memory all answers take at most, in bytes. Default: 67108864, which is 64 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 65_536, max = 1_099_511_627_776_u64))]
    pub max_bytes: Option<u64>,
    /// How long an answer may be that is kept, in bytes. Default: 1048576, which is 1 MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1_024, max = 67_108_864))]
    pub max_entry_bytes: Option<u64>,
    /// Has requests that are alike answered by what was answered to one of them. Default: only the same ones are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semantic: Option<SemanticCache>,
    /// The hook that does it.
    #[serde(skip)]
    #[schemars(skip)]
    pub(crate) plugins: Vec<Plugin>,
}

/// When requests are alike.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SemanticCache {
    /// The name of the model that makes vectors of texts.
    #[schemars(length(min = 1))]
    pub embedding_model: String,
    /// How alike they are at least: the cosine of the angle between their vectors.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: f64,
    /// How long the model may take, in milliseconds. 0, the default: as long as its own deadlines allow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding_timeout_ms: Option<u64>,
    /// How many requests are remembered. Default: 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_entries: Option<u32>,
}

/// Which calls a cache policy applies to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub enum AppliesTo {
    /// Those of an API key, by its id.
    ApiKey(String),
    /// Those that name a model.
    Model(String),
    /// All.
    #[default]
    All,
}

/// Where answers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CacheBackend {
    /// In the memory of each gateway.
    Memory,
    /// In Redis, for all gateways.
    Redis,
}

/// Who shares answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CacheScope {
    /// Nobody: each API key has its own.
    ApiKey,
    /// All callers that may use the model.
    Env,
}

fn yes() -> bool {
    true
}

// === impl CachePolicy ===

impl CachePolicy {
    /// The same with the hook that does it, whose settings are what the policy says.
    pub(super) fn hooked(mut self) -> Self {
        let mut settings = match serde_json::to_value(&self) {
            Ok(Value::Object(settings)) => settings,
            _ => Map::new(),
        };
        settings.retain(|name, _| !OWN.contains(&name.as_str()));
        self.plugins = vec![Plugin::of(HOOK, settings)];
        self
    }
}

impl Document for CachePolicy {
    const IDENTITIES: &'static [&'static [&'static str]] = &[&["name"]];

    fn rules(document: &Map<String, Value>, errors: &mut Vec<Invalid>) {
        let applies_to = document.get("applies_to").and_then(Value::as_str);
        if let Some(text) = applies_to.filter(|text| !text.is_empty())
            && let Err(message) = AppliesTo::try_from(text.to_owned())
        {
            errors.push(Invalid::new("applies_to", message));
        }
    }
}

// === impl AppliesTo ===

impl TryFrom<String> for AppliesTo {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            Some(("model", name)) if !name.is_empty() => Ok(Self::Model(name.to_owned())),
            Some(("api_key", id)) if !id.is_empty() => Ok(Self::ApiKey(id.to_owned())),
            _ => Err("must be `all`, `model:<name>` or `api_key:<id>`"),
        }
    }
}
