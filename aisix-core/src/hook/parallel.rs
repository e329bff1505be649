//! Checks that run beside one another.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::join_all;
use tower_service::Service;

use super::{CallService, plugin::Check};
use crate::{
    call::Call,
    config::resource::Mode,
    error::Error,
    reply::Reply,
    stage::{StageFuture, replace},
};

/// A check in its place.
pub(super) struct Beside {
    pub(super) name: Arc<str>,
    pub(super) mode: Mode,
    pub(super) check: Arc<dyn Check>,
}

/// Checks that look at a call at the same time. All of them finish; then the first refusal counts.
#[derive(Clone)]
pub(super) struct Parallel(Arc<[Beside]>);

/// See [`Parallel`].
#[derive(Clone)]
pub(super) struct Checked {
    checks: Arc<[Beside]>,
    inner: CallService,
}

// === impl Parallel ===

impl Parallel {
    pub(super) fn new(checks: Vec<Beside>) -> Self {
        Self(checks.into())
    }

    pub(super) fn layer(&self, inner: CallService) -> Checked {
        Checked {
            checks: self.0.clone(),
            inner,
        }
    }
}

// === impl Checked ===

impl Service<Call> for Checked {
    type Response = Reply;
    type Error = Error;
    type Future = StageFuture<Reply, Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let mut inner = replace(&mut self.inner);
        let checks = self.checks.clone();
        Box::pin(async move {
            look(&checks, &call).await?;
            inner.call(call).await
        })
    }
}

async fn look(checks: &[Beside], call: &Call) -> Result<(), Error> {
    let said = match checks {
        [only] => vec![only.check.check(call).await],
        several => join_all(several.iter().map(|beside| beside.check.check(call))).await,
    };
    let mut first = Ok(());
    for (beside, said) in checks.iter().zip(said) {
        let Err(error) = said else { continue };
        match beside.mode {
            Mode::Enforce => first = first.and(Err(error)),
            Mode::Observe => {
                let name = &beside.name;
                tracing::debug!(%name, kind = error.kind().name(), "hook would refuse");
                call.trail().mark("would_refuse", name.to_string());
            }
        }
    }
    first
}
