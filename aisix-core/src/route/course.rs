//! The attempts of a call, one after the other.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::time::{Instant, sleep_until};
use tower_service::Service;

use super::{RouteLayer, back_off::back_off, rules::Rules};
use crate::{
    balance::{
        Fitness,
        health::{Credential, InFlight},
    },
    call::{Attempt, AttemptKind, AttemptRecord, Call, Expense},
    error::Error,
    limit::Held,
    models::{Member, unavailable},
    reply::Reply,
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
        // Nothing was sent: the member itself has refused.
        let is_own = error.limit().is_some();
        (is_own || self.call.inbound.operation.may_retry && self.rules.elsewhere(error))
            && self.attempts < MAX_ATTEMPTS
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
        loop {
            let kind = match (self.attempts, failed) {
                (0, _) => AttemptKind::Initial,
                (_, 0) => AttemptKind::Fallback,
                _ => AttemptKind::Retry,
            };
            let error = match self.once(member, kind).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            failed += 1;
            if failed > most
                || self.attempts >= MAX_ATTEMPTS
                || error.limit().is_some()
                || !self.rules.again(&error, retries)
            {
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

    async fn once(&mut self, member: &Member, kind: AttemptKind) -> Result<Reply, Error> {
        let started = Instant::now();
        let Some(in_flight) = self.admit(member, started) else {
            return Err(unavailable(self.call.requested_model()));
        };
        self.attempts += 1;
        let attempt = Attempt {
            call: self.call.clone(),
            model: member.model.clone(),
            target: member.target.clone(),
            upstream_model: member.upstream_model.clone(),
            number: self.attempts,
            kind,
            expense: Expense::default(),
            started,
            deadline: self.deadline_of(member, started),
        };
        // Limits of a model that stands for itself were taken with the call's.
        let held = match self.is_group {
            true => self.call.limits.take_for(&attempt).await,
            false => Ok(None),
        };
        let held = match held {
            Ok(held) => held,
            Err(error) => {
                let mut record = AttemptRecord::new(&attempt);
                record.error = Some(error.kind());
                self.call.trail().push_attempt(record);
                return Err(error);
            }
        };
        let answered = self.inner.call(attempt).await;
        ended(answered, in_flight, held, member)
    }

    /// Begins a call of a member; `None` if its breaker does not let it pass. A model that stands for itself is asked whatever
    /// is known of it.
    fn admit(&self, member: &Member, now: Instant) -> Option<InFlight> {
        let target = &member.target;
        let in_flight = match self.is_group && self.fitness != Fitness::Unfit {
            true => target.state.admit(now, &target.health)?,
            false => target.state.begin(now),
        };
        Some(in_flight.using(&target.credential))
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

/// Tells the target how the attempt ended, at once or with its reply.
fn ended(
    answered: Result<Reply, Error>,
    mut in_flight: InFlight,
    held: Option<Held>,
    member: &Member,
) -> Result<Reply, Error> {
    let now = Instant::now();
    match answered {
        Ok(mut reply) => {
            in_flight.head_received(now);
            if reply.is_event_stream() {
                in_flight.first_token(now);
            }
            let target = member.target.clone();
            reply.on_end(move |outcome| {
                in_flight.ended(Instant::now(), outcome.end.into(), &target.health);
                if let Some(held) = held {
                    held.settle(outcome.usage);
                }
            });
            Ok(reply)
        }
        Err(error) => {
            in_flight.ended(now, (&error).into(), &member.target.health);
            if let Some(held) = held {
                held.refused();
            }
            Err(error)
        }
    }
}
