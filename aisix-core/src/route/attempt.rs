//! One attempt, from its beginning to its answer.

use std::{sync::Arc, time::Duration};

use smallvec::SmallVec;
use tokio::time::Instant;

use super::taken::Taken;
use crate::{
    balance::health::TargetState,
    call::{Attempt, AttemptRecord, Expense},
    error::Error,
    replicas::Replica,
    reply::Reply,
};

/// Replicas that have failed.
pub(super) type FailedAt = SmallVec<[Arc<TargetState>; 2]>;

/// An attempt that is about to begin.
pub(super) struct Ready {
    pub(super) attempt: Attempt,
    /// Whether it has limits and deadlines of its own.
    pub(super) is_group: bool,
    pub(super) heeds_health: bool,
    pub(super) may_wait: bool,
    pub(super) failed_at: FailedAt,
}

/// An attempt that has begun.
pub(super) struct Begun {
    taken: Taken,
    expense: Expense,
    replica: Option<Arc<Replica>>,
    sends: bool,
}

/// What has become of an attempt.
pub(super) struct Ended {
    pub(super) answer: Result<Reply, Error>,
    /// Whether it was sent to its upstream.
    pub(super) was_sent: bool,
    /// The replica that has failed.
    pub(super) failed_at: Option<Arc<TargetState>>,
}

// === impl Ready ===

impl Ready {
    /// Begins it, as soon as it has what it takes.
    ///
    /// # Errors
    ///
    /// When it has not. That is on record then.
    pub(super) async fn begin(self) -> Result<(Attempt, Begun), Error> {
        let Self {
            mut attempt,
            is_group,
            heeds_health,
            may_wait,
            failed_at,
        } = self;
        let taken = Taken::take(&mut attempt, is_group, heeds_health, may_wait, &failed_at);
        let taken = match taken.await {
            Ok(taken) => taken,
            Err(error) => {
                let mut record = AttemptRecord::new(&attempt);
                record.error = Some(error.kind());
                attempt.call.trail().push_attempt(record);
                return Err(error);
            }
        };
        // Its own time begins when it has a seat.
        attempt.deadline = deadline_of(&attempt, is_group);
        let begun = Begun {
            taken,
            expense: attempt.expense.clone(),
            replica: attempt.target.replica().cloned(),
            sends: attempt.call.exit.sends(),
        };
        Ok((attempt, begun))
    }
}

/// When an attempt is over. A stream has no deadline of its own, only a longest gap.
fn deadline_of(attempt: &Attempt, is_group: bool) -> Option<(Instant, Duration)> {
    let total = attempt.target.deadlines.total;
    let own = total.filter(|_| is_group && !attempt.call.streams());
    let own = own.map(|total| (attempt.started + total, total));
    [own, attempt.deadline].into_iter().flatten().min()
}

// === impl Begun ===

impl Begun {
    /// It has an answer, or has failed.
    pub(super) fn ended(self, answered: Result<Reply, Error>) -> Ended {
        let is_unsent = answered.as_ref().is_err_and(Error::is_unsent);
        let failed_at = self.replica.filter(|_| answered.is_err());
        Ended {
            was_sent: self.expense.was_attempted() && !is_unsent,
            failed_at: failed_at.map(|replica| replica.state.clone()),
            answer: match self.sends {
                true => self.taken.ended(answered),
                // What is only shown says nothing about the target.
                false => answered,
            },
        }
    }

    /// Another one was faster.
    pub(super) fn overtaken(self, is_stream: bool) {
        self.taken.overtaken(is_stream);
    }
}

// === impl Ended ===

impl Ended {
    /// It has failed before it began.
    pub(super) fn early(error: Error) -> Self {
        Self {
            answer: Err(error),
            was_sent: false,
            failed_at: None,
        }
    }
}
