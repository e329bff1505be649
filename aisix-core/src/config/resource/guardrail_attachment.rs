//! Where guardrails apply.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Invalid, Kind, document::Document};

/// A place at which a guardrail applies. A guardrail that nothing attaches applies everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardrailAttachment {
    /// The id of the guardrail.
    #[schemars(length(min = 1))]
    pub guardrail_id: String,
    /// Higher numbers run first; of equal ones the more specific scope, then the older guardrail.
    pub priority: i32,
    /// What it applies to.
    pub scope_type: ScopeType,
    /// The id of what it applies to; none for `env`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub scope_id: Option<String>,
    /// Whether it applies. A guardrail all of whose attachments do not applies nowhere. Default: true.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Without an effect.
    #[serde(default)]
    pub env_id: Option<String>,
}

/// What a guardrail can be attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScopeType {
    /// Everything.
    Env,
    /// Calls of a model.
    Model,
    /// Calls of an MCP server. There are none yet, so that it applies to nothing.
    McpServer,
    /// Calls with an API key.
    ApiKey,
    /// Calls with the API keys of a team.
    Team,
    /// Calls by a pass-through route. There are none yet, so that it applies to nothing.
    PassthroughRoute,
}

fn yes() -> bool {
    true
}

// === impl GuardrailAttachment ===

impl Document for GuardrailAttachment {
    const IDENTITIES: &'static [&'static [&'static str]] = &[];
    const REFERENCES: &'static [(&'static str, Kind)] = &[("guardrail_id", Kind::Guardrail)];

    fn rules(document: &Map<String, Value>, errors: &mut Vec<Invalid>) {
        let is_of_all = document.get("scope_type").is_some_and(|it| it == "env");
        if !is_of_all && !document.contains_key("scope_id") {
            let message = "is required unless `scope_type` is `env`";
            errors.push(Invalid::new("scope_id", message));
        }
    }
}
