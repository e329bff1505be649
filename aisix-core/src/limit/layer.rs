//! The stage: takes the limits of a call and holds them until its reply ends.

use std::task::{Context, Poll};

use http::{HeaderName, HeaderValue};
use tower_layer::Layer;
use tower_service::Service;

use super::{Rate, Reserve, Standing};
use crate::{
    call::Call,
    error::Error,
    reply::Reply,
    stage::{StageFuture, replace},
};

/// Holds a call to the limits of its caller and its model, and to those of policies, in this order.
#[derive(Clone)]
pub(crate) struct LimitLayer {
    reserve: Reserve,
}

/// See [`LimitLayer`].
#[derive(Clone)]
pub(crate) struct LimitService<S> {
    inner: S,
    reserve: Reserve,
}

// === impl LimitLayer ===

impl LimitLayer {
    pub(crate) fn new(reserve: Reserve) -> Self {
        Self { reserve }
    }
}

impl<S> Layer<S> for LimitLayer {
    type Service = LimitService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LimitService {
            inner,
            reserve: self.reserve.clone(),
        }
    }
}

// === impl LimitService ===

impl<S> Service<Call> for LimitService<S>
where
    S: Service<Call, Response = Reply, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Reply;
    type Error = Error;
    type Future = StageFuture<Reply, Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let mut inner = replace(&mut self.inner);
        let Some(claim) = super::claim_of(&call) else {
            return Box::pin(inner.call(call));
        };
        let from_caller = call.caller().limit().is_some();
        let reserve = self.reserve.clone();
        Box::pin(async move {
            let held = reserve.take(&claim, &call, call.expense.clone()).await?;
            let trail = call.trail().clone();
            if from_caller {
                trail.set_standings(held.standings());
            }
            match inner.call(call).await {
                Ok(mut reply) => {
                    write_standings(&mut reply, trail.standings());
                    reply.on_end(move |outcome| held.settle(outcome.usage));
                    Ok(reply)
                }
                Err(error) => {
                    held.refused();
                    Err(error)
                }
            }
        })
    }
}

/// Tells the caller where its own limits stand.
fn write_standings(reply: &mut Reply, standings: &[Standing]) {
    let mut write = |name: &'static str, value: HeaderValue| {
        reply
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    };
    for standing in standings {
        let names = match standing.rate {
            Rate::Rpm => (
                "x-ratelimit-limit-requests",
                "x-ratelimit-remaining-requests",
                Some("x-ratelimit-reset-requests"),
            ),
            Rate::Tpm => (
                "x-ratelimit-limit-tokens",
                "x-ratelimit-remaining-tokens",
                Some("x-ratelimit-reset-tokens"),
            ),
            Rate::Concurrency => (
                "x-ratelimit-limit-concurrent",
                "x-ratelimit-remaining-concurrent",
                None,
            ),
            _ => continue,
        };
        write(names.0, standing.limit.into());
        write(names.1, standing.remaining.into());
        if let (Some(name), Ok(value)) = (
            names.2,
            HeaderValue::try_from(format!("{}s", standing.reset)),
        ) {
            write(name, value);
        }
    }
}
