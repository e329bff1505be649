//! Gateways: so far the one that answers whatever no other claims.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Invalid, document::Document, plugin::Plugin};

/// The gateway that is always there.
const DEFAULT: &str = "default";

/// A gateway. So far there is one, called `default`, and what can be said about it is its chain of hooks.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// The name, unique among gateways.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Hooks of every call, see [`Plugin`].
    #[serde(default)]
    pub plugins: Vec<Plugin>,
}

// === impl Gateway ===

impl Document for Gateway {
    const IDENTITIES: &'static [&'static [&'static str]] = &[&["name"]];

    fn rules(document: &Map<String, Value>, errors: &mut Vec<Invalid>) {
        let name = document.get("name").and_then(Value::as_str);
        if name.is_some_and(|name| name != DEFAULT && !name.is_empty()) {
            let message = "must be `default`: other gateways are not supported yet";
            errors.push(Invalid::new("name", message));
        }
    }
}
