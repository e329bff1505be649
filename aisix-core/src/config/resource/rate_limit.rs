//! Limits of keys and models.

use schemars::JsonSchema;
use serde::Deserialize;

/// How much may be used in a window of time. What is absent is not limited; `0` allows nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// Requests in each second.
    pub rps: Option<u64>,
    /// Requests in each minute.
    pub rpm: Option<u64>,
    /// Requests in each hour.
    pub rph: Option<u64>,
    /// Requests in each day.
    pub rpd: Option<u64>,
    /// Tokens in each minute.
    pub tpm: Option<u64>,
    /// Tokens in each day.
    pub tpd: Option<u64>,
    /// Requests at the same time.
    pub concurrency: Option<u32>,
}
