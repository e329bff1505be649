//! Groups of models, of which each request takes the one that its meaning suits.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::super::Invalid;

/// Which model serves a request, by what it means.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Semantic {
    /// The name of the model that makes embeddings, which must be a direct one.
    #[schemars(length(min = 1))]
    pub embedding_model: String,
    /// The name of the model for requests that suit no route, which must be a direct one.
    #[schemars(length(min = 1))]
    pub default: String,
    /// What requests may mean.
    #[schemars(length(min = 1))]
    pub routes: Vec<SemanticRoute>,
    /// How requests are compared.
    #[serde(rename = "match")]
    pub matching: SemanticMatch,
    /// The time for an embedding, in milliseconds. Default, and `0`: none but that of its model.
    #[serde(default)]
    pub embedding_timeout_ms: Option<u64>,
    /// What becomes of a request without an embedding: `default` takes the default model, `fail` refuses it, and a
    /// mapping with a `target` names a model, which must be a direct one. Default: `default`.
    #[serde(default)]
    #[schemars(extend("default" = "default"))]
    pub on_embedding_failure: OnEmbeddingFailure,
}

/// Something that requests may mean.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SemanticRoute {
    /// What it is called in headers and logs.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The name of the model, which must be a direct one.
    #[schemars(length(min = 1))]
    pub target: String,
    /// Requests that mean it.
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub examples: Vec<String>,
    /// How like one of them a request must be. Default: that of `match`.
    #[serde(default)]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: Option<f64>,
    /// For people, without an effect.
    #[serde(default)]
    pub description: Option<String>,
}

/// How requests are compared with examples.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SemanticMatch {
    /// How like an example a request must be.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub threshold: f64,
    /// How a route's examples come to one number. Default: `max`, the most alike counts.
    #[serde(default)]
    #[schemars(extend("default" = "max"))]
    pub aggregation: Aggregation,
    /// What likeness is. Default: `cosine`, that of the angle.
    #[serde(default)]
    #[schemars(extend("default" = "cosine"))]
    pub distance_metric: DistanceMetric,
}

/// How a route's examples come to one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// The most alike counts.
    #[default]
    Max,
}

/// What likeness is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DistanceMetric {
    /// The cosine of the angle between two vectors.
    #[default]
    Cosine,
}

/// What becomes of a request without an embedding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnEmbeddingFailure {
    /// The default model takes it.
    #[default]
    Default,
    /// It is refused.
    Fail,
    /// This model takes it.
    #[serde(untagged)]
    Target(FailureTarget),
}

/// Who takes requests without an embedding.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureTarget {
    /// The name of the model, which must be a direct one.
    pub target: String,
}

// === impl Semantic ===

impl Semantic {
    /// Reports what a schema cannot say of the block.
    pub(super) fn rules(semantic: &Value, errors: &mut Vec<Invalid>) {
        let path = "semantic.on_embedding_failure";
        match semantic.get("on_embedding_failure") {
            None => {}
            Some(Value::String(word)) if matches!(word.as_str(), "default" | "fail") => {}
            // The rest of it is in the schema.
            Some(Value::Object(members)) if members.contains_key("target") => {}
            Some(Value::Object(_)) => {
                errors.push(Invalid::new(format!("{path}.target"), "is required"));
            }
            Some(_) => {
                let message = "must be `default`, `fail` or a mapping with a `target`";
                errors.push(Invalid::new(path, message));
            }
        }
    }
}

// === impl OnEmbeddingFailure ===

impl JsonSchema for OnEmbeddingFailure {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OnEmbeddingFailure".into()
    }

    /// Of a mapping it says everything; the words are checked by our own rules.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let description = "The name of the model that takes it.";
        json_schema!({
            "examples": ["default", "fail"],
            "properties": {"target": {"type": "string", "minLength": 1, "description": description}},
            "additionalProperties": false,
        })
    }
}
