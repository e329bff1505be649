//! How a target fares, for people.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{Fitness, Reason};

/// How a target fares, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthReport {
    /// In a word.
    pub status: HealthStatus,
    /// Why it is not well.
    pub reason: Option<Reason>,
    /// Since when it is not well, if that is known.
    pub since: Option<Timestamp>,
    /// Until when it stays so at least, if that is known.
    pub until: Option<Timestamp>,
    /// When it was last checked in the background.
    pub last_checked_at: Option<Timestamp>,
    /// What the upstream answered then, if it did.
    pub last_check_status: Option<StatusCode>,
}

/// How a target fares, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthStatus {
    /// It takes calls.
    Healthy,
    /// It takes none.
    Unhealthy,
    /// It takes calls that nothing else can take.
    Cooldown,
}

// === impl HealthReport ===

impl HealthReport {
    /// Tells a fitness, and the last check, in the time of the day: `now` is `wall`.
    pub(super) fn new(
        fitness: Fitness,
        last_check: Option<(Instant, Option<StatusCode>)>,
        now: Instant,
        wall: Timestamp,
    ) -> Self {
        let at = |instant| time_of_day(instant, now, wall);
        Self {
            status: match fitness {
                Fitness::Fit => HealthStatus::Healthy,
                Fitness::Cooling { .. } => HealthStatus::Cooldown,
                Fitness::Unfit { .. } => HealthStatus::Unhealthy,
            },
            reason: fitness.reason(),
            since: fitness.since().and_then(at),
            until: fitness.until().and_then(at),
            last_checked_at: last_check.and_then(|(instant, _)| at(instant)),
            last_check_status: last_check.and_then(|(_, status)| status),
        }
    }
}

impl HealthReport {
    /// The same with another fitness.
    pub(crate) fn but(self, fitness: Fitness, now: Instant, wall: Timestamp) -> Self {
        let Self {
            last_checked_at,
            last_check_status,
            ..
        } = self;
        Self {
            last_checked_at,
            last_check_status,
            ..Self::new(fitness, None, now, wall)
        }
    }
}

fn time_of_day(instant: Instant, now: Instant, wall: Timestamp) -> Option<Timestamp> {
    let ahead = SignedDuration::try_from(instant.saturating_duration_since(now)).ok()?;
    let behind = SignedDuration::try_from(now.saturating_duration_since(instant)).ok()?;
    wall.checked_add(ahead - behind).ok()
}

// === impl HealthStatus ===

impl HealthStatus {
    /// The word: `healthy`, `unhealthy` or `cooldown`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Cooldown => "cooldown",
        }
    }
}
