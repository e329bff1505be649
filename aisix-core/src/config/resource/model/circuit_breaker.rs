//! Breakers: who fails too often is not asked for a while.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::super::Invalid;

/// When a target that fails is taken out, and how it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CircuitBreaker {
    /// How many failures in a row open it; `0` for any number. Default: 5.
    pub consecutive_failures: u32,
    /// Which share of the requests of a window opens it. Default: none does.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub failure_ratio: Option<f64>,
    /// The window of `failure_ratio`, in seconds. Default: 30.
    #[schemars(range(min = 1, max = 3600))]
    pub window_seconds: u64,
    /// With how many requests in the window `failure_ratio` counts. Default: 10.
    #[schemars(range(min = 1))]
    pub min_requests: u32,
    /// How long it stays open at first, in seconds; twice as long after each trial that fails. Default: 30.
    #[schemars(range(min = 1))]
    pub open_seconds: u64,
    /// How long it stays open at most, in seconds. Default: 300.
    #[schemars(range(min = 1))]
    pub max_open_seconds: u64,
    /// How many requests are tried at a time, and must succeed in a row, before it closes. Default: 1.
    #[schemars(range(min = 1))]
    pub half_open_trials: u32,
    /// In how many seconds after that the target's share grows to what it was. Default: 0, at once.
    pub slow_start_seconds: u64,
}

// === impl CircuitBreaker ===

impl CircuitBreaker {
    /// Reports what a schema cannot say of the breaker at `path`.
    pub(in super::super) fn rules(breaker: &Value, path: &str, errors: &mut Vec<Invalid>) {
        let default = Self::default();
        let number = |name: &str, default: u64| match breaker.get(name) {
            None => Some(default),
            Some(value) => value.as_u64(),
        };
        if number("consecutive_failures", 5) == Some(0) && breaker.get("failure_ratio").is_none() {
            let message = "must not be 0 without `failure_ratio`: nothing would ever open it";
            let path = format!("{path}.consecutive_failures");
            errors.push(Invalid::new(path, message));
        }
        let open = number("open_seconds", default.open_seconds);
        let most = number("max_open_seconds", default.max_open_seconds);
        if let (Some(open), Some(most)) = (open, most)
            && open > most
        {
            let message = "must not be greater than `max_open_seconds`";
            errors.push(Invalid::new(format!("{path}.open_seconds"), message));
        }
    }
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            consecutive_failures: 5,
            failure_ratio: None,
            window_seconds: 30,
            min_requests: 10,
            open_seconds: 30,
            max_open_seconds: 300,
            half_open_trials: 1,
            slow_start_seconds: 0,
        }
    }
}
