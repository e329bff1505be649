//! Groups of models that all answer, and one that makes one answer of theirs.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::super::Invalid;

/// Models that are all asked at the same time, and one that makes one answer of theirs.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ensemble {
    /// Who is asked.
    #[schemars(length(min = 1))]
    pub panel: Vec<PanelMember>,
    /// Who makes one answer.
    pub judge: Judge,
    /// How many of the panel must answer. Default: two, or all if there are fewer.
    #[serde(default)]
    pub min_responses: Option<NonZeroU32>,
    /// The time for each answer, in milliseconds. Default, and `0`: none but that of each model.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
}

/// One who is asked.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PanelMember {
    /// The name of the model, which must be a direct one.
    #[schemars(length(min = 1))]
    pub model: String,
    /// Its temperature. Default: that of the request.
    #[serde(default)]
    #[schemars(range(min = 0.0))]
    pub temperature: Option<f64>,
    /// Its seed. Default: that of the request.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Kept, but of no effect.
    #[serde(default)]
    pub weight: Option<u32>,
}

/// Who makes one answer of several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Judge {
    /// The name of the model, which must be a direct one.
    #[schemars(length(min = 1))]
    pub model: String,
    /// What it is told, with `{original_request}` and `{labeled_candidates}` where they belong. Default: a text of the
    /// gateway.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub synthesis_prompt: Option<String>,
}

// === impl Ensemble ===

impl Ensemble {
    /// What is of no use.
    pub(super) fn misplaced(ensemble: &Value, errors: &mut Vec<Invalid>) {
        let panel = ensemble.get("panel").and_then(Value::as_array);
        let least = ensemble.get("min_responses").and_then(Value::as_u64);
        if let (Some(panel), Some(least)) = (panel, least)
            && least > panel.len() as u64
        {
            let message = "must not be greater than the number of models in `panel`";
            errors.push(Invalid::new("ensemble.min_responses", message));
        }
    }
}
