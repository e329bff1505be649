//! The attempts of a call, one after the other.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::time::{Instant, sleep_until};
use tower_service::Service;

use super::{
    RouteLayer,
    attempt::{Begun, Ended, FailedAt, Ready},
    attempts::Attempts,
    back_off::back_off,
    choose::{Choice, Chosen},
    rules::Rules,
    thread,
};
use crate::{
    balance::{Fitness, health::Credential},
    call::{Attempt, AttemptKind, Call, Expense, Race},
    error::Error,
    models::{Member, unavailable},
    reply::Reply,
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
    pub(super) place: usize,
    /// The position of a member that was tried beside another one, and has failed.
    pub(super) passed: Option<usize>,
    /// How often it has failed.
    failed: u32,
    /// How many of these failures were made good by another replica, unasked.
    moved: u32,
    /// The replicas that have failed.
    failed_at: FailedAt,
    /// Whether the last attempt was sent to its upstream.
    was_sent: bool,
    /// Why the member before has failed.
    last: Option<Error>,
    /// What was refused there would be refused again.
    refused: Option<Arc<Credential>>,
    /// The text that has been said already: only who can go on with it is tried.
    begun: Option<Arc<str>>,
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
                    self.has_served();
                    return Ok(reply);
                }
                Err(error) => self.go_on(error).await?,
            }
        }
        let last = self.progress.last.take();
        Err(last.unwrap_or_else(|| unavailable(self.call.requested_model())))
    }

    /// Whoever is tried has answered.
    pub(super) fn has_served(&mut self) {
        let name = self.tried().member.model.name();
        self.progress.served_by = Some(name.clone());
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

    /// The same after this text has been said.
    pub(super) fn begin_with(&mut self, text: Arc<str>) {
        self.progress.begun = Some(text);
    }

    /// Whether what it tries goes on with a text.
    pub(super) fn goes_on(&self) -> bool {
        self.progress.begun.is_some()
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
        let may = failed <= most && !self.attempts.are_used_up() && self.can_go_on(member);
        if !may || !self.rules.again(error, retries) {
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
            && (error.limit().is_some() || self.rules.elsewhere(error) || self.refuses_begun(error))
            && !self.attempts.are_used_up()
            && !self.is_over(Instant::now())
            && (self.members[next].fitness == Fitness::Fit || self.route.budget.withdraw())
    }

    /// The member that is tried.
    pub(super) fn tried(&self) -> &Chosen {
        &self.members[self.progress.place]
    }

    /// The position of the next member that may be tried.
    pub(super) fn next(&self) -> Option<usize> {
        let mut rest = self.progress.place + 1..self.members.len();
        rest.find(|place| {
            let member = &self.members[*place].member;
            let is_passed = self.progress.passed == Some(*place);
            !is_passed && !self.is_refused(member) && self.can_go_on(member)
        })
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

    /// Whether a member goes on with what has been said, if anything has.
    fn can_go_on(&self, member: &Member) -> bool {
        !self.goes_on() || thread::goes_on(member, &self.call)
    }

    /// Whether it may be the text to go on with that the upstream does not like: some models take none.
    fn refuses_begun(&self, error: &Error) -> bool {
        let refusal = error.upstream().and_then(|refusal| refusal.status);
        self.goes_on() && refusal == Some(StatusCode::BAD_REQUEST)
    }

    pub(super) fn is_over(&self, at: Instant) -> bool {
        self.deadline.is_some_and(|(end, _)| at >= end)
    }

    async fn once(&mut self) -> Result<Reply, Error> {
        self.progress.was_sent = false;
        let kind = match (self.progress.attempts, self.progress.failed) {
            (0, _) => AttemptKind::Initial,
            (_, 0) => AttemptKind::Fallback,
            _ => AttemptKind::Retry,
        };
        let ready = self.ready(self.progress.place, kind, None);
        let (attempt, begun) = ready.begin().await?;
        let answered = self.inner.call(attempt).await;
        self.ended(begun, answered)
    }

    /// Makes an attempt ready.
    pub(super) fn ready(&mut self, place: usize, kind: AttemptKind, race: Option<&Race>) -> Ready {
        self.progress.attempts += 1;
        let Chosen { member, fitness } = &self.members[place];
        Ready {
            attempt: Attempt {
                call: self.call.clone(),
                model: member.model.clone(),
                target: member.target.clone(),
                upstream_model: member.upstream_model.clone(),
                number: self.attempts.begin(),
                kind,
                begun: self.progress.begun.clone(),
                race: race.cloned(),
                expense: Expense::default(),
                started: Instant::now(),
                deadline: self.deadline,
            },
            is_group: self.is_group,
            heeds_health: self.is_group && *fitness != Fitness::Unfit,
            // Who has another one to go to does not queue.
            may_wait: kind != AttemptKind::Hedge && !self.has_next(),
            failed_at: self.progress.failed_at.clone(),
        }
    }

    /// An attempt has an answer, or has failed.
    pub(super) fn ended(
        &mut self,
        begun: Begun,
        answered: Result<Reply, Error>,
    ) -> Result<Reply, Error> {
        let ended = begun.ended(answered);
        self.take_note(ended)
    }

    pub(super) fn take_note(&mut self, ended: Ended) -> Result<Reply, Error> {
        self.progress.was_sent |= ended.was_sent;
        self.progress.failed_at.extend(ended.failed_at);
        ended.answer
    }
}

fn is_unauthorized(error: &Error) -> bool {
    let refusal = error.upstream();
    refusal.is_some_and(|refusal| refusal.status == Some(StatusCode::UNAUTHORIZED))
}
