//! Second attempts while the first one takes its time.

use schemars::JsonSchema;
use serde::Deserialize;

/// A second attempt, at another target, when the first one takes longer than usual.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hedging {
    /// How many of a hundred answers usually come before the time after which a second attempt is made. Default: 95.
    #[serde(default = "percentile")]
    #[schemars(range(min = 50.0, max = 99.9))]
    pub percentile: f64,
    /// How long the first attempt has at least, in milliseconds. Default: 100.
    #[serde(default = "min_delay")]
    #[schemars(range(min = 1))]
    pub min_delay_ms: u64,
    /// How many requests have a second attempt at most, as a share of all. Default: 0.05.
    #[serde(default = "max_extra_share")]
    #[schemars(range(min = 0.001, max = 1.0))]
    pub max_extra_share: f64,
}

fn percentile() -> f64 {
    95.0
}

fn min_delay() -> u64 {
    100
}

fn max_extra_share() -> f64 {
    0.05
}
