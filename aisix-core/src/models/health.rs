//! How models fare, as far as it is known: the one place that says so.
//!
//! Nobody asks the upstreams yet, so a model is well unless it cannot be served at all: without a
//! provider key, or with one that no provider can use.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::Model;
use crate::config::Snapshot;

/// How a model fares.
#[derive(Clone, Debug)]
pub struct Health {
    /// The model.
    pub model: Arc<Model>,
    /// In a word.
    pub status: HealthStatus,
    /// Why it is not well.
    pub reason: Option<String>,
}

/// How a model fares, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthStatus {
    /// It is served.
    Healthy,
    /// It is not served.
    Unhealthy,
}

/// How the models of a snapshot fare, by name.
pub fn all(snapshot: &Snapshot) -> impl Iterator<Item = Health> + '_ {
    snapshot.models().map(|model| {
        let reason = model.target().and_then(|target| target.endpoint().err());
        Health {
            model: model.clone(),
            status: match reason {
                None => HealthStatus::Healthy,
                Some(_) => HealthStatus::Unhealthy,
            },
            reason: reason.map(|error| error.message().to_owned()),
        }
    })
}

/// The same in JSON, as `/status/models` tells it.
pub fn to_json(snapshot: &Snapshot) -> Value {
    all(snapshot).map(|health| health.to_json()).collect()
}

// === impl Health ===

impl Health {
    fn to_json(&self) -> Value {
        let members = [
            ("id", Some(self.model.id().to_string())),
            ("display_name", Some(self.model.name().to_string())),
            ("kind", Some(self.model.kind().as_str().to_owned())),
            ("status", Some(self.status.as_str().to_owned())),
            ("status_reason", self.reason.clone()),
        ];
        let members = members.into_iter();
        let members: Map<String, Value> = members
            .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
            .collect();
        Value::Object(members)
    }
}

// === impl HealthStatus ===

impl HealthStatus {
    /// The word: `healthy` or `unhealthy`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        config::{Change, Config, Entry, Kind},
        testing::Plain,
        upstream::Registry,
    };

    #[test]
    fn a_model_is_well_unless_nobody_can_serve_it() {
        let providers = Registry::new().provider(Plain);
        let config = Config::builder().providers(providers).build();
        let model = |name: &str, provider: &str, key: &str| {
            let document = json!({"display_name": name, "provider": provider,
                "model_name": "m", "provider_key_id": key});
            Entry::new(Kind::Model, name, document)
        };
        let key = json!({"display_name": "key", "api_key": "sk-secret"});
        config.apply([Change::Reset(vec![
            model("a", "plain", "key"),
            model("b", "nobody", "key"),
            model("c*", "plain", "another"),
            Entry::new(Kind::ProviderKey, "key", key),
        ])]);
        assert_eq!(
            to_json(&config.current()),
            json!([
                {"id": "a", "display_name": "a", "kind": "direct", "status": "healthy"},
                {"id": "b", "display_name": "b", "kind": "direct", "status": "unhealthy",
                    "status_reason": "no provider \"nobody\" can serve this model"},
                {"id": "c*", "display_name": "c*", "kind": "direct", "status": "unhealthy",
                    "status_reason": "model \"c*\" has no provider key"},
            ])
        );
    }
}
