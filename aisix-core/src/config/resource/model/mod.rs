//! Models as callers name them.

mod background_check;
mod circuit_breaker;
mod concurrency;
mod cooldown;
mod direct;
mod ensemble;
mod hedging;
mod routing;
mod semantic;
mod targets;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(super) use self::routing::of_today;
pub use self::{
    background_check::BackgroundCheck,
    circuit_breaker::CircuitBreaker,
    concurrency::{AdaptiveConcurrency, MaxConnections},
    cooldown::Cooldown,
    direct::{AutoPromptCaching, CacheTtl, Cost, Direct, Embedding, OnUnsupported},
    ensemble::{Ensemble, Judge, PanelMember},
    hedging::Hedging,
    routing::{HashOn, Routing, RoutingTarget, WhenAllUnavailable},
    semantic::{
        Aggregation, DistanceMetric, FailureTarget, OnEmbeddingFailure, Semantic, SemanticMatch,
        SemanticRoute,
    },
    targets::{Named, is_direct, targets},
};
use super::{
    Invalid, Kind, cidrs::Cidrs, document::Document, plugin::Plugin, rate_limit::RateLimit,
};
use crate::config::glob::Glob;

/// The blocks that make a group of a model.
const SHAPES: [&str; 3] = ["routing", "ensemble", "semantic"];
/// What a direct model must have, and no other may.
const REQUIRED: [&str; 3] = ["provider", "model_name", "provider_key_id"];
/// What no group may have, whoever delivers it.
const DIRECT: [&str; 3] = ["background_model_check", "cooldown", "embedding"];
/// What is of no use to any group.
const OF_NO_USE: [&str; 8] = [
    "auto_prompt_caching",
    "cost",
    "on_unsupported",
    "circuit_breaker",
    "max_connections",
    "adaptive_concurrency",
    "draining",
    "disabled",
];

/// A name for callers and what serves it.
///
/// A `display_name` with one `*` is a pattern: it serves every name that it matches.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Model {
    /// The name, unique among models.
    pub display_name: String,
    /// The time for a whole answer, in milliseconds; `0` is none. Never set for an ensemble.
    pub timeout: Option<u64>,
    /// The time between two pieces of a stream, in milliseconds. Never set for an ensemble.
    pub stream_timeout: Option<u64>,
    /// How often it is tried again. Only set for direct models and semantic groups.
    pub retries: Option<u32>,
    /// Limits of everything that uses this model.
    pub rate_limit: RateLimit,
    /// Where clients may come from.
    pub allowed_cidrs: Cidrs,
    /// Hooks of calls of this model.
    pub plugins: Vec<Plugin>,
    /// What serves it.
    pub shape: Shape,
}

/// What serves a model.
#[derive(Clone, Debug)]
pub enum Shape {
    /// A provider.
    Direct(Box<Direct>),
    /// One of several models.
    Routing(Routing),
    /// Several models together.
    Ensemble(Ensemble),
    /// The one of several models that suits the request.
    Semantic(Semantic),
}

/// A name for callers and what serves it: a provider, or other models, see `routing`, `ensemble` and `semantic`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = shapes)]
struct Fields {
    /// The name, unique among models. One `*` makes it a pattern, of a direct model only.
    #[schemars(length(min = 1))]
    display_name: String,
    /// The provider, such as `openai`.
    #[serde(default)]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[a-z0-9][a-z0-9._-]*$"))]
    provider: Option<String>,
    /// The name at the provider. A `*` in it becomes what the `*` of the pattern stands for. Only a
    /// pattern may leave it out: then it is what the `*` stands for.
    #[serde(default)]
    #[schemars(length(min = 1))]
    model_name: Option<String>,
    /// The id of the provider key.
    #[serde(default)]
    #[schemars(length(min = 1))]
    provider_key_id: Option<String>,
    /// Which of several models serves a request, and which of them when that fails.
    #[serde(default)]
    routing: Option<Routing>,
    /// Models that are all asked at the same time, and one that makes one answer of theirs.
    #[serde(default)]
    ensemble: Option<Ensemble>,
    /// Which of several models serves a request, by what it means.
    #[serde(default)]
    semantic: Option<Semantic>,
    /// The time for a whole answer, in milliseconds; not for streams. `0` is none. Default: that of the group, or the
    /// gateway's own.
    #[serde(default)]
    timeout: Option<u64>,
    /// The time between two pieces of a stream, in milliseconds. Default, and `0`: that of the group, `timeout`, or
    /// the gateway's own.
    #[serde(default)]
    stream_timeout: Option<u64>,
    /// How often it is tried again. Default: that of the group, or the gateway's own.
    #[serde(default)]
    retries: Option<u32>,
    /// What is done with members of a request that the provider cannot say: `drop` leaves all of them
    /// out, `refuse` refuses the request. Default: what would change the shape of the answer is refused,
    /// hints are left out.
    #[serde(default)]
    on_unsupported: Option<OnUnsupported>,
    /// Has prompts cached, by providers of Anthropic's dialect; nothing elsewhere.
    #[serde(default)]
    auto_prompt_caching: Option<AutoPromptCaching>,
    /// Limits of everything that uses this model.
    #[serde(default)]
    rate_limit: RateLimit,
    /// Where clients may come from. Default: anywhere.
    #[serde(default)]
    allowed_cidrs: Cidrs,
    /// What tokens cost.
    #[serde(default)]
    cost: Option<Cost>,
    /// Set for a model that makes embeddings.
    #[serde(default)]
    embedding: Option<Embedding>,
    /// Asks the model now and then, whether or not callers do. Default: it is not asked.
    #[serde(default)]
    background_model_check: Option<BackgroundCheck>,
    /// When it rests after a failure. Default: after those of an upstream that may pass.
    #[serde(default)]
    cooldown: Cooldown,
    /// When it is taken out, and how it comes back. Default: it is not.
    #[serde(default)]
    #[schemars(extend("x-means-something-when-empty" = true))]
    circuit_breaker: Option<CircuitBreaker>,
    /// How many requests it answers at a time. Default: any number.
    #[serde(default)]
    max_connections: Option<MaxConnections>,
    /// Whether that number follows how the upstream fares. Default: it does not.
    #[serde(default)]
    adaptive_concurrency: Option<AdaptiveConcurrency>,
    /// Whether it takes no more requests of groups. Those under way are finished. Default: false.
    #[serde(default)]
    draining: bool,
    /// Whether it takes no requests at all. Default: false.
    #[serde(default)]
    disabled: bool,
    /// Hooks of calls of this model, see [`Plugin`].
    #[serde(default)]
    plugins: Vec<Plugin>,
}

/// Says of each shape what it must have, and what it must not.
fn shapes(schema: &mut Schema) {
    let none_of = |names: &[&[&str]]| -> Value {
        let names = names.concat().into_iter();
        names
            .map(|name| (name.to_owned(), Value::Bool(false)))
            .collect::<Map<_, _>>()
            .into()
    };
    let group = |shape: &str| {
        let others: Vec<&str> = SHAPES.into_iter().filter(|other| *other != shape).collect();
        let own = of_no_use(shape);
        let properties = none_of(&[&REQUIRED, &DIRECT, &others, &own]);
        json!({"required": [shape], "properties": properties})
    };
    let direct =
        json!({"required": ["provider", "provider_key_id"], "properties": none_of(&[&SHAPES])});
    let mut choices = vec![direct];
    choices.extend(SHAPES.map(group));
    schema.insert("oneOf".to_owned(), choices.into());
}

/// What is of no use to a group of this shape.
fn of_no_use(shape: &str) -> Vec<&'static str> {
    let own: &[&str] = match shape {
        "routing" => &["retries"],
        "ensemble" => &["timeout", "stream_timeout", "retries"],
        _ => &[],
    };
    [&OF_NO_USE, own].concat()
}

/// The block that makes a group of a document.
fn shape_of(document: &Map<String, Value>) -> Option<&'static str> {
    SHAPES
        .into_iter()
        .find(|shape| document.contains_key(*shape))
}

// === impl Model ===

impl Model {
    /// What a provider serves, if this is no group.
    pub fn direct(&self) -> Option<&Direct> {
        match &self.shape {
            Shape::Direct(direct) => Some(direct),
            _ => None,
        }
    }
}

impl TryFrom<Fields> for Model {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        let shape = match (fields.routing, fields.ensemble, fields.semantic) {
            (Some(routing), None, None) => Shape::Routing(routing),
            (None, Some(ensemble), None) => Shape::Ensemble(ensemble),
            (None, None, Some(semantic)) => Shape::Semantic(semantic),
            (None, None, None) => Shape::Direct(Box::new(Direct {
                provider: fields.provider.ok_or("no provider")?,
                model_name: fields.model_name,
                provider_key_id: fields.provider_key_id.ok_or("no provider key")?,
                on_unsupported: fields.on_unsupported,
                auto_prompt_caching: fields.auto_prompt_caching,
                cost: fields.cost,
                embedding: fields.embedding,
                background_model_check: fields.background_model_check,
                cooldown: fields.cooldown,
                circuit_breaker: fields.circuit_breaker,
                max_connections: fields.max_connections,
                adaptive_concurrency: fields.adaptive_concurrency,
                draining: fields.draining,
                disabled: fields.disabled,
            })),
            _ => return Err("more than one shape"),
        };
        Ok(Self {
            display_name: fields.display_name,
            timeout: fields.timeout,
            stream_timeout: fields.stream_timeout,
            retries: fields.retries,
            rate_limit: fields.rate_limit,
            allowed_cidrs: fields.allowed_cidrs,
            plugins: fields.plugins,
            shape,
        })
    }
}

impl JsonSchema for Model {
    fn schema_name() -> Cow<'static, str> {
        "Model".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Fields::json_schema(generator)
    }
}

impl Document for Model {
    const IDENTITIES: &'static [&'static [&'static str]] = &[&["display_name"]];
    const REFERENCES: &'static [(&'static str, Kind)] = &[("provider_key_id", Kind::ProviderKey)];

    fn rules(document: &Map<String, Value>, errors: &mut Vec<Invalid>) {
        let name = document.get("display_name").and_then(Value::as_str);
        let is_pattern = name.is_some_and(|name| Glob::new(name).is_wildcard());
        match shape_of(document) {
            None => {
                let may_miss = |name: &&str| is_pattern && *name == "model_name";
                let required = REQUIRED.iter().filter(|name| !may_miss(name));
                let missing = required.filter(|name| !document.contains_key(**name));
                errors.extend(missing.map(|name| Invalid::new(*name, "is required")));
            }
            Some(shape) => {
                let others = SHAPES.into_iter().filter(|other| *other != shape);
                let strangers = others.chain(REQUIRED).chain(DIRECT);
                let strangers = strangers.filter(|name| document.contains_key(*name));
                errors.extend(strangers.map(|name| besides(name, shape)));
                if is_pattern {
                    let message = format!("must not have a `*` besides `{shape}`");
                    errors.push(Invalid::new("display_name", message));
                }
            }
        }
        if let Some(routing) = document.get("routing") {
            Routing::rules(routing, errors);
        }
        if let Some(semantic) = document.get("semantic") {
            Semantic::rules(semantic, errors);
        }
        if let Some(breaker) = document.get("circuit_breaker") {
            CircuitBreaker::rules(breaker, "circuit_breaker", errors);
        }
    }

    fn misplaced(document: &Map<String, Value>) -> Vec<Invalid> {
        let mut misplaced = Vec::new();
        if let Some(shape) = shape_of(document) {
            let strangers = of_no_use(shape).into_iter();
            let strangers = strangers.filter(|name| document.contains_key(*name));
            misplaced.extend(strangers.map(|name| besides(name, shape)));
        }
        if let Some(routing) = document.get("routing") {
            Routing::misplaced(routing, &mut misplaced);
        }
        if let Some(ensemble) = document.get("ensemble") {
            Ensemble::misplaced(ensemble, &mut misplaced);
        }
        misplaced
    }
}

/// What is said of a field that a group must not have.
fn besides(name: &str, shape: &str) -> Invalid {
    let message = match SHAPES.contains(&name) {
        true => format!("must not be given besides `{shape}`: a model has one of them"),
        false => format!("must not be given besides `{shape}`"),
    };
    Invalid::new(name, message)
}

// === impl Shape ===

impl Shape {
    /// The names of the models that serve it; of a direct one, none.
    pub(in crate::config) fn names(&self) -> Box<[Arc<str>]> {
        let names: Vec<&str> = match self {
            Self::Direct(_) => Vec::new(),
            Self::Routing(routing) => routing.targets.iter().map(|it| it.model.as_str()).collect(),
            Self::Ensemble(ensemble) => {
                let panel = ensemble.panel.iter().map(|it| it.model.as_str());
                panel.chain([ensemble.judge.model.as_str()]).collect()
            }
            Self::Semantic(semantic) => {
                let routes = semantic.routes.iter().map(|it| it.target.as_str());
                let others = [semantic.embedding_model.as_str(), semantic.default.as_str()];
                let on_failure = match &semantic.on_embedding_failure {
                    OnEmbeddingFailure::Target(other) => Some(other.target.as_str()),
                    _ => None,
                };
                routes.chain(others).chain(on_failure).collect()
            }
        };
        names.into_iter().map(Arc::from).collect()
    }
}
