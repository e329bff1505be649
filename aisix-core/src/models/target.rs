//! Where a model is served.

use std::{fmt, sync::Arc, time::Duration};

use aisix_wire::{anthropic::PromptCaching, chat::OnUnsupported};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::Capacity;
use crate::{
    balance::health::{Credential, Fitness, HealthSettings, TargetState},
    config::resource::BackgroundCheck,
    error::{Error, ErrorKind},
    replicas::{Replica, Ways},
    upstream::{Endpoint, Shape, Tls},
};

/// One place that serves a model: a provider, a credential, and the model's name there.
#[derive(Clone)]
pub struct Target {
    pub(crate) provider: Arc<str>,
    pub(crate) model_name: Arc<str>,
    pub(crate) key: Arc<UpstreamKey>,
    pub(crate) endpoint: Result<Arc<dyn Endpoint>, Missing>,
    pub(crate) shape: Arc<Shape>,
    pub(crate) deadlines: Deadlines,
    /// What of them its model has said.
    pub(crate) times: Times,
    /// What is remembered of it.
    pub(crate) state: Arc<TargetState>,
    pub(crate) credential: Arc<Credential>,
    pub(crate) health: HealthSettings,
    pub(crate) capacity: Option<Capacity>,
    /// How it is checked in the background, if it is.
    pub(crate) check: Option<Arc<BackgroundCheck>>,
    pub(crate) on_unsupported: OnUnsupported,
    pub(crate) prompt_caching: Option<PromptCaching>,
    pub(crate) tls: Option<Arc<Tls>>,
    /// The replicas of an upstream that serve it, if it names one: one of them for each attempt.
    pub(crate) ways: Option<Arc<Ways>>,
    /// Which of them this is.
    pub(crate) replica: Option<Arc<Replica>>,
}

/// The identity of the provider key that is used.
#[derive(Debug)]
pub struct UpstreamKey {
    pub(crate) id: Arc<str>,
    pub(crate) name: Arc<str>,
    /// Where its upstream is, if it says so.
    pub(crate) base: Option<Box<str>>,
}

/// The time that a model gives, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// For a whole answer; 0 is no deadline.
    pub(crate) whole: Option<u64>,
    /// Between two pieces of a stream; never 0.
    pub(crate) gap: Option<u64>,
}

/// Why a target has no endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Missing {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
}

/// The deadlines of an attempt; `None` means none.
///
/// The time to connect belongs to the transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deadlines {
    /// From the request to its complete answer. Not for streams.
    pub total: Option<Duration>,
    /// To the upstream's head.
    pub head: Option<Duration>,
    /// To a stream's first content.
    pub first_token: Option<Duration>,
    /// Between two pieces of a stream, and before the first.
    pub gap: Option<Duration>,
}

// === impl Target ===

impl Target {
    /// The provider's name, as configured.
    pub fn provider(&self) -> &Arc<str> {
        &self.provider
    }

    /// The model's name at the upstream, as configured.
    pub fn model_name(&self) -> &Arc<str> {
        &self.model_name
    }

    /// The provider key that is used.
    pub fn key(&self) -> &UpstreamKey {
        &self.key
    }

    /// The deadlines of an attempt.
    pub fn deadlines(&self) -> Deadlines {
        self.deadlines
    }

    /// The caller's headers that the provider key lets through to the upstream, which may answer by them.
    pub fn forwarded<'h>(
        &self,
        headers: &'h HeaderMap,
    ) -> impl Iterator<Item = (&'h HeaderName, &'h HeaderValue)> {
        self.shape.forwarded(headers)
    }

    /// The replica of an upstream that this is: of an attempt whose provider key names one.
    pub fn replica(&self) -> Option<&Arc<Replica>> {
        self.replica.as_ref()
    }

    /// What can be expected of it: of what is remembered of itself, of its credential, and of its replicas.
    pub(crate) fn fitness(&self, now: Instant) -> Fitness {
        let own = self.state.fitness(now, &self.health);
        let own = own.and(self.credential.fitness(now));
        match &self.ways {
            Some(ways) => own.and(ways.fitness(now)),
            None => own,
        }
    }

    /// Whether a replica may take a request, where replicas do.
    pub(crate) fn has_replica(&self, now: Instant) -> bool {
        let ways = self.ways.as_ref();
        ways.is_none_or(|ways| !matches!(ways.fitness(now), Fitness::Unfit { .. }))
    }

    pub(crate) fn endpoint(&self) -> Result<&Arc<dyn Endpoint>, Error> {
        self.endpoint
            .as_ref()
            .map_err(|missing| Error::new(missing.kind, missing.message.clone()))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("provider", &self.provider)
            .field("model_name", &self.model_name)
            .finish_non_exhaustive()
    }
}

// === impl Times ===

impl Times {
    /// These, and where nothing is said, the others.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            whole: self.whole.or(others.whole),
            gap: self.gap.or(others.gap),
        }
    }
}

// === impl UpstreamKey ===

impl UpstreamKey {
    /// The resource's id.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The display name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }
}
