//! The stage: the chain of hooks.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::FutureExt;
use tower::util::BoxCloneSyncService;
use tower_layer::Layer;
use tower_service::Service;

use super::{CallService, Hook, cached, chain::Chain, patience::Beyond};
use crate::{
    call::Call,
    error::{Error, ErrorKind},
    reply::Reply,
    stage::{StageFuture, replace},
};

/// Runs each call through the hooks of the builder, the first one outermost, and then through those of
/// the configuration.
#[derive(Clone)]
pub(crate) struct HookLayer {
    hooks: Arc<[Arc<dyn Hook>]>,
}

/// See [`HookLayer`]. Without hooks of the builder, nothing of theirs stands in the way.
#[derive(Clone)]
pub(crate) enum Hooked<S> {
    Direct(Configured<S>),
    Chain(CallService),
}

/// Runs a call through what its configuration says, if it says something.
#[derive(Clone)]
pub(crate) struct Configured<S>(S);

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
    S: Service<Call, Response = Reply, Error = Error, Future = StageFuture<Reply, Error>>
        + Clone
        + Send
        + Sync
        + 'static,
{
    type Service = Hooked<S>;

    fn layer(&self, inner: S) -> Self::Service {
        let configured = Configured(inner);
        if self.hooks.is_empty() {
            return Hooked::Direct(configured);
        }
        let innermost = BoxCloneSyncService::new(configured);
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
            Self::Chain(chain) => Box::pin(run_call(replace(chain), call)),
        }
    }
}

// === impl Configured ===

impl<S> Service<Call> for Configured<S>
where
    S: Service<Call, Response = Reply, Error = Error, Future = StageFuture<Reply, Error>>,
{
    type Response = Reply;
    type Error = Error;
    type Future = StageFuture<Reply, Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut call: Call) -> Self::Future {
        if !call.exit.sends() {
            return self.0.call(call);
        }
        // The end of a chain asks for the policy itself.
        match Chain::of(&call).or_else(|| cached::policy(&call)) {
            None => self.0.call(call),
            Some(chain) => {
                // The builder's hooks are behind, those of the configuration ahead.
                let gone = call.beyond.take().map(Beyond::enter);
                Box::pin(async move {
                    let _gone = gone;
                    run_call(chain, call).await
                })
            }
        }
    }
}

/// Runs a chain for a call.
pub(super) async fn run_call(chain: CallService, mut call: Call) -> Result<Reply, Error> {
    let beyond = Beyond::default();
    call.beyond = Some(beyond.clone());
    run(chain, call, beyond).await
}

/// Runs a chain. A hook that panics must not take the connection and its other calls with it, and one that never
/// answers must not hold them for ever.
pub(super) async fn run<T, U>(
    mut chain: BoxCloneSyncService<T, U, Error>,
    request: T,
    beyond: Beyond,
) -> Result<U, Error> {
    let running = async move {
        std::future::poll_fn(|cx| chain.poll_ready(cx)).await?;
        chain.call(request).await
    };
    let running = AssertUnwindSafe(running).catch_unwind();
    let failed = |_| Err(Error::new(ErrorKind::Internal, "a hook failed"));
    beyond
        .bound(running.map(|answer| answer.unwrap_or_else(failed)))
        .await
}
