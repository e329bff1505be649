//! Putting a gateway together.

use std::{fmt, sync::Arc};

use tower_layer::Layer;

use crate::{
    auth::{AuthLayer, Authenticator, Keys},
    call::Caller,
    config::Config,
    edge::{Drain, Edge, EdgeLayer, Settings},
    gateway::Gateway,
    hook::{ArrivalHookLayer, Hook, HookLayer, HttpHookLayer},
    ingest::IngestLayer,
    limit::{LimitLayer, LimitStore, Memory, Reserve},
    models::{
        AdmitLayer,
        checks::{Asker, Checks},
    },
    observe::{ObserveLayer, Observer},
    pipeline::{Stages, pipeline},
    upstream::{Exit, Transport, Upstream},
};

/// Puts a [`Gateway`] together. Only a [`Transport`] is required; everything else has a default.
///
/// Several gateways of one process, such as one for each worker, share a [`Config`], a limit store, a
/// [`Drain`] and observers: clone the builder, and give each clone a transport of its own.
#[derive(Clone)]
pub struct GatewayBuilder {
    config: Config,
    settings: Settings,
    drain: Drain,
    authenticator: Arc<dyn Authenticator>,
    limits: Arc<dyn LimitStore>,
    hooks: Vec<Arc<dyn Hook>>,
    observers: Vec<Arc<dyn Observer>>,
    transport: Option<Arc<dyn Transport>>,
}

/// Why a gateway could not be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// No transport was given.
    NoTransport,
}

/// What stands at the borders of a gateway that explains.
pub(crate) struct Borders {
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) limits: Arc<dyn LimitStore>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) exit: Exit,
}

// === impl GatewayBuilder ===

impl GatewayBuilder {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            settings: Settings::default(),
            drain: Drain::new(),
            authenticator: Arc::new(Keys),
            limits: Arc::new(Memory::new()),
            hooks: Vec::new(),
            observers: Vec::new(),
            transport: None,
        }
    }

    /// The way to upstreams. Required.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Who callers are. Default: the configured API keys, [`Keys`].
    #[must_use]
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Arc::new(authenticator);
        self
    }

    /// Where limits are counted. Default: in memory, for this gateway alone.
    #[must_use]
    pub fn limits(mut self, limits: impl LimitStore) -> Self {
        self.limits = Arc::new(limits);
        self
    }

    /// Adds a hook inside of those that were added before.
    #[must_use]
    pub fn hook(mut self, hook: impl Hook) -> Self {
        self.hooks.push(Arc::new(hook));
        self
    }

    /// Adds an observer.
    #[must_use]
    pub fn observe(self, observer: impl Observer) -> Self {
        self.observe_shared(Arc::new(observer))
    }

    /// Adds an observer that others hold too.
    #[must_use]
    pub fn observe_shared(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Body limit, client address and request id.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// A switch for the probes that is shared with others.
    #[must_use]
    pub fn drain(mut self, drain: Drain) -> Self {
        self.drain = drain;
        self
    }

    /// Builds the gateway. Spawns nothing and does no I/O.
    ///
    /// # Errors
    ///
    /// When there is no transport.
    pub fn build(self) -> Result<Gateway, BuildError> {
        let transport = self.transport.clone().ok_or(BuildError::NoTransport)?;
        Ok(self.assemble(Exit::Send(transport)))
    }

    /// Builds the gateway with another authenticator and limit store, with this observer alone, without
    /// hooks, and with this way out.
    pub(crate) fn behind(self, borders: Borders) -> Gateway {
        let builder = Self {
            authenticator: borders.authenticator,
            limits: borders.limits,
            hooks: Vec::new(),
            observers: vec![borders.observer],
            ..self
        };
        builder.assemble(borders.exit)
    }

    /// What checks the models of the configuration in the background, see [`Checks`]: to be run by the owner, once for
    /// all gateways of a process. Observers are told as of questions of hooks
    /// ([`ask_ended`](Observer::ask_ended)), without a caller.
    ///
    /// # Errors
    ///
    /// When there is no transport.
    pub fn checks(&self) -> Result<Checks, BuildError> {
        let transport = self.transport.clone().ok_or(BuildError::NoTransport)?;
        let upstream = Upstream::new(self.config.upstream());
        Ok(Checks {
            config: self.config.clone(),
            asker: Asker {
                exit: Exit::Send(transport),
                router: Arc::new(self.config.route().layer(upstream.clone())),
                upstream,
                limits: Reserve::new(self.limits.clone()),
                observers: self.observers.clone().into(),
                caller: Arc::new(Caller::builder("background check").build()),
            },
        })
    }

    pub(crate) fn authenticator_in_use(&self) -> &Arc<dyn Authenticator> {
        &self.authenticator
    }

    pub(crate) fn limits_in_use(&self) -> &Arc<dyn LimitStore> {
        &self.limits
    }

    /// How often an attempt is made again where nobody says it.
    pub(crate) fn retries(&self) -> u32 {
        self.config.upstream().retries
    }

    /// The names of the hooks, outermost first.
    pub(crate) fn hook_names(&self) -> impl Iterator<Item = &'static str> {
        self.hooks.iter().map(|hook| hook.name())
    }

    fn assemble(self, exit: Exit) -> Gateway {
        let edge = Arc::new(Edge {
            settings: self.settings,
            drain: self.drain.clone(),
        });
        let limits = Reserve::new(self.limits);
        let upstream = Upstream::new(self.config.upstream());
        let route = self.config.route();
        // What hooks ask other models goes the same way, from here on.
        let router = route.layer(upstream.clone());
        let stages = Stages {
            observe: ObserveLayer::new(edge.clone(), self.observers.into()),
            edge: EdgeLayer::new(edge.clone(), self.config.clone()),
            arrival_hooks: ArrivalHookLayer {
                edge: edge.clone(),
                runs: exit.sends(),
            },
            auth: AuthLayer::new(self.authenticator),
            http_hooks: HttpHookLayer { runs: exit.sends() },
            ingest: IngestLayer::new(edge),
            admit: AdmitLayer::new(exit, router, limits.clone()),
            limit: LimitLayer::new(limits),
            hooks: HookLayer::new(self.hooks),
            route,
            upstream,
        };
        Gateway {
            pipeline: pipeline(stages),
            drain: self.drain,
        }
    }
}

impl fmt::Debug for GatewayBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayBuilder")
            .field("config", &self.config)
            .field("hooks", &self.hooks.len())
            .field("observers", &self.observers.len())
            .finish_non_exhaustive()
    }
}

// === impl BuildError ===

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTransport => f.write_str("a gateway needs a transport"),
        }
    }
}

impl std::error::Error for BuildError {}
