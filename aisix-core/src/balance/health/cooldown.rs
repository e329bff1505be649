//! Leaving a target alone for a time after a failure.

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::{Cooldown, Failure, Reason, settings::seconds, verdict::Cause};

/// A target, or a credential, that cools down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cooling {
    pub(super) since: Instant,
    pub(super) until: Instant,
    pub(super) reason: Reason,
}

// === impl Cooldown ===

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
    /// Whether that lasts at `now`.
    pub(super) fn lasts(&self, now: Instant) -> bool {
        self.until > now
    }

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
            Some(current) if current.lasts(now) => Self {
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
