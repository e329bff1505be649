//! The hooks that configuration can name.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde_json::{Map, Value};

use super::plugin::{Built, Context, PluginFactory, Stages};
use crate::config::resource::{Invalid, Settings, Strictness};

/// The hooks that configuration can name. A cheap clone.
///
/// ```
/// use aisix_core::{config::Config, hook::Hooks};
///
/// let config = Config::builder().hooks(Hooks::new()).build();
/// ```
#[derive(Clone, Default)]
pub struct Hooks(Arc<BTreeMap<&'static str, Arc<dyn Factory>>>);

/// A [`PluginFactory`] whatever its settings.
pub(super) trait Factory: Send + Sync {
    fn stages(&self) -> Stages;

    fn observes(&self) -> bool;

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
        Arc::make_mut(&mut self.0).insert(name, factory);
        self
    }

    /// All hooks, ordered by name.
    pub fn describe(&self) -> impl Iterator<Item = Description<'_>> {
        self.0.iter().map(|(name, factory)| Description {
            name,
            stages: factory.stages(),
            schema: factory.schema(),
        })
    }

    pub(super) fn find(&self, name: &str) -> Option<&Arc<dyn Factory>> {
        self.0.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
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
