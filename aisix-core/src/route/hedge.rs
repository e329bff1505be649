//! A second attempt while the first one takes its time.
//!
//! Waiting for the slowest of many answers is what makes a tail long; asking another one as well, once the first has
//! taken longer than it usually takes, shortens it at the price of few requests: J. Dean and L. A. Barroso, "The Tail at
//! Scale" (2013), "hedged requests".

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use futures_util::future::{Either, select};
use tokio::time::{Instant, timeout_at};
use tower_service::Service;

use super::{
    attempt::Ended,
    choose::Chosen,
    course::Course,
    takeover::{Takeover, Went},
    tell_group, told,
};
use crate::{
    balance::{
        Fitness,
        health::{HedgeBudget, TargetState},
    },
    call::{Attempt, AttemptKind, Expense, Race},
    config::resource,
    error::Error,
    limit::prompt_tokens,
    models::Target,
    reply::Reply,
};

/// When the calls of a group have a second attempt.
#[derive(Clone, Debug)]
pub(crate) struct Hedging {
    /// The share of answers that usually come before that.
    share: f64,
    least: Duration,
    max_extra_share: f64,
    budget: Arc<HedgeBudget>,
}

// === impl Hedging ===

impl Hedging {
    pub(crate) fn new(settings: resource::Hedging, budget: Arc<HedgeBudget>) -> Self {
        Self {
            share: settings.percentile / 100.0,
            least: Duration::from_millis(settings.min_delay_ms),
            max_extra_share: settings.max_extra_share,
            budget,
        }
    }

    /// How long the first target has before the next is asked, too: as long as usually suffices for the first, or for the
    /// next if that is less, since by then it would have answered. Where neither is known, what suffices for all together.
    pub(super) fn delay<'t>(
        &self,
        first: &Target,
        next: &Target,
        all: impl Iterator<Item = &'t Arc<Target>>,
        is_stream: bool,
    ) -> Duration {
        let known = [first, next].map(|target| target.state.usual(self.share, is_stream));
        let known = known.into_iter().flatten().min();
        let together = || {
            let states = all.map(|target| &*target.state);
            TargetState::usual_of(states, self.share, is_stream)
        };
        known
            .or_else(together)
            .map_or(self.least, |usual| usual.max(self.least))
    }

    /// Gives back what was taken for a second attempt that was never sent.
    fn settle(&self, was_sent: bool) {
        if !was_sent {
            self.budget.give_back();
        }
    }
}

/// How a call may be hedged, if it may be.
pub(super) fn hedged<S>(course: &Course<S>) -> Option<Arc<Hedging>> {
    let hedging = course.rules.hedging.as_ref()?;
    let may = course.members.len() > 1
        && course.call.inbound.operation.may_retry
        && course.call.exit.sends();
    may.then(|| {
        hedging.budget.deposit(hedging.max_extra_share);
        hedging.clone()
    })
}

/// Serves a call of a group, its first attempt hedged.
///
/// While a stream of either is as silent as no client may be left, neither counts as faster: the answer begins with
/// heartbeats, and the attempts go on in it.
pub(super) async fn serve<S>(course: Course<S>, hedging: Arc<Hedging>) -> Result<Reply, Error>
where
    S: Service<Attempt, Response = Reply, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    let race = Race::default();
    let (call, rules) = (course.call.clone(), course.rules.clone());
    let (attempts, heartbeat) = (course.attempts.clone(), course.route.heartbeat);
    let first = course.tried().member.model.name().clone();
    let began = Instant::now();
    let went: Pin<Box<dyn Future<Output = Went<S>> + Send>> =
        Box::pin(run(course, hedging, race.clone()));
    match select(went, pin!(race.silence())).await {
        Either::Left(((course, answer), _)) => told(course, answer),
        Either::Right(((), went)) => {
            let mut reply = Takeover::before(went, &call, &rules, heartbeat, began);
            tell_group(&mut reply, attempts.count(), &first);
            Ok(reply)
        }
    }
}

/// The course, its first attempt hedged.
async fn run<S>(mut course: Course<S>, hedging: Arc<Hedging>, race: Race) -> Went<S>
where
    S: Service<Attempt, Response = Reply, Error = Error> + Clone,
{
    let answer = match course.hedged(&hedging, &race).await {
        Ok(reply) => {
            course.has_served();
            Ok(reply)
        }
        Err(error) => match course.go_on(error).await {
            Ok(()) => course.run().await,
            Err(error) => Err(error),
        },
    };
    (course, answer)
}

// === impl Course ===

impl<S> Course<S>
where
    S: Service<Attempt, Response = Reply, Error = Error> + Clone,
{
    /// Makes the first attempt, and a second one when that takes too long. If both fail, it is the first that has.
    async fn hedged(&mut self, hedging: &Hedging, race: &Race) -> Result<Reply, Error> {
        let first = self.ready(self.progress.place, AttemptKind::Initial, Some(race));
        let (attempt, begun) = first.begin().await?;
        let end = attempt.started + self.delay(hedging);
        let mut answer = Box::pin(self.inner.call(attempt));
        if let Ok(answered) = timeout_at(end, &mut answer).await {
            return self.ended(begun, answered);
        }
        let Some(place) = self.hedge(hedging) else {
            let answered = answer.await;
            return self.ended(begun, answered);
        };
        let (expense, second) = self.second(place, race);
        match select(answer, second).await {
            Either::Left((Ok(reply), second)) => {
                race.decide(prompt_tokens(&self.call));
                drop(second);
                hedging.settle(expense.was_attempted());
                self.ended(begun, Ok(reply))
            }
            Either::Left((Err(error), second)) => {
                // It is given back at once what it has taken.
                let failed = self.ended(begun, Err(error));
                let hedge = second.await;
                self.hedge_ended(hedging, place, hedge).or(failed)
            }
            Either::Right((hedge, answer)) if hedge.answer.is_ok() => {
                race.decide(prompt_tokens(&self.call));
                drop(answer);
                begun.overtaken(self.call.streams());
                self.hedge_ended(hedging, place, hedge)
            }
            Either::Right((hedge, answer)) => {
                // Why it failed is on record.
                let _ = self.hedge_ended(hedging, place, hedge);
                let answered = answer.await;
                self.ended(begun, answered)
            }
        }
    }

    /// How long the first attempt has.
    fn delay(&self, hedging: &Hedging) -> Duration {
        let first = &self.tried().member.target;
        let next = self.next().map(|next| &self.members[next].member.target);
        let all = self.members.iter().map(|chosen| &chosen.member.target);
        hedging.delay(first, next.unwrap_or(first), all, self.call.streams())
    }

    /// The position of the member that is asked as well, if one is: the next, if it is well.
    fn hedge(&self, hedging: &Hedging) -> Option<usize> {
        let now = Instant::now();
        let place = self.next()?;
        let Chosen { member, fitness } = &self.members[place];
        let is_fit =
            *fitness == Fitness::Fit && Fitness::from(member.target.fitness(now)) == Fitness::Fit;
        if !is_fit || self.is_over(now) || self.attempts.are_used_up() {
            return None;
        }
        if !hedging.budget.withdraw() {
            self.call.trail().mark("hedge_budget", "exhausted");
            return None;
        }
        Some(place)
    }

    /// The second attempt, and what tells whether it was sent. Dropped, it gives back what it has taken.
    fn second(
        &mut self,
        place: usize,
        race: &Race,
    ) -> (Expense, Pin<Box<impl Future<Output = Ended> + use<S>>>) {
        let ready = self.ready(place, AttemptKind::Hedge, Some(race));
        let expense = ready.attempt.expense.clone();
        let mut inner = self.inner.clone();
        let ended = async move {
            match ready.begin().await {
                Ok((attempt, begun)) => begun.ended(inner.call(attempt).await),
                Err(error) => Ended::early(error),
            }
        };
        (expense, Box::pin(ended))
    }

    /// The second attempt has an answer, or has failed.
    fn hedge_ended(
        &mut self,
        hedging: &Hedging,
        place: usize,
        hedge: Ended,
    ) -> Result<Reply, Error> {
        hedging.settle(hedge.was_sent);
        match hedge.answer.is_ok() {
            true => self.progress.place = place,
            false => self.progress.passed = Some(place),
        }
        self.take_note(hedge)
    }
}
