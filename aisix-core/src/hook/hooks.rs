//! The hooks that configuration can name.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde_json::{Map, Value};

use super::plugin::{Built, Context, PluginFactory, Stages};
use crate::config::resource::{Invalid, Settings, Strictness, nearest};

/// The hooks that configuration can name. A cheap clone.
///
/// ```
/// use aisix_core::{config::Config, hook::Hooks};
///
/// let config = Config::builder().hooks(Hooks::new()).build();
/// ```
#[derive(Clone, Default)]
pub struct Hooks {
    factories: Arc<BTreeMap<&'static str, Arc<dyn Factory>>>,
    /// Names that are refused, and what to use instead.
    unsupported: Arc<BTreeMap<&'static str, Option<&'static str>>>,
}

/// A [`PluginFactory`] whatever its settings.
pub(super) trait Factory: Send + Sync {
    fn stages(&self) -> Stages;

    fn observes(&self) -> bool;

    fn guardrail(&self) -> Option<&'static str>;

    fn masks(&self) -> bool;

    fn schema(&self) -> &Value;

    /// Also gives the fields of the settings that are unknown.
    fn build(
        &self,
        settings: Map<String, Value>,
        strictness: Strictness,
        context: &Context<'_>,
    ) -> Result<(Built, Vec<String>), Vec<Invalid>>;
}

struct Typed<F: PluginFactory> {
    factory: F,
    settings: Settings<F::Settings>,
}

/// What can be said about a plugin.
#[derive(Clone, Debug)]
pub struct Description<'a> {
    /// The name in chains.
    pub name: &'static str,
    /// The kind of guardrails that it serves.
    pub guardrail: Option<&'static str>,
    /// When its hooks can run.
    pub stages: Stages,
    /// The JSON Schema (draft 7) of its settings.
    pub schema: &'a Value,
}

// === impl Hooks ===

impl Hooks {
    /// No hooks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a hook under its name; one that had it before is forgotten.
    #[must_use]
    pub fn plugin<F: PluginFactory>(mut self, factory: F) -> Self {
        let name = factory.name();
        let settings = Settings::new();
        let factory: Arc<dyn Factory> = Arc::new(Typed { factory, settings });
        Arc::make_mut(&mut self.factories).insert(name, factory);
        self
    }

    /// Says of a name that it stands for a hook that is not supported, rather than for a mistake; chains with it
    /// are refused. Whoever asks for it is told of `instead`, where a hook of that name is registered. A hook that
    /// is registered under the name itself counts more.
    #[must_use]
    pub fn unsupported(mut self, name: &'static str, instead: Option<&'static str>) -> Self {
        Arc::make_mut(&mut self.unsupported).insert(name, instead);
        self
    }

    /// All hooks, ordered by name.
    pub fn describe(&self) -> impl Iterator<Item = Description<'_>> {
        self.factories.iter().map(|(name, factory)| Description {
            name,
            guardrail: factory.guardrail(),
            stages: factory.stages(),
            schema: factory.schema(),
        })
    }

    pub(super) fn find(&self, name: &str) -> Option<&Arc<dyn Factory>> {
        self.factories.get(name)
    }

    /// Why there is no hook of this name.
    pub(super) fn missing(&self, name: &str) -> String {
        if let Some(instead) = self.unsupported.get(name) {
            return match instead.filter(|instead| self.factories.contains_key(instead)) {
                Some(instead) => format!("is not supported; use `{instead}`"),
                None => "is not supported yet".to_owned(),
            };
        }
        match nearest(name, self.names()) {
            Some(near) => format!("is no known hook; did you mean `{near}`?"),
            None => "is no known hook".to_owned(),
        }
    }

    /// What serves a kind of guardrails; of several, the one whose name sorts first.
    pub(super) fn serving(&self, kind: &str) -> Option<&Arc<dyn Factory>> {
        let mut factories = self.factories.values();
        factories.find(|factory| factory.guardrail() == Some(kind))
    }

    /// The kinds of guardrails that are served.
    pub(super) fn kinds(&self) -> Vec<&'static str> {
        let kinds = self
            .factories
            .values()
            .filter_map(|factory| factory.guardrail());
        let mut kinds: Vec<_> = kinds.collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.factories.keys().copied()
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

// === impl Typed ===

impl<F: PluginFactory> Factory for Typed<F> {
    fn stages(&self) -> Stages {
        self.factory.stages()
    }

    fn observes(&self) -> bool {
        self.factory.observes()
    }

    fn guardrail(&self) -> Option<&'static str> {
        self.factory.guardrail()
    }

    fn masks(&self) -> bool {
        self.factory.masks()
    }

    fn schema(&self) -> &Value {
        self.settings.schema()
    }

    fn build(
        &self,
        settings: Map<String, Value>,
        strictness: Strictness,
        context: &Context<'_>,
    ) -> Result<(Built, Vec<String>), Vec<Invalid>> {
        let (settings, unknown) = self.settings.read(settings.into(), strictness)?;
        Ok((self.factory.build(settings, context)?, unknown))
    }
}
