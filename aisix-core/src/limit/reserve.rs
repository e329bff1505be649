//! Taking limits, and settling them.

use std::{sync::Arc, time::Duration};

use aisix_wire::Usage;
use smallvec::SmallVec;

use super::{Claim, Exceeded, Limit, LimitStore, Permit, Rate, Standing};
use crate::{
    call::{Attempt, Call, Expense},
    error::{Error, ErrorKind},
};

/// Tokens that a call is expected to answer with when it does not say.
const DEFAULT_OUTPUT: u64 = 1_024;

/// Takes limits where they are counted. A cheap clone.
#[derive(Clone)]
pub(crate) struct Reserve(Arc<dyn LimitStore>);

/// Limits that are held. Dropped, they are settled as those of a call whose end nobody knows.
pub(crate) struct Held {
    permit: Option<Permit>,
    expense: Expense,
    prompt: u64,
}

// === impl Reserve ===

impl Reserve {
    pub(crate) fn new(store: Arc<dyn LimitStore>) -> Self {
        Self(store)
    }

    /// Takes what a call claims; `expense` tells what it has cost in the end.
    ///
    /// # Errors
    ///
    /// The refusal of a limit that has no room.
    pub(super) async fn take(
        &self,
        claim: &Claim,
        call: &Call,
        expense: Expense,
    ) -> Result<Held, Error> {
        let permit = self.0.acquire(claim).await.map_err(refusal)?;
        Ok(Held {
            permit: Some(permit),
            expense,
            prompt: prompt_tokens(call),
        })
    }

    /// Takes what an attempt at a member of a group claims besides its call, if anything.
    ///
    /// # Errors
    ///
    /// The refusal of a limit that has no room.
    pub(crate) async fn take_for(&self, attempt: &Attempt) -> Result<Option<Held>, Error> {
        let limits = limits_of_member(attempt);
        if limits.is_empty() {
            return Ok(None);
        }
        let claim = claim(&attempt.call, limits);
        let held = self.take(&claim, &attempt.call, attempt.expense.clone());
        held.await.map(Some)
    }
}

// === impl Held ===

impl Held {
    /// Where the first limit of the claim stands.
    pub(super) fn standings(&self) -> &[Standing] {
        self.permit.as_ref().map_or(&[], Permit::standings)
    }

    /// The reply has ended, and this was used; what is not known is at least the prompt.
    pub(crate) fn settle(mut self, usage: Option<Usage>) {
        self.finish(usage.map(|usage| usage.total()));
    }

    /// There was no reply.
    pub(crate) fn refused(mut self) {
        self.finish(Some(0));
    }

    fn finish(&mut self, tokens: Option<u64>) {
        let Some(permit) = self.permit.take() else {
            return;
        };
        let tokens = tokens.unwrap_or(self.prompt);
        permit.settle(self.expense.settlement(tokens));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The client left before there was a reply. What the upstream used is unknown, but it has
        // read the prompt.
        self.finish(None);
    }
}

/// What a call claims; `None` when it is under no limit.
pub(super) fn claim_of(call: &Call) -> Option<Claim> {
    let limits = limits(call);
    (!limits.is_empty()).then(|| claim(call, limits))
}

fn claim(call: &Call, limits: SmallVec<[Arc<Limit>; 4]>) -> Claim {
    Claim {
        limits,
        tokens: prompt_tokens(call).saturating_add(output_tokens(call)),
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

/// What an attempt at a member of a group is under besides what its call is under: the member's own limits, and those
/// of policies on what a model is.
fn limits_of_member(attempt: &Attempt) -> SmallVec<[Arc<Limit>; 4]> {
    let (call, model) = (&attempt.call, &attempt.model);
    let mut limits: SmallVec<[Arc<Limit>; 4]> = model.limit().into_iter().cloned().collect();
    let policies = call.inbound.config.policies();
    if let Some(rules) = policies.and_then(|policies| policies.rules(call.caller(), model)) {
        let taken = self::limits(call);
        let is_taken = |limit: &Limit| taken.iter().any(|other| other.key() == limit.key());
        let rules = rules.iter();
        let rules = rules.filter(|rule| !rule.is_suspended() && !is_taken(rule.limit()));
        limits.extend(rules.map(|rule| rule.limit().clone()));
    }
    limits
}

/// A quarter of the prompt's bytes.
pub(crate) fn prompt_tokens(call: &Call) -> u64 {
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
