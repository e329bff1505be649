//! What checks in the background found out.

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::{Reason, Turn, settings::bounded};

/// What a check in the background found out about a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// It is well.
    Healthy {
        /// The upstream's status, if it answered.
        status: Option<StatusCode>,
    },
    /// It is not.
    Unhealthy {
        /// The upstream's status, if it answered.
        status: Option<StatusCode>,
        /// Why not.
        reason: Reason,
    },
    /// The answer is one to be ignored: what was known before stands, and gets no younger.
    Ignored {
        /// The upstream's status, if it answered.
        status: Option<StatusCode>,
    },
}

/// What is known from checks in the background.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checked {
    /// The last check, whatever it found out.
    pub(super) last: Option<(Instant, Option<StatusCode>)>,
    unwell: Option<Unwell>,
}

/// A target that checks found unhealthy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unwell {
    pub(super) since: Instant,
    pub(super) reason: Reason,
    /// The last check that found so.
    confirmed: Instant,
}

// === impl Checked ===

impl Checked {
    pub(super) fn record(&mut self, now: Instant, check: Check) -> Option<Turn> {
        let mut turn = None;
        let status = match check {
            Check::Healthy { status } => {
                let was_unwell = self.unwell.take().is_some();
                turn = was_unwell.then_some(Turn::CheckSucceeded);
                status
            }
            Check::Unhealthy { status, reason } => {
                let is_new = self.unwell.is_none();
                turn = is_new.then_some(Turn::CheckFailed { reason });
                let since = self.unwell.map_or(now, |unwell| unwell.since);
                self.unwell = Some(Unwell {
                    since,
                    reason,
                    confirmed: now,
                });
                status
            }
            Check::Ignored { status } => status,
        };
        self.last = Some((now, status));
        turn
    }

    /// Whether a check, however old, has found the target unhealthy, and none since has found it well.
    pub(super) fn is_unwell(&self) -> bool {
        self.unwell.is_some()
    }

    /// What is wrong, unless the check that said so is older than `stale_after`.
    pub(super) fn unwell(&self, now: Instant, stale_after: Option<Duration>) -> Option<Unwell> {
        let is_fresh = |unwell: &Unwell| {
            let end = stale_after.map(|time| unwell.confirmed + bounded(time));
            end.is_none_or(|end| now <= end)
        };
        self.unwell.filter(is_fresh)
    }
}
