//! A hook from an async function.

use std::{
    any::type_name,
    fmt,
    future::Future,
    sync::Arc,
    task::{Context, Poll},
};

use tower_layer::Layer;
use tower_service::Service;

use super::{CallService, layer::run_call};
use crate::{
    call::Call,
    error::Error,
    reply::Reply,
    stage::{StageFuture, replace},
};

/// Makes a hook of `async fn(Call, Next) -> Result<Reply, Error>`.
///
/// The function may change the call, refuse it with an error, answer by itself, or change the reply.
/// It is dropped when the client leaves.
pub fn from_fn<F, Fut>(function: F) -> FromFn<F>
where
    F: Fn(Call, Next) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply, Error>> + Send + 'static,
{
    FromFn {
        function: Arc::new(function),
    }
}

/// The layer of [`from_fn`].
pub struct FromFn<F> {
    function: Arc<F>,
}

/// The service of [`from_fn`].
pub struct FromFnService<F> {
    function: Arc<F>,
    inner: CallService,
}

/// The rest of the pipeline.
pub struct Next(CallService);

// === impl Next ===

impl Next {
    /// Goes on with `call`.
    ///
    /// # Errors
    ///
    /// Whatever the rest of the pipeline refuses with.
    pub async fn run(mut self, call: Call) -> Result<Reply, Error> {
        self.0.call(call).await
    }

    /// Goes on with `call` for whoever waits: as a call of its own, which may outlive the hook that made it. A hook
    /// behind that panics or never answers fails this call alone. Whoever waits says so with
    /// [`Call::wait_for_another`].
    ///
    /// # Errors
    ///
    /// Whatever the rest of the pipeline refuses with.
    pub async fn run_for_others(self, call: Call) -> Result<Reply, Error> {
        run_call(self.0, call).await
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Next")
    }
}

// === impl FromFn ===

impl<F> Clone for FromFn<F> {
    fn clone(&self) -> Self {
        Self {
            function: self.function.clone(),
        }
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FromFn").field(&type_name::<F>()).finish()
    }
}

impl<F> Layer<CallService> for FromFn<F> {
    type Service = FromFnService<F>;

    fn layer(&self, inner: CallService) -> Self::Service {
        FromFnService {
            function: self.function.clone(),
            inner,
        }
    }
}

/// The name of a layer's type; of a [`FromFn`], that of its function.
pub(super) fn name_of<L>() -> &'static str {
    let name = type_name::<L>();
    name.strip_prefix(concat!(module_path!(), "::FromFn<"))
        .and_then(|rest| rest.strip_suffix('>'))
        .unwrap_or(name)
}

// === impl FromFnService ===

impl<F> Clone for FromFnService<F> {
    fn clone(&self) -> Self {
        Self {
            function: self.function.clone(),
            inner: self.inner.clone(),
        }
    }
}

impl<F> fmt::Debug for FromFnService<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FromFnService")
            .field(&type_name::<F>())
            .finish()
    }
}

impl<F, Fut> Service<Call> for FromFnService<F>
where
    F: Fn(Call, Next) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Reply, Error>> + Send + 'static,
{
    type Response = Reply;
    type Error = Error;
    type Future = StageFuture<Reply, Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let next = Next(replace(&mut self.inner));
        Box::pin((self.function)(call, next))
    }
}
