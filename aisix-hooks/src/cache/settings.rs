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

fn bytes() -> u64 {
    64 * 1024 * 1024
}

fn entry_bytes() -> u64 {
    1024 * 1024
}
