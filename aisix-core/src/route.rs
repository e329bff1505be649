//! The stage: attempts, until one answers.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use aisix_wire::Operation;
use tokio::time::Instant;
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    call::{Attempt, AttemptKind, Call},
    error::{Error, Retry},
    hook::Beyond,
    models::{Target, unavailable},
    reply::Reply,
    stage::{StageFuture, replace},
};

/// The longest `Retry-After` that is waited for.
const MAX_HINT: Duration = Duration::from_secs(5);

/// Turns a [`Call`] into one [`Attempt`] or several.
///
/// A failed attempt is made again while nothing has reached the client, as often as the target
/// allows, all within one deadline.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteLayer;

/// See [`RouteLayer`].
#[derive(Clone, Debug)]
pub(crate) struct Router<S> {
    inner: S,
}

// === impl RouteLayer ===

impl<S> Layer<S> for RouteLayer {
    type Service = Router<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Router { inner }
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
        let mut inner = replace(&mut self.inner);
        let gone = call.beyond.take().map(Beyond::enter);
        let Some(target) = call.model.target().cloned() else {
            let error = unavailable(call.requested_model());
            return Box::pin(std::future::ready(Err(error)));
        };
        // A stream has no total deadline, only a longest gap.
        let total = match call.streams() {
            true => None,
            false => target.deadlines.total,
        };
        let now = Instant::now();
        let first = Attempt {
            upstream_model: call.model.upstream_name(&target, call.requested_model()),
            model: call.model.clone(),
            kind: AttemptKind::Initial,
            call: Arc::new(call),
            target,
            number: 1,
            started: now,
            deadline: total.map(|total| (now + total, total)),
        };
        Box::pin(async move {
            let _gone = gone;
            attempts(&mut inner, first).await
        })
    }
}

async fn attempts<S>(inner: &mut S, mut attempt: Attempt) -> Result<Reply, Error>
where
    S: Service<Attempt, Response = Reply, Error = Error>,
{
    loop {
        let error = match inner.call(attempt.clone()).await {
            Ok(reply) => return Ok(reply),
            Err(error) => error,
        };
        let again = error.retry() == Retry::Again
            && attempt.number <= retries(attempt.call.inbound.operation, &attempt.target);
        if !again {
            return Err(error);
        }
        let pause = back_off(attempt.number, error.retry_after(), fastrand::f64());
        let next = Instant::now() + pause;
        if attempt.deadline.is_some_and(|(end, _)| next >= end) {
            return Err(error);
        }
        tokio::time::sleep_until(next).await;
        attempt.number += 1;
        attempt.kind = AttemptKind::Retry;
        attempt.started = Instant::now();
    }
}

/// How often a failed attempt of an operation is made again.
pub(crate) fn retries(operation: &Operation, target: &Target) -> u32 {
    match operation.may_retry {
        true => target.retries,
        false => 0,
    }
}

/// How long to wait before attempt `number + 1`. `jitter` is in 0..1.
fn back_off(number: u32, hint: Option<Duration>, jitter: f64) -> Duration {
    let base = match hint {
        Some(hint) if !hint.is_zero() && hint <= MAX_HINT => hint,
        _ => Duration::from_millis((250 << (number - 1).min(3)).min(2_000)),
    };
    base + Duration::from_millis(250).mul_f64(jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_up_to_two_seconds_and_heeds_short_hints() {
        let millis = |number, hint| back_off(number, hint, 0.0).as_millis();
        assert_eq!(
            [1, 2, 3, 4, 5, 90].map(|n| millis(n, None)),
            [250, 500, 1000, 2000, 2000, 2000]
        );
        assert_eq!(millis(1, Some(Duration::from_secs(3))), 3_000);
        assert_eq!(millis(1, Some(Duration::from_secs(60))), 250);
        assert_eq!(back_off(1, None, 1.0).as_millis(), 500);
    }
}
