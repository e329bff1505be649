//! Whether a target can take a call.

use tokio::time::Instant;

use super::{Reason, cooldown::Cooling};

/// Whether a target can take a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fitness {
    /// It can.
    Fit,
    /// It has failed a short while ago: it is taken when none is fit.
    Cooling {
        /// Until when.
        until: Instant,
        /// Why.
        reason: Reason,
        /// Since when.
        since: Instant,
    },
    /// It cannot.
    Unfit {
        /// Until when at least; `None` if that is not known.
        until: Option<Instant>,
        /// Why.
        reason: Reason,
        /// Since when; `None` where that is a matter of configuration.
        since: Option<Instant>,
    },
}

// === impl Fitness ===

impl Fitness {
    pub(super) fn cooling(cooling: Option<Cooling>, now: Instant) -> Self {
        match cooling {
            Some(cooling) if cooling.until > now => Self::Cooling {
                until: cooling.until,
                reason: cooling.reason,
                since: cooling.since,
            },
            _ => Self::Fit,
        }
    }

    /// The fitness of what depends on both, such as a target and its credential: the worse of the two. Of two that
    /// cool down, the one that does so longer.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unfit { .. }, _) | (_, Self::Fit) => self,
            (Self::Cooling { until, .. }, Self::Cooling { until: end, .. }) if until >= end => self,
            _ => other,
        }
    }

    /// Until when it stays so, if that is known.
    pub fn until(&self) -> Option<Instant> {
        match *self {
            Self::Fit => None,
            Self::Cooling { until, .. } => Some(until),
            Self::Unfit { until, .. } => until,
        }
    }

    /// Why it is not fit.
    pub fn reason(&self) -> Option<Reason> {
        match *self {
            Self::Fit => None,
            Self::Cooling { reason, .. } | Self::Unfit { reason, .. } => Some(reason),
        }
    }

    /// Since when it is not fit, if that is known.
    pub fn since(&self) -> Option<Instant> {
        match *self {
            Self::Fit => None,
            Self::Cooling { since, .. } => Some(since),
            Self::Unfit { since, .. } => since,
        }
    }
}
