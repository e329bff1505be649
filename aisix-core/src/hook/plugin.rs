//! Hooks with a name, which configuration can use.

use std::{any::Any, fmt, sync::Arc};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::{Hook, HttpHook};
use crate::{
    call::Call,
    config::{
        Key, Kind, States,
        resource::{Invalid, Mode, Stage},
    },
    error::Error,
};

/// Makes hooks that configuration names: hook = plugin = Tower layer.
///
/// Register it in [`Hooks`](super::Hooks). Chains are lists of [`Plugin`](crate::config::resource::Plugin)s; for each
/// element that is new or has changed, `build` is called once, when the configuration is compiled.
///
/// ```
/// use aisix_core::{
///     Error,
///     call::Call,
///     config::{Config, resource::{Invalid, Stage}},
///     hook::{Built, Context, Hooks, Next, PluginFactory, Stages, from_fn},
/// };
///
/// /// Refuses calls that are longer than `bytes`.
/// struct MaxLength;
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// #[serde(deny_unknown_fields)]
/// struct Settings {
///     bytes: usize,
/// }
///
/// impl PluginFactory for MaxLength {
///     type Settings = Settings;
///
///     fn name(&self) -> &'static str {
///         "max_length"
///     }
///
///     fn stages(&self) -> Stages {
///         Stages::Fixed(&[Stage::PreRequest])
///     }
///
///     fn build(&self, settings: Settings, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
///         Ok(Built::hook(from_fn(move |call: Call, next: Next| async move {
///             match call.bytes().len() > settings.bytes {
///                 true => Err(Error::invalid("messages", "that is too long")),
///                 false => next.run(call).await,
///             }
///         })))
///     }
/// }
///
/// let config = Config::builder().hooks(Hooks::new().plugin(MaxLength)).build();
/// # drop(config);
/// ```
pub trait PluginFactory: Send + Sync + 'static {
    /// What `settings` look like. They are checked by the schema of this type before they are read, and
    /// unknown fields are mistakes where `deny_unknown_fields` is set, as it should be.
    type Settings: DeserializeOwned + JsonSchema;

    /// The name in chains: lower case and underscores.
    fn name(&self) -> &'static str;

    /// When its hooks can run.
    fn stages(&self) -> Stages;

    /// The kind of guardrails that it serves, such as `keyword`: then
    /// [`Guardrail`](crate::config::resource::Guardrail)s of that kind are built by it, too. Their fields are its
    /// settings. Settings that have a `hook_point` are told where to look: a guard that looks at both is built twice, once for
    /// requests and once for answers. Default: none.
    fn guardrail(&self) -> Option<&'static str> {
        None
    }

    /// Whether, as a guardrail, it may replace parts of what it looks at. Then it looks after all guards that only
    /// refuse. Default: no.
    fn masks(&self) -> bool {
        false
    }

    /// Whether hooks other than those that it builds by [`Built::check`] obey [`Mode::Observe`]. Checks need not know. Default: no, and a chain that asks for it is refused.
    fn observes(&self) -> bool {
        false
    }

    /// Makes a hook.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings that their schema could not say. Paths begin at the settings.
    fn build(&self, settings: Self::Settings, context: &Context<'_>)
    -> Result<Built, Vec<Invalid>>;
}

/// When hooks of a plugin can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stages {
    /// In all of these, whatever the chain says.
    Fixed(&'static [Stage]),
    /// In one of these, which the chain names unless there is one only.
    OneOf(&'static [Stage]),
}

/// What a plugin is built in.
pub struct Context<'a> {
    pub(super) owner: &'a Key,
    pub(super) id: &'a str,
    pub(super) stage: Option<Stage>,
    pub(super) mode: Mode,
    pub(super) states: &'a States,
}

/// What was built: a hook for one phase, or for several, each of which runs in its own.
#[derive(Default)]
pub struct Built {
    pub(super) arrival: Option<Arc<dyn HttpHook>>,
    pub(super) http: Option<Arc<dyn HttpHook>>,
    pub(super) call: Option<OnCall>,
}

/// What runs on calls.
pub(super) enum OnCall {
    Check(Arc<dyn Check>),
    Hook(Arc<dyn Hook>),
}

/// A policy that looks at a call and lets it go on, or refuses it.
///
/// Since it changes nothing, checks can run beside one another, and can be told to observe only.
#[async_trait]
pub trait Check: Send + Sync + 'static {
    /// Looks at a call. The future is dropped when the client leaves.
    ///
    /// # Errors
    ///
    /// What the call is refused with.
    async fn check(&self, call: &Call) -> Result<(), Error>;
}

// === impl Stages ===

impl Stages {
    /// All that there are.
    pub fn all(self) -> &'static [Stage] {
        match self {
            Self::Fixed(stages) | Self::OneOf(stages) => stages,
        }
    }
}

// === impl Context ===

impl Context<'_> {
    /// Whose chain it is in.
    pub fn owner(&self) -> &Key {
        self.owner
    }

    /// What the element is known by in its chain.
    pub fn id(&self) -> &str {
        self.id
    }

    /// The stage that the chain has named, of [`Stages::OneOf`].
    pub fn stage(&self) -> Option<Stage> {
        self.stage
    }

    /// What becomes of refusals. Checks need not care.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What the element remembers: found again when its settings or its neighbours change, gone with it.
    /// `init` makes it the first time. A state is told by its type, so a plugin may have several.
    pub fn state<T: Any + Send + Sync>(&self, init: impl FnOnce() -> T) -> Arc<T> {
        let identity = format!("plugin:{}:{}", self.owner, self.id);
        self.states.state(&identity, init)
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("owner", &self.owner)
            .field("id", &self.id)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

// === impl Built ===

impl Built {
    /// A hook on calls.
    pub fn hook(hook: impl Hook) -> Self {
        Self::default().and_hook(hook)
    }

    /// A hook over HTTP: it runs when the caller is known and before the body is read, on whatever is
    /// asked for. It cannot hang on a model, which is not yet known then.
    pub fn http(hook: impl HttpHook) -> Self {
        Self {
            http: Some(Arc::new(hook)),
            ..Self::default()
        }
    }

    /// A hook over HTTP that runs before anybody is asked who they are, on whatever is asked for but probes,
    /// unknown paths too. It can hang on a gateway alone, whose callers are strangers to it: it must cost little.
    pub fn arrival(hook: impl HttpHook) -> Self {
        Self {
            arrival: Some(Arc::new(hook)),
            ..Self::default()
        }
    }

    /// A policy that only looks.
    pub fn check(check: impl Check) -> Self {
        Self {
            call: Some(OnCall::Check(Arc::new(check))),
            ..Self::default()
        }
    }

    /// The same with this hook on calls. What it shares with a hook over HTTP goes along in the request's
    /// extensions, which a call has in its head.
    ///
    /// Where a model overrides the plugin, it takes the place of this hook alone: the one over HTTP has run
    /// by then. A plugin that is asked to hang on a model should build no hook over HTTP; its
    /// [`owner`](Context::owner) tells.
    #[must_use]
    pub fn and_hook(self, hook: impl Hook) -> Self {
        Self {
            call: Some(OnCall::Hook(Arc::new(hook))),
            ..self
        }
    }

    /// Why it cannot hang on a resource of this kind.
    pub(super) fn misplaced(&self, owner: Kind) -> Option<&'static str> {
        if self.arrival.is_some() && owner != Kind::Gateway {
            return Some("runs before the caller is known: it can hang on a gateway only");
        }
        (self.http.is_some() && owner == Kind::Model)
            .then_some("runs before the model is known: it can hang on a gateway or an API key")
    }

    /// Whether it is a hook on calls, and nothing else.
    pub(super) fn is_on_calls(&self) -> bool {
        self.arrival.is_none() && self.http.is_none() && self.call.is_some()
    }

    /// Whether it does nothing but look at calls.
    pub(super) fn only_looks(&self) -> bool {
        self.arrival.is_none() && self.http.is_none() && matches!(self.call, Some(OnCall::Check(_)))
    }
}

impl fmt::Debug for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = self.call.as_ref().map(|call| match call {
            OnCall::Check(_) => "check",
            OnCall::Hook(_) => "hook",
        });
        f.debug_struct("Built")
            .field("arrival", &self.arrival.is_some())
            .field("http", &self.http.is_some())
            .field("call", &call)
            .finish()
    }
}
