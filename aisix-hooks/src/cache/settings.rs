//! What `cache` can be told.

use schemars::JsonSchema;
use serde::Deserialize;

/// Settings of [`Cache`](super::Cache).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CacheSettings {
    /// What metrics and the access log call it. Default: the element's id.
    #[serde(default)]
    #[schemars(length(min = 1, max = 120))]
    pub name: Option<String>,
    /// Where answers are kept. Default: `memory`.
    #[serde(default)]
    pub backend: CacheBackend,
    /// Who shares answers. Default: `api_key`.
    #[serde(default)]
    pub scope: CacheScope,
    /// How long an answer is kept, in seconds. Default: 3600.
    #[serde(default = "an_hour")]
    #[schemars(range(min = 1, max = 604_800))]
    pub ttl_seconds: u64,
    /// Another number forgets everything. Default: 0.
    #[serde(default)]
    pub purge_generation: u64,
    /// Whether answers that stream are kept, too. Default: false.
    #[serde(default)]
    pub streaming: bool,
    /// Whether calls for the same at the same time share one. Default: false.
    #[serde(default)]
    pub coalesce: bool,
    /// How much memory all answers take at most, in bytes. Default: 67108864, which is 64 MiB.
    #[serde(default = "bytes")]
    #[schemars(range(min = 65_536, max = 1_099_511_627_776_u64))]
    pub max_bytes: u64,
    /// How long an answer may be that is kept, in bytes. Default: 1048576, which is 1 MiB.
    #[serde(default = "entry_bytes")]
    #[schemars(range(min = 1_024, max = 67_108_864))]
    pub max_entry_bytes: u64,
    /// Has requests that are alike answered by what was answered to one of them. Default: only the same ones are.
    #[serde(default)]
    pub semantic: Option<SemanticSettings>,
}

/// When requests are alike, so that what one was answered is the answer to the other.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SemanticSettings {
    /// The name of the model that makes vectors of texts. A request that it makes none of is a miss.
    #[schemars(length(min = 1))]
    pub embedding_model: String,
    /// How alike they are at least: the cosine of the angle between their vectors.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: f64,
    /// How long the model may take, in milliseconds. 0, the default: as long as its own deadlines allow.
    #[serde(default)]
    pub embedding_timeout_ms: u64,
    /// How many requests are remembered. Default: 1000.
    #[serde(default = "entries")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_entries: u32,
}

/// Where answers are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CacheBackend {
    /// In the memory of each gateway.
    #[default]
    Memory,
    /// In Redis, for all gateways.
    Redis,
}

/// Who shares answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CacheScope {
    /// Nobody: each API key has its own.
    #[default]
    ApiKey,
    /// All callers that may use the model.
    Env,
}

fn an_hour() -> u64 {
    3_600
}

fn entries() -> u32 {
    1_000
}

fn bytes() -> u64 {
    64 * 1024 * 1024
}

fn entry_bytes() -> u64 {
    1024 * 1024
}
