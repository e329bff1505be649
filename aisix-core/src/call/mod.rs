//! The facts of a request, one struct for each stage.
//!
//! Each stage adds facts by changing the type, so that a later stage never finds one missing:
//! [`Arrival`] → [`Authenticated`] → [`Inbound`] → [`Call`] → [`Attempt`].

mod ask;
mod caller;
mod embed;
mod expense;
mod payload;
mod race;
mod trail;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use aisix_wire::{Operation, anthropic::PromptCaching, chat::Draw};
use bytes::Bytes;
use http::{HeaderMap, request::Parts};
use tokio::time::Instant;

pub use self::{
    caller::{Caller, CallerBuilder},
    embed::likeness,
    payload::Payload,
    trail::{AttemptKind, AttemptRecord, Trail},
};
pub(crate) use self::{expense::Expense, race::Race};
use crate::{
    body::Body,
    config::Snapshot,
    edge::Route,
    hook::Beyond,
    limit::Reserve,
    models::{Model, Target},
    route::Router,
    upstream::{Exit, Transport, Upstream},
};

/// A request that has come in: its configuration is pinned and its route looked up.
#[derive(Debug)]
pub struct Arrival {
    /// The request's head.
    pub head: Parts,
    /// The request's body, not yet read.
    pub body: Body,
    /// Where it goes.
    pub route: Route,
    /// The configuration that serves this request from its beginning to its end.
    pub config: Arc<Snapshot>,
    /// What observers read.
    pub trail: Trail,
}

/// An [`Arrival`] whose caller is known.
#[derive(Debug)]
pub struct Authenticated {
    /// The request.
    pub arrival: Arrival,
    /// Who sent it.
    pub caller: Arc<Caller>,
}

/// A model operation with its body read and its envelope scanned.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// The request's head.
    pub head: Arc<Parts>,
    /// The row of the endpoint.
    pub operation: &'static Operation,
    /// The model as the caller named it.
    pub requested_model: Arc<str>,
    /// The body.
    pub payload: Payload,
    /// Who sent it.
    pub caller: Arc<Caller>,
    /// The configuration that serves this request.
    pub config: Arc<Snapshot>,
    /// What observers read.
    pub trail: Trail,
}

/// An [`Inbound`] whose model exists and is allowed to its caller.
#[derive(Clone)]
pub struct Call {
    /// The request.
    pub inbound: Inbound,
    /// The model, as configured.
    pub model: Arc<Model>,
    /// Headers that hooks add to the upstream's request, whatever the provider key lets through. Private ones are
    /// left out, see [`is_private`](crate::config::resource::is_private).
    pub upstream_headers: HeaderMap,
    /// The way out.
    pub(crate) exit: Exit,
    /// Takes the limits of those that a group tries.
    pub(crate) limits: Reserve,
    /// What answers the questions that hooks have for other models.
    pub(crate) router: Arc<Router<Upstream>>,
    /// What a hook has said, in place of what the model says.
    pub(crate) prompt_caching: Option<PromptCaching>,
    /// How the answer is drawn, in place of what the request says.
    pub(crate) draw: Draw,
    /// What it costs its caller; nothing while nothing was sent to an upstream.
    pub(crate) expense: Expense,
    /// Told when the call leaves the hooks behind that it is with.
    pub(crate) beyond: Option<Beyond>,
}

/// One try of a [`Call`] at one target.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What is tried.
    pub call: Arc<Call>,
    /// The model that is tried: the call's own, or one of those that it stands for.
    pub model: Arc<Model>,
    /// Where it is tried.
    pub target: Arc<Target>,
    /// The model's name at the upstream.
    pub upstream_model: Arc<str>,
    /// Counts from 1.
    pub number: u32,
    /// Why it is made.
    pub kind: AttemptKind,
    /// The text that has been said already, which the upstream goes on with.
    pub(crate) begun: Option<Arc<str>>,
    /// What it has to do with another one that is made at the same time.
    pub(crate) race: Option<Race>,
    /// What it costs the limits of its target; nothing while nothing was sent.
    pub(crate) expense: Expense,
    /// When it began.
    pub(crate) started: Instant,
    /// When all attempts of the call are over, and how long that was from its beginning.
    pub(crate) deadline: Option<(Instant, Duration)>,
}

// === impl Inbound ===

impl Inbound {
    /// Whether the caller asked for a stream.
    pub fn streams(&self) -> bool {
        let payload = &self.payload;
        self.operation.streams(payload.bytes(), payload.envelope())
    }
}

// === impl Call ===

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("inbound", &self.inbound)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

impl Call {
    /// The client's bytes.
    pub fn bytes(&self) -> &Bytes {
        self.inbound.payload.bytes()
    }

    /// The record that observers read; hooks may add marks.
    pub fn trail(&self) -> &Trail {
        &self.inbound.trail
    }

    /// Who sent the call.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.inbound.caller
    }

    /// Whether the caller asked for a stream.
    pub fn streams(&self) -> bool {
        self.inbound.streams()
    }

    /// The model as the caller named it.
    pub fn requested_model(&self) -> &Arc<str> {
        &self.inbound.requested_model
    }

    /// Has the prompt cached where the call goes to a provider of Anthropic's dialect, whatever the caller's;
    /// counts more than what the model says.
    pub fn cache_prompt(&mut self, caching: PromptCaching) {
        self.prompt_caching = Some(caching);
    }

    /// Counts the call as a request that used no tokens, for hooks that answer by themselves, such as a
    /// cache. Otherwise a call of which nothing was sent to an upstream costs its caller nothing.
    pub fn charge_request(&self) {
        self.expense.answered();
    }

    /// Waits for another call, which ends by itself: see [`Next::run_for_others`](crate::hook::Next::run_for_others).
    /// A hook that waits for anything else for longer than a minute has failed.
    pub async fn wait_for_another<T>(&self, other: impl Future<Output = T>) -> T {
        let _gone = self.beyond.clone().map(Beyond::enter);
        other.await
    }

    /// The gateway's own way out, for hooks that ask a service. It sets no deadline for the answer.
    /// `None` where calls are only explained; no hook runs there.
    pub fn transport(&self) -> Option<&Arc<dyn Transport>> {
        match &self.exit {
            Exit::Send(transport) => Some(transport),
            Exit::Show(_) => None,
        }
    }
}
