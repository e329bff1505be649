//! The stage: who serves a call, and attempts until one answers.

mod back_off;
mod choose;
mod course;
mod ensemble;
mod rules;
mod taken;
mod tell;

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderName, HeaderValue};
use smallvec::SmallVec;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

pub(crate) use self::rules::Rules;
use self::{choose::choose, course::Course};
use crate::{
    balance::{
        Fitness,
        health::{Mode, RetryBudget},
    },
    call::{Attempt, Call},
    config::States,
    error::Error,
    hook::Beyond,
    models::{Member, Routing, Serves, unavailable},
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
                Serves::Direct(_) => layer.direct(inner, &call).await,
                Serves::Routing(routing) => layer.routed(inner, &call, routing).await,
                Serves::Ensemble(ensemble) => layer.convened(inner, &call, ensemble).await,
                Serves::Nobody => Err(unavailable(call.requested_model())),
            }
        })
    }
}

impl RouteLayer {
    /// Serves a call of a model that stands for itself.
    async fn direct<S>(&self, inner: S, call: &Arc<Call>) -> Result<Reply, Error>
    where
        S: Service<Attempt, Response = Reply, Error = Error>,
    {
        let member = Member::of(&call.model, call.requested_model());
        let is_on = |member: &Member| member.target.health.mode != Mode::Disabled;
        let member = member.filter(is_on);
        let members: SmallVec<[&Member; 1]> = member.iter().collect();
        // A stream has no total deadline, only a longest gap.
        let total = member.as_ref().and_then(|it| it.target.deadlines.total);
        let total = total.filter(|_| !call.streams());
        let mut course = Course {
            inner,
            route: self,
            call,
            rules: &self.rules,
            is_group: false,
            fitness: Fitness::Fit,
            deadline: total.map(|total| (Instant::now() + total, total)),
            attempts: 0,
            was_sent: false,
            served_by: None,
        };
        course.run(&members).await
    }

    /// Serves a call of a group.
    async fn routed<S>(&self, inner: S, call: &Arc<Call>, routing: &Routing) -> Result<Reply, Error>
    where
        S: Service<Attempt, Response = Reply, Error = Error>,
    {
        let now = Instant::now();
        let choice = choose(call, routing, now)?;
        let total = routing.rules.deadline;
        // Hooks have taken their part of it.
        let gone = call.trail().age();
        let mut course = Course {
            inner,
            route: self,
            call,
            rules: &routing.rules,
            is_group: true,
            fitness: choice.fitness,
            deadline: total.map(|total| (now + total.saturating_sub(gone), total)),
            attempts: 0,
            was_sent: false,
            served_by: None,
        };
        let members = choice.order.iter().map(|place| &routing.members[*place]);
        let members: SmallVec<[&Member; 8]> = members.collect();
        let answer = course.run(&members).await;
        let attempts = HeaderValue::from(course.attempts);
        match answer {
            Ok(mut reply) => {
                let headers = reply.headers_mut();
                headers.insert(ATTEMPTS, attempts);
                let name = course.served_by.as_deref().unwrap_or_default();
                if let Ok(name) = HeaderValue::from_bytes(name.as_bytes()) {
                    headers.insert(SERVED_BY, name);
                }
                Ok(reply)
            }
            Err(error) => Err(error.with_header(ATTEMPTS, attempts)),
        }
    }
}
