//! Upstreams: several places that serve the same.

mod health_checks;
mod target;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

pub(super) use self::health_checks::body_pattern;
pub use self::{
    health_checks::{ActiveCheck, BodyPattern, CheckType, HealthChecks},
    target::{TargetState, UpstreamTarget},
};
use super::{Invalid, document::Document, model::CircuitBreaker};

/// Several places that serve the same, and how requests are spread over them.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// The name, unique among upstreams.
    #[schemars(length(min = 1))]
    pub name: String,
    /// How targets of equal priority are chosen. `least-connections` is another name of `least-conn`. Default:
    /// `round-robin`.
    #[serde(default)]
    #[schemars(with = "String", extend("default" = "round-robin", "enum" = [
        "round-robin", "weighted-round-robin", "least-conn", "least-connections", "random", "power-of-two",
        "least-latency", "consistent-hash",
    ]))]
    pub algorithm: Algorithm,
    /// The places.
    #[schemars(length(min = 1))]
    pub targets: Vec<UpstreamTarget>,
    /// How the health of targets is told. Default: it is not.
    #[serde(default)]
    pub health_checks: HealthChecks,
    /// When a target is taken out, and how it comes back. Default: it is not.
    #[serde(default)]
    #[schemars(extend("x-means-something-when-empty" = true))]
    pub circuit_breaker: Option<CircuitBreaker>,
    /// Labels.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// How targets are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Algorithm {
    /// One after the other, by weight.
    #[default]
    RoundRobin,
    /// The same.
    WeightedRoundRobin,
    /// Who has the fewest requests under way, by weight.
    #[serde(alias = "least-connections")]
    LeastConn,
    /// Anyone, by weight.
    Random,
    /// Of two of them, who has fewer requests under way.
    PowerOfTwo,
    /// Who answers soonest.
    LeastLatency,
    /// The same one for the same key.
    ConsistentHash,
}

// === impl Algorithm ===

impl Algorithm {
    /// The name in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round-robin",
            Self::WeightedRoundRobin => "weighted-round-robin",
            Self::LeastConn => "least-conn",
            Self::Random => "random",
            Self::PowerOfTwo => "power-of-two",
            Self::LeastLatency => "least-latency",
            Self::ConsistentHash => "consistent-hash",
        }
    }
}

// === impl Upstream ===

impl Document for Upstream {
    const LATER: &'static [&'static str] = &[
        "embedding_config",
        "websocket_config",
        "health_checks.active.service",
        "proxy_config",
        "proxy",
        "targets[].auth",
        "targets[].credentials",
        "targets[].default_model",
        "targets[].insecure_ssl",
        "targets[].models",
        "targets[].provider",
        "targets[].provider_options",
    ];
    const IDENTITIES: &'static [&'static [&'static str]] = &[&["name"]];

    fn rules(document: &Map<String, Value>, errors: &mut Vec<Invalid>) {
        if document.get("algorithm").is_some_and(|it| it == "semantic") {
            errors.retain(|error| error.path != "algorithm");
            errors.push(Invalid::new("algorithm", "`semantic` is not supported yet"));
        }
        let targets = document.get("targets").and_then(Value::as_array);
        let mut names = HashSet::new();
        for (index, target) in targets.into_iter().flatten().enumerate() {
            let path = format!("targets[{index}]");
            UpstreamTarget::rules(target, &path, errors);
            // What is wrong with one that cannot be read is told already.
            let Ok(target) = UpstreamTarget::deserialize(target) else {
                continue;
            };
            if !names.insert(target.name().to_owned()) {
                errors.push(match target.id {
                    Some(_) => {
                        let message = "is the same as that of another target";
                        Invalid::new(format!("{path}.id"), message)
                    }
                    None => {
                        Invalid::new(path, "is where another target is; an `id` tells them apart")
                    }
                });
            }
        }
        if let Some(checks) = document.get("health_checks") {
            HealthChecks::rules(checks, errors);
        }
        if let Some(breaker) = document.get("circuit_breaker") {
            CircuitBreaker::rules(breaker, "circuit_breaker", errors);
        }
    }

    fn misplaced(document: &Map<String, Value>) -> Vec<Invalid> {
        let checks = document.get("health_checks");
        checks.map(HealthChecks::misplaced).unwrap_or_default()
    }
}
