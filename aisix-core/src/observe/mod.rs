//! Watching requests. Observers see every ending once; they decide nothing.

mod health;
mod layer;
mod verdict;

use http::StatusCode;

pub(crate) use self::layer::{Incoming, Observe, ObserveLayer, Observers};
pub use self::{
    health::{HealthTurn, ReplicaTurn},
    verdict::{GuardVerdict, Phase, Ruling},
};
use crate::{
    call::{AttemptRecord, Trail},
    reply::Outcome,
};

/// Watches requests.
///
/// Called on the request's own task, `ended` maybe inside `Drop`: an observer hands over what it
/// sees and never blocks or panics. Observers are called in the order in which they were added.
pub trait Observer: Send + Sync + 'static {
    /// A request has come in. Its id, method and path are known.
    fn started(&self, _trail: &Trail) {}

    /// The request's route is known, and its operation if it has one. Not called for unknown paths
    /// and wrong methods.
    fn routed(&self, _trail: &Trail) {}

    /// An attempt at an upstream has ended: it has failed, or its answer was handed over, broke, or was dropped.
    fn attempt_ended(&self, _trail: &Trail, _attempt: &AttemptRecord) {}

    /// A guard has looked at the request, or at its answer.
    fn guard_ended(&self, _trail: &Trail, _verdict: &GuardVerdict<'_>) {}

    /// A question has ended that a hook had for another model, see [`Call::ask`](crate::call::Call::ask). The trail is its own: its
    /// operation, model and attempts are those of the question, the rest is the request's. `started`, `routed` and `ended` are
    /// not called for it, `attempt_ended` is.
    fn ask_ended(&self, _trail: &Trail, _outcome: &Outcome<'_>) {}

    /// An attempt of the request has changed the health of its target.
    fn health_turned(&self, _trail: &Trail, _turn: &HealthTurn<'_>) {}

    /// An attempt, or a check in the background, has changed the health of a replica of an upstream.
    fn replica_turned(&self, _turn: &ReplicaTurn<'_>) {}

    /// A request has ended. Called exactly once for each `started`.
    fn ended(&self, trail: &Trail, outcome: &Outcome<'_>);
}

/// The status that is recorded for a client that left before it got one.
pub const CLIENT_CLOSED_REQUEST: u16 = 499;

/// The status to report: the one that was sent, or [`CLIENT_CLOSED_REQUEST`].
pub fn reported_status(outcome: &Outcome<'_>) -> u16 {
    outcome
        .status
        .as_ref()
        .map_or(CLIENT_CLOSED_REQUEST, StatusCode::as_u16)
}
