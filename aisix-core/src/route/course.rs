//! The attempts of a call, one after the other.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use smallvec::SmallVec;
use tokio::time::{Instant, sleep_until};
use tower_service::Service;

use super::{
    RouteLayer,
    attempts::Attempts,
    back_off::back_off,
    choose::{Choice, Chosen},
    rules::Rules,
    taken::Taken,
};
use crate::{
    balance::{
        Fitness,
        health::{Credential, TargetState},
    },
    call::{Attempt, AttemptKind, AttemptRecord, Call, Expense},
    error::Error,
    models::{Member, unavailable},
    reply::Reply,
    upstream::Exit,
};

/// The attempts of a call, one after the other, until one is answered.
///
/// It owns what it needs and knows where it is, so that it can go on when an answer turns out to be none.
pub(super) struct Course<S> {
    pub(super) inner: S,
    pub(super) route: RouteLayer,
    pub(super) call: Arc<Call>,
    pub(super) rules: Arc<Rules>,
    pub(super) members: Choice,
    /// Whether these are members of a group: each has limits and deadlines of its own.
    pub(super) is_group: bool,
    /// When all attempts are over, and how long that was from their beginning.
    pub(super) deadline: Option<(Instant, Duration)>,
    pub(super) attempts: Attempts,
    pub(super) progress: Progress,
}

/// How far a course has come.
#[derive(Default)]
pub(super) struct Progress {
    /// How many attempts were made, of those that the call has taken.
    attempts: u32,
    /// The name of the model that has answered.
    pub(super) served_by: Option<Arc<str>>,
    /// The position of the member that is tried.
    place: usize,
    /// How often it has failed.
    failed: u32,
    /// How many of these failures were made good by another replica, unasked.
    moved: u32,
    /// The replicas that have failed.
    failed_at: SmallVec<[Arc<TargetState>; 2]>,
    /// Whether the last attempt was sent to its upstream.
    was_sent: bool,
    /// Why the member before has failed.
    last: Option<Error>,
    /// What was refused there would be refused again.
    refused: Option<Arc<Credential>>,
}

impl<S> Course<S>
where
    S: Service<Attempt, Response = Reply, Error = Error>,
{
    /// Tries the members, each as often as it may be, from where it is.
    pub(super) async fn run(&mut self) -> Result<Reply, Error> {
        while self.progress.place < self.members.len() {
            match self.once().await {
                Ok(reply) => {
                    let name = self.tried().member.model.name();
                    self.progress.served_by = Some(name.clone());
                    return Ok(reply);
                }
                Err(error) => self.go_on(error).await?,
            }
        }
        let last = self.progress.last.take();
        Err(last.unwrap_or_else(|| unavailable(self.call.requested_model())))
    }

    /// Goes on to what is tried after this failure: the same member, when it is time, or another one.
    ///
    /// # Errors
    ///
    /// The failure, if nothing is.
    pub(super) async fn go_on(&mut self, error: Error) -> Result<(), Error> {
        self.progress.failed += 1;
        if self.may_move(&error) {
            self.progress.moved += 1;
            return Ok(());
        }
        if let Some(next) = self.again(&error) {
            sleep_until(next).await;
            return Ok(());
        }
        if self.next().is_none_or(|next| !self.may_go_on(&error, next)) {
            return Err(error);
        }
        if is_unauthorized(&error) {
            let refused = &self.tried().member.target.credential;
            self.progress.refused = Some(refused.clone());
        }
        self.progress.place = self.next().unwrap_or(self.members.len());
        self.progress.failed = 0;
        self.progress.moved = 0;
        self.progress.last = Some(error);
        Ok(())
    }

    /// Whether another replica of the member is asked at once: nothing was sent to the last one, and there is another. That
    /// burdens no upstream with more than one request, so it costs no retry and nothing of the budget for them.
    fn may_move(&self, error: &Error) -> bool {
        let now = Instant::now();
        let ways = self.tried().member.target.ways.as_ref();
        error.is_unsent()
            && ways.is_some_and(|ways| ways.has_other(&self.progress.failed_at, now))
            && !self.attempts.are_used_up()
            && !self.is_over(now)
    }

    /// When the member is asked again after this error, if it is.
    fn again(&self, error: &Error) -> Option<Instant> {
        let Progress { failed, moved, .. } = self.progress;
        let failed = failed - moved;
        let member = &self.tried().member;
        let retries = self.rules.retries(member, self.has_next());
        let most = match self.call.inbound.operation.may_retry {
            true => retries.most,
            false => 0,
        };
        if failed > most || self.attempts.are_used_up() || !self.rules.again(error, retries) {
            return None;
        }
        let pause = back_off(failed, error.retry_after(), fastrand::f64());
        let next = Instant::now() + pause;
        if self.is_over(next) || !member.target.has_replica(next) {
            return None;
        }
        if !self.route.budget.withdraw() {
            self.call.trail().mark("retry_budget", "exhausted");
            return None;
        }
        Some(next)
    }

    /// Whether a member may be tried after this error.
    fn may_go_on(&self, error: &Error, next: usize) -> bool {
        (self.call.inbound.operation.may_retry || !self.progress.was_sent)
            && (error.limit().is_some() || self.rules.elsewhere(error))
            && !self.attempts.are_used_up()
            && !self.is_over(Instant::now())
            && (self.members[next].fitness == Fitness::Fit || self.route.budget.withdraw())
    }

    /// The member that is tried.
    fn tried(&self) -> &Chosen {
        &self.members[self.progress.place]
    }

    /// The position of the next member that may be tried.
    fn next(&self) -> Option<usize> {
        let mut rest = self.progress.place + 1..self.members.len();
        rest.find(|place| !self.is_refused(&self.members[*place].member))
    }

    /// Whether there is another member that is as fit: then this one is not asked twice by default, and nobody queues for it.
    fn has_next(&self) -> bool {
        let next = self.next().map(|next| self.members[next].fitness);
        next == Some(self.tried().fitness)
    }

    fn is_refused(&self, member: &Member) -> bool {
        let refused = self.progress.refused.as_ref();
        refused.is_some_and(|refused| Arc::ptr_eq(refused, &member.target.credential))
    }

    fn is_over(&self, at: Instant) -> bool {
        self.deadline.is_some_and(|(end, _)| at >= end)
    }

    async fn once(&mut self) -> Result<Reply, Error> {
        self.progress.was_sent = false;
        self.progress.attempts += 1;
        let Chosen { member, fitness } = self.tried();
        let heeds_health = self.is_group && *fitness != Fitness::Unfit;
        let mut attempt = Attempt {
            call: self.call.clone(),
            model: member.model.clone(),
            target: member.target.clone(),
            upstream_model: member.upstream_model.clone(),
            number: self.attempts.begin(),
            kind: match (self.progress.attempts, self.progress.failed) {
                (1, _) => AttemptKind::Initial,
                (_, 0) => AttemptKind::Fallback,
                _ => AttemptKind::Retry,
            },
            expense: Expense::default(),
            started: Instant::now(),
            deadline: self.deadline,
        };
        // Who has another one to go to does not queue.
        let may_wait = !self.has_next();
        let failed_at = &self.progress.failed_at;
        let taken = Taken::take(
            &mut attempt,
            self.is_group,
            heeds_health,
            may_wait,
            failed_at,
        );
        let taken = match taken.await {
            Ok(taken) => taken,
            Err(error) => {
                let mut record = AttemptRecord::new(&attempt);
                record.error = Some(error.kind());
                self.call.trail().push_attempt(record);
                return Err(error);
            }
        };
        // Its own time begins when it has a seat.
        attempt.deadline = self.deadline_of(&attempt);
        let expense = attempt.expense.clone();
        let replica = attempt.target.replica().cloned();
        let answered = self.inner.call(attempt).await;
        let is_unsent = answered.as_ref().is_err_and(Error::is_unsent);
        self.progress.was_sent = expense.was_attempted() && !is_unsent;
        if let Some(replica) = replica.filter(|_| answered.is_err()) {
            self.progress.failed_at.push(replica.state.clone());
        }
        match self.call.exit {
            Exit::Send(_) => taken.ended(answered),
            // What is only shown says nothing about the target.
            Exit::Show(_) => answered,
        }
    }

    /// When an attempt is over. A stream has no deadline of its own, only a longest gap.
    fn deadline_of(&self, attempt: &Attempt) -> Option<(Instant, Duration)> {
        let total = attempt.target.deadlines.total;
        let own = total.filter(|_| self.is_group && !self.call.streams());
        let own = own.map(|total| (attempt.started + total, total));
        [own, self.deadline].into_iter().flatten().min()
    }
}

fn is_unauthorized(error: &Error) -> bool {
    let refusal = error.upstream();
    refusal.is_some_and(|refusal| refusal.status == Some(StatusCode::UNAUTHORIZED))
}
