//! Rate limits: reserved when a call is admitted, settled when its reply ends.
//!
//! Windows are aligned to the wall clock: the window of width `W` at time `t` began at `t - t mod W`.
//! Requests are counted when they are admitted. Tokens are reserved by an estimate and settled with
//! the real usage. Concurrency is a slot that is held until the reply's body ends or is dropped.
//! All limits of a call are taken together or none.

mod counter;
mod layer;
mod look;
mod memory;
mod policy;
mod reserve;
mod store;
mod sync;

use std::{fmt, sync::Arc};

use self::reserve::claim_of;
pub(crate) use self::{
    layer::{LimitLayer, LimitService},
    policy::{Known, Policies},
    reserve::{Held, Reserve, prompt_tokens},
};
pub use self::{
    look::{Level, Look, Reading},
    memory::Memory,
    policy::PolicyName,
    store::{Claim, Exceeded, Hold, LimitStore, Permit, Settlement, Standing},
};
use crate::config::resource::RateLimit;

/// What a limit is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// An API key, or any other caller.
    ApiKey,
    /// A model.
    Model,
    /// What a policy is about.
    Policy,
}

/// One thing that is counted: requests or tokens in a window, or slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rate {
    /// Requests in a second.
    Rps,
    /// Requests in a minute.
    Rpm,
    /// Requests in an hour.
    Rph,
    /// Requests in a day.
    Rpd,
    /// Tokens in a minute.
    Tpm,
    /// Tokens in a day.
    Tpd,
    /// Calls at the same time.
    Concurrency,
}

/// The rates of one caller, one model or one group of calls under a policy, all of which must have room.
pub struct Limit {
    scope: Scope,
    key: Arc<str>,
    rates: Vec<(Rate, u64)>,
    policy: Option<Arc<PolicyName>>,
}

// === impl Scope ===

impl Scope {
    /// The name in one word: `api_key`, `model` or `policy`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Model => "model",
            Self::Policy => "policy",
        }
    }
}

// === impl Rate ===

impl Rate {
    /// The width of the window in seconds; `None` for slots.
    pub fn window(self) -> Option<u64> {
        match self {
            Self::Rps => Some(1),
            Self::Rpm | Self::Tpm => Some(60),
            Self::Rph => Some(3_600),
            Self::Rpd | Self::Tpd => Some(86_400),
            Self::Concurrency => None,
        }
    }

    /// The name in configuration, such as `rpm`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rps => "rps",
            Self::Rpm => "rpm",
            Self::Rph => "rph",
            Self::Rpd => "rpd",
            Self::Tpm => "tpm",
            Self::Tpd => "tpd",
            Self::Concurrency => "concurrency",
        }
    }

    /// What is counted, for messages: `request`, `token` or `concurrency`.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Rps | Self::Rpm | Self::Rph | Self::Rpd => "request",
            Self::Tpm | Self::Tpd => "token",
            Self::Concurrency => "concurrency",
        }
    }
}

// === impl Limit ===

impl Limit {
    /// A limit counted under `key`, or `None` when no rate is set.
    pub fn new(scope: Scope, key: impl Into<Arc<str>>, rates: &RateLimit) -> Option<Self> {
        let rates: Vec<_> = [
            (Rate::Concurrency, rates.concurrency.map(u64::from)),
            (Rate::Tpm, rates.tpm),
            (Rate::Tpd, rates.tpd),
            (Rate::Rps, rates.rps),
            (Rate::Rpm, rates.rpm),
            (Rate::Rph, rates.rph),
            (Rate::Rpd, rates.rpd),
        ]
        .into_iter()
        .filter_map(|(rate, max)| Some((rate, max?)))
        .collect();
        (!rates.is_empty()).then(|| Self {
            scope,
            key: key.into(),
            rates,
            policy: None,
        })
    }

    /// The same, set by a policy.
    pub(crate) fn of_policy(self, name: Arc<PolicyName>) -> Self {
        let policy = Some(name);
        Self { policy, ..self }
    }

    /// The policy that has set the limit, if one has.
    pub fn policy(&self) -> Option<&PolicyName> {
        self.policy.as_deref()
    }

    /// What the limit is attached to.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// The name its counts are kept under.
    pub fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// The rates and their maxima, in the order they are checked: slots, tokens, requests.
    pub fn rates(&self) -> &[(Rate, u64)] {
        &self.rates
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limit")
            .field("key", &self.key)
            .field("rates", &self.rates)
            .finish_non_exhaustive()
    }
}
