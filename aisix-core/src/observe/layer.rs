//! The outermost stage: every ending is reported once.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::header::USER_AGENT;
use tower_layer::Layer;
use tower_service::Service;

use super::Observer;
use crate::{
    body::Body,
    call::Trail,
    edge::Edge,
    reply::{End, Outcome, Reply},
    stage::{StageFuture, replace},
};

/// A request with the record that observers read.
pub(crate) struct Incoming {
    pub(crate) request: http::Request<Body>,
    pub(crate) trail: Trail,
}

/// Starts the trail of each request, and reports its end.
#[derive(Clone)]
pub(crate) struct ObserveLayer {
    edge: Arc<Edge>,
    observers: Observers,
}

/// See [`ObserveLayer`].
#[derive(Clone)]
pub(crate) struct Observe<S> {
    inner: S,
    layer: ObserveLayer,
}

pub(crate) type Observers = Arc<[Arc<dyn Observer>]>;

/// Reports a client that leaves before there is a reply.
struct Waiting {
    trail: Option<Trail>,
    observers: Observers,
}

// === impl ObserveLayer ===

impl ObserveLayer {
    pub(crate) fn new(edge: Arc<Edge>, observers: Observers) -> Self {
        Self { edge, observers }
    }

    fn trail(&self, request: &http::Request<Body>) -> Trail {
        let settings = &self.edge.settings;
        let trail = Trail::new(
            settings.request_id.of(request.headers()),
            request.method().clone(),
            request.uri().clone(),
            settings
                .real_ip
                .client(request.headers(), request.extensions()),
            request.headers().get(USER_AGENT).cloned(),
            self.observers.clone(),
        );
        for observer in self.observers.iter() {
            observer.started(&trail);
        }
        trail
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Observe {
            inner,
            layer: self.clone(),
        }
    }
}

// === impl Observe ===

impl<S> Service<http::Request<Body>> for Observe<S>
where
    S: Service<Incoming, Response = Reply, Error = Infallible> + Clone + Send + 'static,
    S::Future: Future + Send,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = StageFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let mut inner = replace(&mut self.inner);
        let trail = self.layer.trail(&request);
        let mut waiting = Waiting {
            trail: Some(trail.clone()),
            observers: self.layer.observers.clone(),
        };
        Box::pin(async move {
            let started = trail.started();
            let Ok(mut reply) = inner.call(Incoming { request, trail }).await;
            if let Some(trail) = waiting.trail.take() {
                let observers = waiting.observers.clone();
                reply.on_end(move |outcome| report(&observers, &trail, outcome));
            }
            Ok(reply.into_response_since(started))
        }) as Pin<Box<_>>
    }
}

fn report(observers: &Observers, trail: &Trail, outcome: &Outcome<'_>) {
    for observer in observers.iter() {
        observer.ended(trail, outcome);
    }
}

// === impl Waiting ===

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(trail) = self.trail.take() {
            let outcome = Outcome::without_answer(End::Cancelled, trail.started().elapsed());
            report(&self.observers, &trail, &outcome);
        }
    }
}
