//! Groups of models, of which each request takes one that can serve it.

use std::borrow::Cow;

use http::HeaderName;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::super::Invalid;

/// Strategies by the names of earlier versions, and their names of today.
const FORMERLY: [(&str, &str); 2] = [("weighted", "round_robin"), ("sticky", "consistent_hash")];

/// The strategy that `hash_on` is for.
const CONSISTENT_HASH: &str = "consistent_hash";

/// Which of several models serves a request, and which of them when that fails.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    /// The models.
    #[schemars(length(min = 1))]
    pub targets: Vec<RoutingTarget>,
    /// The name of the strategy that orders targets of equal priority: `failover`, `round_robin`, `consistent_hash`,
    /// `least_cost`, `least_latency`, `least_busy`, `random`, `power_of_two`, or one that was registered. `weighted` is
    /// another name of `round_robin`, `sticky` of `consistent_hash`. Default: `failover`.
    #[serde(default = "failover", deserialize_with = "strategy")]
    #[schemars(length(min = 1, max = 64), extend("examples" = [
        "failover", "round_robin", "consistent_hash", "least_cost", "least_latency", "least_busy", "random", "power_of_two",
    ]))]
    pub strategy: String,
    /// What requests are told apart by, for `consistent_hash` only: the first of these that a request has. Default:
    /// the header `x-aisix-routing-key`, then the API key.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub hash_on: Option<Vec<HashOn>>,
    /// How often a target is asked again before the next one, if it does not say so itself. Default: the gateway's own.
    #[serde(default)]
    pub retries: Option<u32>,
    /// How many targets are asked after the first one. Default: all.
    #[serde(default)]
    pub max_fallbacks: Option<u32>,
    /// Whether a target is asked again, and the next one is, when the upstream's limit is reached (429). Default: false.
    #[serde(default)]
    pub retry_on_429: bool,
    /// Status codes of the upstream after which it goes on, too. Default: none.
    #[serde(default)]
    #[schemars(inner(range(min = 400, max = 599)))]
    pub fallback_on_statuses: Vec<u16>,
    /// What becomes of a request when no target is well. Default: `fail`.
    #[serde(default)]
    #[schemars(extend("default" = "fail"))]
    pub when_all_unavailable: WhenAllUnavailable,
    /// The time for all attempts together, in milliseconds. Default: no more than what each of them has.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub deadline_ms: Option<u64>,
    /// Whether requests of one conversation go to the same target while that is well and not much busier than the others,
    /// because it has the beginning of the conversation in its prompt cache. Default: false.
    #[serde(default)]
    pub prefix_affinity: bool,
}

/// One of the models of a group.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoutingTarget {
    /// The name of the model, which must be a direct one. Of targets of one name, the first counts.
    #[schemars(length(min = 1))]
    pub model: String,
    /// Its share of the requests, for strategies that know shares. Default: 1.
    #[serde(default = "one")]
    pub weight: u32,
    /// Targets of a higher one are preferred. Default: 0.
    #[serde(default)]
    pub priority: i32,
    /// What a request may ask for; `default` is for requests that ask for nothing that there is. Default: none.
    #[serde(default)]
    #[schemars(inner(length(min = 1)))]
    pub tags: Vec<String>,
}

/// Something that tells requests apart.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "HashOnFields")]
pub enum HashOn {
    /// A header.
    Header(HeaderName),
    /// A cookie.
    Cookie(String),
    /// The id of the API key.
    ApiKey,
    /// The address of the client.
    ClientIp,
}

/// Something that tells requests apart.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HashOnFields {
    /// What it is.
    #[serde(rename = "type")]
    source: HashOnType,
    /// The name of the header or cookie, required for them, and for nothing else.
    #[serde(default)]
    #[schemars(length(min = 1))]
    name: Option<String>,
}

/// What tells requests apart.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum HashOnType {
    /// A header.
    Header,
    /// A cookie.
    Cookie,
    /// The API key.
    ApiKey,
    /// The address of the client.
    ClientIp,
}

/// What becomes of a request when no target is well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenAllUnavailable {
    /// It is refused.
    #[default]
    Fail,
    /// All are asked as if they were well.
    TryAnyway,
}

fn failover() -> String {
    "failover".to_owned()
}

fn one() -> u32 {
    1
}

fn strategy<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    Ok(match of_today(&name) {
        Some(today) => today.to_owned(),
        None => name,
    })
}

/// The name of today of a strategy that had another one.
pub(in super::super) fn of_today(strategy: &str) -> Option<&'static str> {
    let renamed = FORMERLY.iter().find(|(name, _)| *name == strategy);
    renamed.map(|(_, today)| *today)
}

// === impl Routing ===

impl Routing {
    /// A group of one model.
    pub(in crate::config) fn of_one(model: &str, retries: Option<u32>) -> Self {
        Self {
            targets: vec![RoutingTarget {
                model: model.to_owned(),
                weight: one(),
                priority: 0,
                tags: Vec::new(),
            }],
            strategy: failover(),
            hash_on: None,
            retries,
            max_fallbacks: None,
            retry_on_429: false,
            fallback_on_statuses: Vec::new(),
            when_all_unavailable: WhenAllUnavailable::default(),
            deadline_ms: None,
            prefix_affinity: false,
        }
    }

    /// Reports what a schema cannot say of the block.
    pub(super) fn rules(routing: &Value, errors: &mut Vec<Invalid>) {
        let sources = routing.get("hash_on").and_then(Value::as_array);
        for (index, source) in sources.into_iter().flatten().enumerate() {
            let (kind, name) = (source["type"].as_str(), source["name"].as_str());
            let message = match (kind, name) {
                (Some("header" | "cookie"), None) => "is required",
                (Some("header"), Some(name)) if name.parse::<HeaderName>().is_err() => {
                    "is not the name of a header"
                }
                (Some("api_key" | "client_ip"), Some(_)) => "is only for a header or cookie",
                _ => continue,
            };
            let path = format!("routing.hash_on[{index}].name");
            errors.push(Invalid::new(path, message));
        }
    }

    /// What is of no use.
    pub(super) fn misplaced(routing: &Value, errors: &mut Vec<Invalid>) {
        let strategy = routing.get("strategy").and_then(Value::as_str);
        let strategy = strategy.map(|name| of_today(name).unwrap_or(name));
        if routing.get("hash_on").is_some() && strategy != Some(CONSISTENT_HASH) {
            let message = "is only for the strategy `consistent_hash`";
            errors.push(Invalid::new("routing.hash_on", message));
        }
    }
}

// === impl HashOn ===

impl HashOn {
    /// What requests are told apart by when nobody says it.
    pub fn usual() -> Vec<Self> {
        let header = HeaderName::from_static("x-aisix-routing-key");
        vec![Self::Header(header), Self::ApiKey]
    }
}

impl TryFrom<HashOnFields> for HashOn {
    type Error = &'static str;

    fn try_from(fields: HashOnFields) -> Result<Self, Self::Error> {
        match (fields.source, fields.name) {
            (HashOnType::Header, Some(name)) => match name.parse() {
                Ok(name) => Ok(Self::Header(name)),
                Err(_) => Err("not the name of a header"),
            },
            (HashOnType::Cookie, Some(name)) => Ok(Self::Cookie(name)),
            (HashOnType::ApiKey, None) => Ok(Self::ApiKey),
            (HashOnType::ClientIp, None) => Ok(Self::ClientIp),
            _ => Err("a name where there is none, or none where there is one"),
        }
    }
}

impl JsonSchema for HashOn {
    fn schema_name() -> Cow<'static, str> {
        "HashOn".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        HashOnFields::json_schema(generator)
    }
}
