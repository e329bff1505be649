//! Questions of the gateway's own, to see how a model fares.

use std::num::{NonZeroU32, NonZeroU64};

use schemars::JsonSchema;
use serde::Deserialize;

/// Asks a model now and then, whether or not callers do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackgroundCheck {
    /// Whether it is asked.
    pub enabled: bool,
    /// The time between two questions, in seconds.
    #[schemars(range(min = 5))]
    pub interval_seconds: u64,
    /// The time for an answer, in seconds.
    pub timeout_seconds: NonZeroU64,
    /// The question.
    #[schemars(length(min = 1))]
    pub prompt: String,
    /// How many tokens the answer may have.
    pub max_tokens: NonZeroU32,
    /// How long an answer says something, in seconds.
    pub stale_after_seconds: NonZeroU64,
    /// The upstream's status codes that say nothing; `408` stands for a time-out, too. Default: none.
    #[serde(default)]
    #[schemars(inner(range(min = 100, max = 599)))]
    pub ignore_statuses: Vec<u16>,
}
