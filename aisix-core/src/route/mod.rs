//! The stage: who serves a call, and attempts until one answers.

mod attempt;
mod attempts;
mod back_off;
mod choose;
mod conversation;
mod course;
mod ensemble;
mod examples;
mod hedge;
mod overlap;
mod rules;
mod semantic;
mod synthesis;
mod taken;
mod takeover;
mod tell;
mod thread;

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderName, HeaderValue};
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use self::{
    attempts::Attempts,
    choose::{Chosen, choose},
    course::{Course, Progress},
    takeover::Takeover,
};
pub(crate) use self::{examples::Examples, hedge::Hedging, rules::Rules};
use crate::{
    balance::{
        Fitness,
        health::{Mode, RetryBudget},
    },
    call::{Attempt, Call},
    config::States,
    error::Error,
    hook::Beyond,
    models::{Member, Routing, Serves},
    reply::Reply,
    stage::{StageFuture, replace},
    upstream::Settings,
};

/// The model that has served a call of a group.
const SERVED_BY: HeaderName = HeaderName::from_static("x-aisix-served-by");
/// How many attempts a call of a group took.
const ATTEMPTS: HeaderName = HeaderName::from_static("x-aisix-attempts");

/// Turns a [`Call`] into one [`Attempt`] or several.
///
/// A failed attempt is made again while nothing has reached the client, here or elsewhere, as often as the model
/// allows, all within one deadline.
#[derive(Clone)]
pub(crate) struct RouteLayer {
    /// What all calls of this process may try again.
    budget: Arc<RetryBudget>,
    /// The rules of models that stand for themselves.
    rules: Arc<Rules>,
    /// The longest silence in a stream to a client.
    heartbeat: Option<Duration>,
}

/// See [`RouteLayer`].
#[derive(Clone)]
pub(crate) struct Router<S> {
    inner: S,
    layer: RouteLayer,
}

// === impl RouteLayer ===

impl RouteLayer {
    pub(crate) fn new(settings: Settings, states: &States) -> Self {
        let rules = Rules {
            default_retries: settings.retries,
            ..Rules::default()
        };
        Self {
            budget: states.state("retry budget", RetryBudget::default),
            rules: Arc::new(rules),
            heartbeat: settings.heartbeat,
        }
    }
}

impl<S> Layer<S> for RouteLayer {
    type Service = Router<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Router {
            inner,
            layer: self.clone(),
        }
    }
}

// === impl Router ===

impl<S> Service<Call> for Router<S>
where
    S: Service<Attempt, Response = Reply, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Reply;
    type Error = Error;
    type Future = StageFuture<Reply, Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut call: Call) -> Self::Future {
        let inner = replace(&mut self.inner);
        let layer = self.layer.clone();
        let gone = call.beyond.take().map(Beyond::enter);
        let call = Arc::new(call);
        Box::pin(async move {
            let _gone = gone;
            // What is only explained pays nothing in.
            if call.exit.sends() {
                layer.budget.deposit();
            }
            match &call.model.serves {
                Serves::Direct(_) => layer.direct(inner, call).await,
                Serves::Routing(routing) => layer.routed(inner, &call, routing).await,
                Serves::Ensemble(ensemble) => layer.convened(inner, &call, ensemble).await,
                Serves::Semantic(semantic) => layer.by_meaning(inner, &call, semantic).await,
            }
        })
    }
}

impl RouteLayer {
    /// Serves a call of a model that stands for itself.
    async fn direct<S>(self, inner: S, call: Arc<Call>) -> Result<Reply, Error>
    where
        S: Service<Attempt, Response = Reply, Error = Error> + Send + 'static,
        S::Future: Send,
    {
        let member = Member::of(&call.model, call.requested_model());
        let is_on = |member: &Member| member.target.health.mode != Mode::Disabled;
        let fitness = Fitness::Fit;
        let alone = member
            .filter(is_on)
            .map(|member| Chosen { member, fitness });
        // A stream has no total deadline, only a longest gap.
        let target = alone.as_ref().map(|alone| &alone.member.target);
        let total = target.and_then(|target| target.deadlines.total);
        let total = total.filter(|_| !call.streams());
        let mut course = Course {
            inner,
            rules: self.rules.clone(),
            route: self,
            call,
            members: alone.into_iter().collect(),
            is_group: false,
            deadline: total.map(|total| (Instant::now() + total, total)),
            attempts: Attempts::default(),
            progress: Progress::default(),
        };
        let reply = course.run().await?;
        Ok(Takeover::of(reply, course))
    }

    /// Serves a call of a group.
    async fn routed<S>(self, inner: S, call: &Arc<Call>, routing: &Routing) -> Result<Reply, Error>
    where
        S: Service<Attempt, Response = Reply, Error = Error> + Clone + Send + 'static,
        S::Future: Send,
    {
        let now = Instant::now();
        let members = choose(call, routing, now)?;
        let total = routing.rules.deadline;
        // Hooks have taken their part of it.
        let gone = call.trail().age();
        let mut course = Course {
            inner,
            route: self,
            call: call.clone(),
            rules: routing.rules.clone(),
            members,
            is_group: true,
            deadline: total.map(|total| (now + total.saturating_sub(gone), total)),
            attempts: Attempts::default(),
            progress: Progress::default(),
        };
        if let Some(hedging) = hedge::hedged(&course) {
            return hedge::serve(course, hedging).await;
        }
        let answer = course.run().await;
        told(course, answer)
    }
}

/// The answer to a call of a group, which tells how it came about.
fn told<S>(course: Course<S>, answer: Result<Reply, Error>) -> Result<Reply, Error>
where
    S: Service<Attempt, Response = Reply, Error = Error> + Send + 'static,
    S::Future: Send,
{
    let attempts = course.attempts.count();
    match answer {
        Ok(mut reply) => {
            let name = course.progress.served_by.as_deref().unwrap_or_default();
            tell_group(&mut reply, attempts, name);
            Ok(Takeover::of(reply, course))
        }
        Err(error) => Err(error.with_header(ATTEMPTS, attempts.into())),
    }
}

fn tell_group(reply: &mut Reply, attempts: u32, served_by: &str) {
    let headers = reply.headers_mut();
    headers.insert(ATTEMPTS, attempts.into());
    if let Ok(name) = HeaderValue::from_bytes(served_by.as_bytes()) {
        headers.insert(SERVED_BY, name);
    }
}
