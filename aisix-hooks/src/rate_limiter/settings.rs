//! What `rate_limiter` can be told.

use std::{borrow::Cow, num::NonZeroU32, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::duration;

/// Settings of [`RateLimiter`](super::RateLimiter).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimiterSettings {
    /// The limits, of which there must be one.
    pub limits: Limits,
    /// How calls are counted. Default: `sliding_window`.
    #[serde(default)]
    pub algorithm: Algorithm,
    /// What becomes of calls over a limit.
    #[serde(default)]
    pub actions: Refusal,
}

/// How calls are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// In no span as long as the window are more calls let through than the limit.
    #[default]
    SlidingWindow,
    /// Calls come back one by one, evenly over the window; all of them may be made at once.
    Gcra,
}

/// Limits by what is counted.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Of all calls together.
    pub global: Option<Rate>,
    /// Of a client's address.
    pub per_ip: Option<Rate>,
    /// Of a user, as the caller's headers name it.
    pub per_user: Option<Rate>,
    /// Of an API key.
    pub per_key: Option<Rate>,
}

/// So many calls in so much time.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Calls.
    pub limit: NonZeroU32,
    /// The time, such as `30s`, `1m`, `1h30m` or `1d`; up to 366 days.
    pub window: Window,
}

/// What becomes of calls over a limit.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Both words mean the same. Default: `reject`.
    #[serde(default, rename = "type")]
    pub kind: Action,
    /// When the caller may come back, in seconds. Default: 60. With `gcra` that is known, and this does not count.
    #[serde(default)]
    pub retry_after: RetryAfter,
}

/// A word for refusing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Refuse.
    #[default]
    Reject,
    /// Refuse.
    Block,
}

/// Seconds, as a number or as a string of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter(u32);

/// A span of whole seconds, from one to 366 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window(u64);

#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(u32),
    Digits(String),
}

// === impl RetryAfter ===

impl RetryAfter {
    /// The time.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

impl Default for RetryAfter {
    fn default() -> Self {
        Self(60)
    }
}

impl<'de> Deserialize<'de> for RetryAfter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Seconds::deserialize(deserializer)? {
            Seconds::Number(seconds) => Ok(Self(seconds)),
            Seconds::Digits(digits) => digits.parse().map(Self).map_err(D::Error::custom),
        }
    }
}

impl JsonSchema for RetryAfter {
    fn schema_name() -> Cow<'static, str> {
        "RetryAfter".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": ["string", "integer"], "pattern": "^[0-9]{1,9}$",
            "minimum": 0, "maximum": 999_999_999})
    }
}

// === impl Window ===

impl Window {
    /// Its length.
    pub fn seconds(self) -> u64 {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let span = duration::parse(text)?;
        let is_whole = span.subsec_nanos() == 0 && !span.is_zero();
        is_whole.then_some(Self(span.as_secs()))
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| D::Error::custom("a window is like `30s`, `1h30m` or `1d`"))
    }
}

impl JsonSchema for Window {
    fn schema_name() -> Cow<'static, str> {
        "Window".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^([0-9]+[smhd])+$"})
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn windows_are_sums_of_units() {
        for (text, seconds) in [("30s", 30), ("1m", 60), ("1h30m", 5_400), ("1d", 86_400)] {
            assert_eq!(Window::parse(text).unwrap().seconds(), seconds, "{text}");
        }
        for text in [
            "",
            "0s",
            "1500ms",
            "1",
            "m",
            "1x",
            "367d",
            "99999999999999999999s",
            "1é",
        ] {
            assert_eq!(Window::parse(text), None, "{text}");
        }
    }
}
