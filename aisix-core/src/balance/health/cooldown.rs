//! Leaving a target alone for a time after a failure.

use std::time::Duration;

use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::Instant;

use super::{Failure, Reason, settings::seconds, verdict::Cause};

/// Leaves a target alone for a time after a failure.
///
/// It is still asked when there is nothing better. A failure during that time can only make it longer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cooldown {
    /// Whether the target cools down at all. Default: true.
    pub enabled: bool,
    /// How long, in seconds, if the upstream does not say. `0`: not at all. Default: 30.
    pub default_seconds: u64,
    /// The longest time that the upstream can ask for, in seconds. Default: 600.
    #[schemars(range(min = 1))]
    pub max_seconds: u64,
    /// Whether the upstream can say how long, by `Retry-After`. Default: true.
    pub honor_retry_after: bool,
    /// Which statuses are failures. Default: 401, 408, 429, 500, 502, 503, 504.
    #[schemars(inner(range(min = 100, max = 599)))]
    pub trigger_statuses: Vec<u16>,
    /// Whether a deadline that has passed is a failure. Default: true.
    pub trigger_on_timeout: bool,
    /// Whether it is one when the upstream cannot be reached, when its answer breaks off or reports an error
    /// inside, or is not in its dialect. Default: true.
    pub trigger_on_transport: bool,
}

/// A target, or a credential, that cools down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cooling {
    pub(super) since: Instant,
    pub(super) until: Instant,
    pub(super) reason: Reason,
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

impl Cooldown {
    /// Whether a failure is one that these settings name.
    pub(super) fn is_triggered_by(&self, failure: &Failure) -> bool {
        match failure.cause {
            Cause::Status(status) => self.names(status),
            Cause::Timeout => self.trigger_on_timeout,
            Cause::Transport | Cause::Decode | Cause::InBand => self.trigger_on_transport,
        }
    }

    fn names(&self, status: StatusCode) -> bool {
        self.trigger_statuses.contains(&status.as_u16())
    }

    /// For how long a target is left alone after this failure; `None` for not at all.
    pub(super) fn time(&self, failure: &Failure) -> Option<Duration> {
        if !self.enabled || self.default_seconds == 0 || !self.is_triggered_by(failure) {
            return None;
        }
        // "At once" is what an upstream says that has no idea.
        let asked = failure.retry_after.filter(|asked| !asked.is_zero());
        Some(match asked {
            Some(asked) if self.honor_retry_after => asked.min(seconds(self.max_seconds)),
            _ => seconds(self.default_seconds),
        })
    }
}

// === impl Cooling ===

impl Cooling {
    /// What becomes of `current` when there is reason to leave the target alone for `time`.
    pub(super) fn extended(
        current: Option<Self>,
        now: Instant,
        time: Duration,
        reason: Reason,
    ) -> Self {
        let until = now + time;
        match current {
            Some(current) if current.until >= until => current,
            Some(current) if current.until > now => Self {
                until,
                reason,
                ..current
            },
            _ => Self {
                since: now,
                until,
                reason,
            },
        }
    }
}
