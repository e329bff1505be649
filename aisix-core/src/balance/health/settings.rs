//! What is configured about the health of a target.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{CircuitBreaker, Cooldown, Passive, Reason};

/// The longest time that any setting stands for.
const LONGEST: u64 = 366 * 86_400;

/// What is configured about the health of a target. Default: the built-in cooldown and nothing else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HealthSettings {
    /// What a failure is, and how long the target is left alone after one.
    pub cooldown: Cooldown,
    /// How many failures in a row it takes, in the place of what `cooldown` says about times. Default: one.
    pub passive: Option<Passive>,
    /// When the target is not asked at all. Default: no breaker.
    pub breaker: Option<CircuitBreaker>,
    /// After how long a check in the background says nothing any more. Default: never.
    pub stale_after: Option<Duration>,
    /// Whether the target is in service. Default: it is.
    pub mode: Mode,
}

/// Whether somebody has taken a target out of service.
///
/// A target that is not in service gets no new calls, whatever else there is: not even when everything else is
/// unavailable. Calls that are under way go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// It is in service.
    #[default]
    Active,
    /// It is about to go: calls that are under way may end.
    Draining,
    /// It is off.
    Disabled,
}

/// So many seconds, but no more than a year, so that a time after any time can be told.
pub(super) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds.min(LONGEST))
}

/// A time that is given, but no more than a year.
pub(super) fn bounded(time: Duration) -> Duration {
    time.min(Duration::from_secs(LONGEST))
}

// === impl Mode ===

impl Mode {
    /// Why no new calls go to the target, if that is so.
    pub fn excludes(self) -> Option<Reason> {
        match self {
            Self::Active => None,
            Self::Draining => Some(Reason::Draining),
            Self::Disabled => Some(Reason::Disabled),
        }
    }
}
