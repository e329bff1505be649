//! Elements of chains of hooks.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A hook in a chain: which one, where it stands, and its settings.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// The name under which the hook is registered.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// What it is known by in its chain; what it remembers is found by it. Default: the name.
    #[serde(default)]
    #[schemars(length(min = 1, max = 128))]
    pub id: Option<String>,
    /// Whether it runs. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// When it runs, for hooks that leave the choice.
    #[serde(default)]
    pub stage: Option<Stage>,
    /// Lower numbers run first within a stage; of equal ones the more general, then the one that is declared first.
    /// Default: 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 999))]
    pub priority: u16,
    /// Whether it runs beside others of the same priority that say so too, before those that do not.
    /// Default: false.
    #[serde(default)]
    pub parallel: bool,
    /// What becomes of its refusals. Default: `enforce`.
    #[serde(default)]
    pub mode: Mode,
    /// What becomes of hooks of the same name in chains that are more general. Default: `override`.
    #[serde(default)]
    pub merge: Merge,
    /// The hook's own settings. Texts in them whose names tell so, such as `api_key`, are secret.
    #[serde(default)]
    #[schemars(extend("x-secrets" = "texts"))]
    pub settings: Map<String, Value>,
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// On the request, before it is sent.
    PreRequest,
    /// On the request, after everything of `pre_request`.
    PostRequest,
    /// On the answer, before the caller gets it.
    PreResponse,
    /// On the answer, after everything of `pre_response`.
    PostResponse,
}

/// What becomes of a hook's refusals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The call is refused.
    #[default]
    Enforce,
    /// The call goes on, and its record tells of it.
    Observe,
}

/// What becomes of hooks of the same name in chains that are more general.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Merge {
    /// This one takes their place.
    #[default]
    Override,
    /// Both run.
    Append,
}

fn yes() -> bool {
    true
}

// === impl Plugin ===

impl Plugin {
    /// A hook with these settings, and otherwise as it is by default.
    pub(super) fn of(name: &str, settings: Map<String, Value>) -> Self {
        Self {
            name: name.to_owned(),
            id: None,
            enabled: true,
            stage: None,
            priority: 0,
            parallel: false,
            mode: Mode::default(),
            merge: Merge::default(),
            settings,
        }
    }

    /// What it is known by in its chain.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.name)
    }
}

// === impl Stage ===

impl Stage {
    /// The name in documents, such as `pre_request`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PreRequest => "pre_request",
            Self::PostRequest => "post_request",
            Self::PreResponse => "pre_response",
            Self::PostResponse => "post_response",
        }
    }

    /// Whether it is a matter of the answer alone.
    pub const fn is_response(self) -> bool {
        matches!(self, Self::PreResponse | Self::PostResponse)
    }

    /// Whether it comes after another stage of the same direction, whatever the priorities.
    pub const fn is_late(self) -> bool {
        matches!(self, Self::PostRequest | Self::PostResponse)
    }
}
