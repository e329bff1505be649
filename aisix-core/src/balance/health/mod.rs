//! What is remembered of targets, and what that says about the next call.
//!
//! A [`TargetState`] belongs to one target: a model, or a replica of an upstream. It lives in
//! [`config::States`](crate::config::States), so it outlives snapshots; the [`HealthSettings`] come from the snapshot
//! with each use, so changing them keeps what is known. What can be wrong with a target, worst first:
//!
//! | what | since when | [`Fitness`] | until |
//! | --- | --- | --- | --- |
//! | it is drained or disabled ([`Mode`]) | configured | unfit | configured |
//! | its breaker is open ([`CircuitBreaker`]) | failures in a row, or a share of them | unfit | a trial has succeeded |
//! | a check in the background failed ([`Check`]) | that check | unfit | a check has succeeded, or is stale |
//! | it cools down ([`Cooldown`], [`Passive`]) | one failure, or several | cooling | a time |
//! | its [`Credential`] was refused | that refusal | cooling | a time, or the credential has worked |
//!
//! Time is passed in. What fails is never the fault of a target when the caller made a mistake, when the caller
//! left, or when the gateway itself refused: see [`Verdict`]. What changes is told by [`Turn`]s to whoever ended the
//! call, who knows the target's name. Nothing here waits but [`Slots`]. While a target is
//! well, a call costs a few atomic operations; otherwise one short lock, never held across a call.
//!
//! ```
//! use std::sync::Arc;
//!
//! use aisix_core::balance::health::{Fitness, HealthSettings, TargetState, Verdict};
//! use aisix_core::{Error, ErrorKind};
//! use tokio::time::Instant;
//!
//! let (state, settings) = (Arc::new(TargetState::new()), HealthSettings::default());
//! let now = Instant::now();
//! let attempt = state.admit(now, &settings).expect("its breaker is not open");
//! assert_eq!(state.in_flight(), 1);
//!
//! let error = Error::new(ErrorKind::Transport, "connection refused");
//! attempt.ended(now, Verdict::from(&error), &settings);
//! assert_eq!(state.in_flight(), 0);
//! assert!(matches!(state.fitness(now, &settings), Fitness::Cooling { .. }));
//! ```

mod adaptive;
mod average;
mod breaker;
mod check;
mod cooldown;
mod credential;
mod fitness;
mod flight;
mod passive;
mod reason;
mod report;
mod retry_budget;
mod settings;
mod slots;
mod target;
#[cfg(test)]
mod tests;
mod turn;
mod verdict;
mod window;

pub use self::{
    adaptive::{Adaptive, AdaptiveLimit, Place},
    check::Check,
    credential::Credential,
    fitness::Fitness,
    flight::InFlight,
    passive::Passive,
    reason::Reason,
    report::{HealthReport, HealthStatus},
    retry_budget::RetryBudget,
    settings::{HealthSettings, Mode},
    slots::{NoSlot, Slot, SlotLimits, Slots},
    target::TargetState,
    turn::{Turn, Turns},
    verdict::{Failure, Verdict},
};
pub use crate::config::resource::{CircuitBreaker, Cooldown};
