//! What has happened to the health of a target.

use std::{array, iter::Flatten, time::Duration};

use super::Reason;

/// What has happened to the health of a target, told once, to whoever brought it about.
///
/// What time alone brings about is not told: a cooldown that is over, or a breaker that lets a trial pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Turn {
    /// It cools down, and did not before.
    Cooling {
        /// Why.
        reason: Reason,
        /// For how long at first: another failure may extend it.
        time: Duration,
    },
    /// Its credential cools down, and did not before: so do all targets that use it.
    CredentialRefused {
        /// For how long at first.
        time: Duration,
    },
    /// Its breaker has opened; also when a trial has failed.
    BreakerOpened {
        /// How long until a trial may pass.
        time: Duration,
    },
    /// Its breaker has closed: trials have succeeded.
    BreakerClosed,
    /// A check in the background failed, and the one before did not.
    CheckFailed {
        /// Why.
        reason: Reason,
    },
    /// A check in the background succeeded, and the one before did not.
    CheckSucceeded,
}

// === impl Turn ===

impl Turn {
    /// The word: `cooling`, `credential_refused`, `breaker_opened`, `breaker_closed`, `check_failed` or `check_succeeded`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cooling { .. } => "cooling",
            Self::CredentialRefused { .. } => "credential_refused",
            Self::BreakerOpened { .. } => "breaker_opened",
            Self::BreakerClosed => "breaker_closed",
            Self::CheckFailed { .. } => "check_failed",
            Self::CheckSucceeded => "check_succeeded",
        }
    }
}

/// What a call's end has brought about: nothing nearly always, at most a cooldown and an open breaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns([Option<Turn>; 2]);

// === impl Turns ===

impl Turns {
    pub(super) fn new(first: Option<Turn>, second: Option<Turn>) -> Self {
        Self([first, second])
    }

    /// These, and in the second place the other if there is nothing.
    pub(super) fn or(self, other: Option<Turn>) -> Self {
        let Self([first, second]) = self;
        Self([first, second.or(other)])
    }
}

impl IntoIterator for Turns {
    type Item = Turn;
    type IntoIter = Flatten<array::IntoIter<Option<Turn>, 2>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().flatten()
    }
}
