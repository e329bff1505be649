//! Settings of the guard.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::guard::remote::settings::{RemoteGuardSettings, timeout_ms};

/// Settings of [`Presidio`](super::Presidio).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PresidioSettings {
    /// What all remote guards have.
    #[serde(flatten)]
    pub common: RemoteGuardSettings,
    /// The base URL of the analyzer; `/analyze` is added.
    pub analyzer_url: String,
    /// The base URL of the anonymizer; `/anonymize` is added.
    pub anonymizer_url: String,
    /// What is looked for. Default: everything that the analyzer knows.
    #[serde(default)]
    #[schemars(length(max = 200))]
    pub entities: Vec<PresidioEntity>,
    /// What becomes of what is found, unless its entity says otherwise. Default: `mask`.
    #[serde(default)]
    pub default_action: PresidioAction,
    /// How it is taken out. Default: `replace`.
    #[serde(default)]
    pub operator: PresidioOperator,
    /// The language of the texts. Default: `en`.
    #[serde(default = "language")]
    #[schemars(length(min = 1, max = 32))]
    pub language: String,
    /// How sure the analyzer must be. Default: as sure as each of its recognizers asks for.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub score_threshold: Option<f64>,
    /// The deadline of each question, in milliseconds. Default: 5000.
    #[serde(default = "timeout_ms")]
    #[schemars(range(min = 100, max = 60_000))]
    pub timeout_ms: u32,
}

/// A kind of personal data.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PresidioEntity {
    /// What the analyzer calls it, such as `EMAIL_ADDRESS`.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 128))]
    pub kind: String,
    /// What becomes of it. Default: the `default_action`.
    #[serde(default)]
    pub action: Option<PresidioAction>,
}

/// What becomes of personal data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PresidioAction {
    /// It is taken out.
    #[default]
    Mask,
    /// The request or the answer is refused.
    Block,
}

/// How personal data is taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PresidioOperator {
    /// The entity takes its place, such as `<EMAIL_ADDRESS>`.
    #[default]
    Replace,
    /// A `*` takes the place of each character.
    Mask,
    /// Its SHA-256 takes its place.
    Hash,
    /// Nothing takes its place.
    Redact,
}

fn language() -> String {
    "en".to_owned()
}

// === impl PresidioSettings ===

impl PresidioSettings {
    /// Whether an entity is looked for.
    pub(super) fn wants(&self, entity: &str) -> bool {
        self.entities.is_empty() || self.entities.iter().any(|known| known.kind == entity)
    }

    /// What becomes of an entity.
    pub(super) fn action(&self, entity: &str) -> PresidioAction {
        let mut entities = self.entities.iter();
        let entity = entities.find(|known| known.kind == entity);
        let action = entity.and_then(|entity| entity.action);
        action.unwrap_or(self.default_action)
    }
}

// === impl PresidioOperator ===

impl PresidioOperator {
    /// What the anonymizer is told.
    pub(super) fn told(self) -> Value {
        match self {
            Self::Replace => json!({"type": "replace"}),
            // More characters than any entity has.
            Self::Mask => json!({"type": "mask", "masking_char": "*", "chars_to_mask": 1_000_000,
                "from_end": false}),
            Self::Hash => json!({"type": "hash", "hash_type": "sha256"}),
            Self::Redact => json!({"type": "redact"}),
        }
    }
}
