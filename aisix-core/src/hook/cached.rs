//! Cache policies: what calls go through behind all their hooks.

use std::task::{Context, Poll};

use tower_service::Service;

use super::CallService;
use crate::{
    call::Call,
    error::Error,
    reply::Reply,
    stage::{StageFuture, replace},
};

/// Runs a call through the cache policy that applies to it, if one does.
#[derive(Clone)]
pub(super) struct Cached(CallService);

/// The cache policy of a call, around the way to the upstream.
pub(super) fn policy(call: &Call) -> Option<CallService> {
    let caches = call.inbound.config.caches()?;
    let caching = caches.of(call.caller(), call.requested_model(), &call.model)?;
    Some(caching.service.clone())
}

// === impl Cached ===

impl Cached {
    pub(super) fn new(inner: CallService) -> Self {
        Self(inner)
    }
}

impl Service<Call> for Cached {
    type Response = Reply;
    type Error = Error;
    type Future = StageFuture<Reply, Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // What is called is polled when it is known.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let mut service = policy(&call).unwrap_or_else(|| replace(&mut self.0));
        Box::pin(async move {
            std::future::poll_fn(|cx| service.poll_ready(cx)).await?;
            service.call(call).await
        })
    }
}
