//! The stage: takes the limits of a call and holds them until its reply ends.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderName, HeaderValue};
use smallvec::SmallVec;
use tower_layer::Layer;
use tower_service::Service;

use super::{Claim, Exceeded, Limit, LimitStore, Permit, Rate, Standing};
use crate::{
    call::{Call, Expense},
    error::{Error, ErrorKind},
    reply::Reply,
    stage::{StageFuture, replace},
};

/// Tokens that a call is expected to answer with when it does not say.
const DEFAULT_OUTPUT: u64 = 1_024;

/// Holds a call to the limits of its caller and its model, and to those of policies, in this order.
#[derive(Clone)]
pub(crate) struct LimitLayer {
    store: Arc<dyn LimitStore>,
}

/// See [`LimitLayer`].
#[derive(Clone)]
pub(crate) struct LimitService<S> {
    inner: S,
    store: Arc<dyn LimitStore>,
}

/// Settles the permit, also when the call is dropped.
struct Guard {
    permit: Option<Permit>,
    expense: Expense,
    prompt: u64,
}

// === impl LimitLayer ===

impl LimitLayer {
    pub(crate) fn new(store: Arc<dyn LimitStore>) -> Self {
        Self { store }
    }
}

impl<S> Layer<S> for LimitLayer {
    type Service = LimitService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        LimitService {
            inner,
            store: self.store.clone(),
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
        let limits = limits(&call);
        if limits.is_empty() {
            return Box::pin(inner.call(call));
        }
        let prompt = prompt_tokens(&call);
        let claim = Claim {
            limits,
            tokens: prompt.saturating_add(output_tokens(&call)),
        };
        let from_caller = call.caller().limit().is_some();
        let store = self.store.clone();
        Box::pin(async move {
            let permit = store.acquire(&claim).await.map_err(refusal)?;
            let trail = call.trail().clone();
            if from_caller {
                trail.set_standings(permit.standings());
            }
            let guard = Guard {
                permit: Some(permit),
                expense: call.expense.clone(),
                prompt,
            };
            match inner.call(call).await {
                Ok(mut reply) => {
                    write_standings(&mut reply, trail.standings());
                    reply.on_end(move |outcome| guard.settle(outcome.usage.map(|u| u.total())));
                    Ok(reply)
                }
                Err(error) => {
                    guard.settle(Some(0));
                    Err(error)
                }
            }
        })
    }
}

// === impl Guard ===

impl Guard {
    fn settle(mut self, tokens: Option<u64>) {
        self.finish(tokens);
    }

    fn finish(&mut self, tokens: Option<u64>) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let tokens = tokens.unwrap_or(self.prompt);
        permit.settle(self.expense.settlement(tokens));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The client left before there was a reply. What the upstream used is unknown, but it has
        // read the prompt.
        self.finish(None);
    }
}

/// Everything that a call is under now.
fn limits(call: &Call) -> SmallVec<[Arc<Limit>; 4]> {
    let (caller, model) = (call.caller(), &call.model);
    let own = caller.limit().into_iter().chain(model.limit());
    let mut limits: SmallVec<_> = own.cloned().collect();
    let policies = call.inbound.config.policies();
    if let Some(rules) = policies.and_then(|policies| policies.rules(caller, model)) {
        let rules = rules.iter().filter(|rule| !rule.is_suspended());
        limits.extend(rules.map(|rule| rule.limit().clone()));
    }
    limits
}

/// A quarter of the prompt's bytes.
fn prompt_tokens(call: &Call) -> u64 {
    let payload = &call.inbound.payload;
    let members = call.inbound.operation.prompt;
    let bytes: usize = members
        .iter()
        .filter_map(|name| payload.member(name))
        .map(|member| member.value.len())
        .sum();
    (bytes as u64).div_ceil(4)
}

/// The maximum that the caller asked for, for each answer it asked for.
fn output_tokens(call: &Call) -> u64 {
    let payload = &call.inbound.payload;
    let names = call.inbound.operation.output_limit;
    if names.is_empty() {
        return 0;
    }
    let maximum = names.iter().find_map(|name| payload.u64_at(name));
    let answers = call.inbound.operation.answers;
    let answers = answers.iter().find_map(|name| payload.u64_at(name));
    maximum
        .unwrap_or(DEFAULT_OUTPUT)
        .saturating_mul(answers.unwrap_or(1).max(1))
}

fn refusal(exceeded: Exceeded) -> Error {
    let Exceeded {
        limit,
        rate,
        retry_after,
    } = exceeded;
    let error = match rate {
        Rate::Concurrency => Error::new(ErrorKind::RateLimited, "concurrency limit exceeded"),
        _ => Error::new(
            ErrorKind::RateLimited,
            format!("{} limit exceeded ({})", rate.unit(), rate.name()),
        ),
    };
    let error = error.with_limit(limit, rate);
    match retry_after {
        Some(seconds) => error.with_retry_after(Duration::from_secs(seconds)),
        None => error,
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
