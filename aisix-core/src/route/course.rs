//! The attempts of a call, one after the other.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::time::{Instant, sleep_until};
use tower_service::Service;

use super::{RouteLayer, back_off::back_off, rules::Rules, taken::Taken};
use crate::{
    balance::{Fitness, health::Credential},
    call::{Attempt, AttemptKind, AttemptRecord, Call, Expense},
    error::Error,
    models::{Member, unavailable},
    reply::Reply,
    upstream::Exit,
};

/// The most attempts of one call, whatever is configured.
const MAX_ATTEMPTS: u32 = 16;

/// The attempts of a call, one after the other, until one is answered.
pub(super) struct Course<'c, S> {
    pub(super) inner: S,
    pub(super) route: &'c RouteLayer,
    pub(super) call: &'c Arc<Call>,
    pub(super) rules: &'c Rules,
    /// Whether these are members of a group: each has limits and deadlines of its own.
    pub(super) is_group: bool,
    /// How well those are that are tried.
    pub(super) fitness: Fitness,
    /// When all attempts are over, and how long that was from their beginning.
    pub(super) deadline: Option<(Instant, Duration)>,
    /// How many were made.
    pub(super) attempts: u32,
    /// Whether the last attempt was sent to its upstream.
    pub(super) was_sent: bool,
    /// The name of the model that has answered.
    pub(super) served_by: Option<Arc<str>>,
}

impl<S> Course<'_, S>
where
    S: Service<Attempt, Response = Reply, Error = Error>,
{
    /// Tries the members, each as often as it may be.
    pub(super) async fn run(&mut self, members: &[&Member]) -> Result<Reply, Error> {
        let mut last = None;
        let mut refused: Option<&Arc<Credential>> = None;
        for (place, member) in members.iter().enumerate() {
            let target = &member.target;
            // What was refused there would be refused here.
            let is_refused = |member: &Member| {
                refused.is_some_and(|refused| Arc::ptr_eq(refused, &member.target.credential))
            };
            if is_refused(member) {
                continue;
            }
            let has_next = members[place + 1..].iter().any(|next| !is_refused(next));
            match self.at(member, has_next).await {
                Ok(reply) => {
                    self.served_by = Some(member.model.name().clone());
                    return Ok(reply);
                }
                Err(error) if has_next && self.may_go_on(&error) => {
                    if is_unauthorized(&error) {
                        refused = Some(&target.credential);
                    }
                    last = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| unavailable(self.call.requested_model())))
    }

    /// Whether the next member may be tried after this error.
    fn may_go_on(&self, error: &Error) -> bool {
        (self.call.inbound.operation.may_retry || !self.was_sent)
            && (error.limit().is_some() || self.rules.elsewhere(error))
            && self.call.trail().begun() < MAX_ATTEMPTS
            && !self.is_over(Instant::now())
            && (self.fitness == Fitness::Fit || self.route.budget.withdraw())
    }

    /// Tries one member.
    async fn at(&mut self, member: &Member, has_next: bool) -> Result<Reply, Error> {
        let retries = self.rules.retries(member, has_next);
        let most = match self.call.inbound.operation.may_retry {
            true => retries.most,
            false => 0,
        };
        let mut failed = 0;
        // Who has another one to go to does not queue.
        let may_wait = !has_next;
        loop {
            let kind = match (self.attempts, failed) {
                (0, _) => AttemptKind::Initial,
                (_, 0) => AttemptKind::Fallback,
                _ => AttemptKind::Retry,
            };
            let error = match self.once(member, kind, may_wait).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            failed += 1;
            let is_last = failed > most || self.call.trail().begun() >= MAX_ATTEMPTS;
            if is_last || !self.rules.again(&error, retries) {
                return Err(error);
            }
            let pause = back_off(failed, error.retry_after(), fastrand::f64());
            let next = Instant::now() + pause;
            if self.is_over(next) {
                return Err(error);
            }
            if !self.route.budget.withdraw() {
                self.call.trail().mark("retry_budget", "exhausted");
                return Err(error);
            }
            sleep_until(next).await;
        }
    }

    fn is_over(&self, at: Instant) -> bool {
        self.deadline.is_some_and(|(end, _)| at >= end)
    }

    async fn once(
        &mut self,
        member: &Member,
        kind: AttemptKind,
        may_wait: bool,
    ) -> Result<Reply, Error> {
        self.was_sent = false;
        self.attempts += 1;
        let started = Instant::now();
        let mut attempt = Attempt {
            call: self.call.clone(),
            model: member.model.clone(),
            target: member.target.clone(),
            upstream_model: member.upstream_model.clone(),
            number: self.call.trail().begin_attempt(),
            kind,
            expense: Expense::default(),
            started,
            deadline: self.deadline,
        };
        let heeds_health = self.is_group && self.fitness != Fitness::Unfit;
        let taken = Taken::take(&mut attempt, self.is_group, heeds_health, may_wait);
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
        attempt.deadline = self.deadline_of(member, attempt.started);
        let expense = attempt.expense.clone();
        let answered = self.inner.call(attempt).await;
        self.was_sent = expense.was_attempted();
        match self.call.exit {
            Exit::Send(_) => taken.ended(answered),
            // What is only shown says nothing about the target.
            Exit::Show(_) => answered,
        }
    }

    /// When an attempt is over. A stream has no deadline of its own, only a longest gap.
    fn deadline_of(&self, member: &Member, started: Instant) -> Option<(Instant, Duration)> {
        let total = member.target.deadlines.total;
        let own = total.filter(|_| self.is_group && !self.call.streams());
        let own = own.map(|total| (started + total, total));
        [own, self.deadline].into_iter().flatten().min()
    }
}

fn is_unauthorized(error: &Error) -> bool {
    let refusal = error.upstream();
    refusal.is_some_and(|refusal| refusal.status == Some(StatusCode::UNAUTHORIZED))
}
