//! The stage: the chain of hooks.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use tower::util::BoxCloneSyncService;
use tower_layer::Layer;
use tower_service::Service;

use super::{CallService, Hook};
use crate::{
    call::Call,
    error::Error,
    reply::Reply,
    stage::{StageFuture, replace},
};

/// Runs each call through the hooks, the first one outermost.
#[derive(Clone)]
pub(crate) struct HookLayer {
    hooks: Arc<[Arc<dyn Hook>]>,
}

/// See [`HookLayer`]. Without hooks, nothing stands in the way.
#[derive(Clone)]
pub(crate) enum Hooked<S> {
    Direct(S),
    Chain(CallService),
}

// === impl HookLayer ===

impl HookLayer {
    pub(crate) fn new(hooks: Vec<Arc<dyn Hook>>) -> Self {
        Self {
            hooks: hooks.into(),
        }
    }
}

impl<S> Layer<S> for HookLayer
where
    S: Service<Call, Response = Reply, Error = Error> + Clone + Send + Sync + 'static,
    S::Future: Send,
{
    type Service = Hooked<S>;

    fn layer(&self, inner: S) -> Self::Service {
        if self.hooks.is_empty() {
            return Hooked::Direct(inner);
        }
        let innermost = BoxCloneSyncService::new(inner);
        let chain = self.hooks.iter().rev();
        Hooked::Chain(chain.fold(innermost, |inner, hook| hook.wrap(inner)))
    }
}

// === impl Hooked ===

impl<S> Service<Call> for Hooked<S>
where
    S: Service<Call, Response = Reply, Error = Error, Future = StageFuture<Reply, Error>>
        + Clone
        + Send
        + 'static,
{
    type Response = Reply;
    type Error = Error;
    type Future = StageFuture<Reply, Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self {
            Self::Direct(inner) => inner.poll_ready(cx),
            // The chain is polled in `call`, on the clone that is called.
            Self::Chain(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, call: Call) -> Self::Future {
        match self {
            Self::Direct(inner) => inner.call(call),
            Self::Chain(chain) => {
                let mut chain = replace(chain);
                Box::pin(async move {
                    std::future::poll_fn(|cx| chain.poll_ready(cx)).await?;
                    chain.call(call).await
                })
            }
        }
    }
}
