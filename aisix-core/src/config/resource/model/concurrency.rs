//! How many requests a model answers at a time.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;

/// A fixed number of requests at a time, and a queue for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MaxConnections {
    /// How many at a time; a stream counts until its end.
    pub limit: NonZeroU32,
    /// How many wait for their turn. Default: 0, whoever has no turn is refused at once.
    #[serde(default)]
    #[schemars(range(max = 100_000))]
    pub queue: u32,
    /// How long one waits, in milliseconds. Default: 30000.
    #[serde(default = "queue_timeout")]
    #[schemars(range(min = 1))]
    pub queue_timeout_ms: u64,
}

/// A number of requests at a time that follows how the upstream fares: it grows while answers are good, and
/// falls when the upstream refuses or gets slow.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveConcurrency {
    /// Whether it does. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How many at most.
    pub max: NonZeroU32,
    /// How many times its usual time makes an answer a slow one. Default: 2.
    #[serde(default = "latency_factor")]
    #[schemars(range(min = 1.1, max = 100.0))]
    pub latency_factor: f64,
}

fn queue_timeout() -> u64 {
    30_000
}

fn yes() -> bool {
    true
}

fn latency_factor() -> f64 {
    2.0
}
