//! The stage: no request goes on without a caller.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::Authenticator;
use crate::{
    call::{Arrival, Authenticated},
    error::Error,
    reply::Reply,
    stage::{StageFuture, replace},
};

/// Turns an [`Arrival`] into an [`Authenticated`].
#[derive(Clone)]
pub(crate) struct AuthLayer {
    authenticator: Arc<dyn Authenticator>,
}

/// See [`AuthLayer`].
#[derive(Clone)]
pub(crate) struct Auth<S> {
    inner: S,
    authenticator: Arc<dyn Authenticator>,
}

// === impl AuthLayer ===

impl AuthLayer {
    pub(crate) fn new(authenticator: Arc<dyn Authenticator>) -> Self {
        Self { authenticator }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Auth<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Auth {
            inner,
            authenticator: self.authenticator.clone(),
        }
    }
}

// === impl Auth ===

impl<S> Service<Arrival> for Auth<S>
where
    S: Service<Authenticated, Response = Reply, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Reply;
    type Error = Error;
    type Future = StageFuture<Reply, Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, arrival: Arrival) -> Self::Future {
        let mut inner = replace(&mut self.inner);
        let authenticator = self.authenticator.clone();
        Box::pin(async move {
            let caller = authenticator
                .authenticate(&arrival.head, &arrival.config)
                .await?;
            arrival.trail.set_caller(caller.clone());
            inner.call(Authenticated { arrival, caller }).await
        })
    }
}
