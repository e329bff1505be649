//! Rests for models that have failed.

use schemars::JsonSchema;
use serde::Deserialize;

/// When a model that has failed rests: others are asked instead, as long as there are any.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cooldown {
    /// Whether it rests at all. Default: true.
    pub enabled: bool,
    /// How long, in seconds, when the upstream does not say it. `0` is not at all. Default: 30.
    pub default_seconds: u64,
    /// How long at most, in seconds, whatever the upstream says. Default: 600.
    #[schemars(range(min = 1))]
    pub max_seconds: u64,
    /// Whether the upstream's `Retry-After` says how long. Default: true.
    pub honor_retry_after: bool,
    /// The upstream's status codes after which it rests. Default: 401, 408, 429, 500, 502, 503, 504.
    #[schemars(inner(range(min = 100, max = 599)))]
    pub trigger_statuses: Vec<u16>,
    /// Whether it rests after a time-out. Default: true.
    pub trigger_on_timeout: bool,
    /// Whether it rests when no answer came, it could not be read, or it broke off. Default: true.
    pub trigger_on_transport: bool,
}

// === impl Cooldown ===

impl Default for Cooldown {
    fn default() -> Self {
        Self {
            enabled: true,
            default_seconds: 30,
            max_seconds: 600,
            honor_retry_after: true,
            trigger_statuses: vec![401, 408, 429, 500, 502, 503, 504],
            trigger_on_timeout: true,
            trigger_on_transport: true,
        }
    }
}
