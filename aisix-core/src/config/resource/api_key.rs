//! Callers' credentials.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Invalid, document::Document, key_hash::KeyHash, plugin::Plugin, rate_limit::RateLimit,
};
use crate::config::glob::Glob;

/// A caller's credential and what it may do.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// The SHA-256 of the credential.
    pub key_hash: KeyHash,
    /// The models that may be used; an entry may hold one `*`. An empty list allows none.
    pub allowed_models: Vec<Glob>,
    /// Whether the key is switched off. Default: false.
    #[serde(default)]
    pub disabled: bool,
    /// When the key stops to work. Default: never.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub expires_at: Option<Timestamp>,
    /// Limits of everything that uses this key.
    #[serde(default)]
    pub rate_limit: RateLimit,
    /// The team, for policies and labels.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub team_id: Option<String>,
    /// The user, for policies and labels.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub user_id: Option<String>,
    /// The user's name, for labels.
    #[serde(default)]
    pub user_name: Option<String>,
    /// The key's name, for header templates.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The SHA-256 of the credential before this one, which works until `previous_expires_at`.
    #[serde(default)]
    pub previous_key_hash: Option<KeyHash>,
    /// When the credential before this one stops to work.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub previous_expires_at: Option<Timestamp>,
    /// Hooks of calls with this key, see [`Plugin`].
    #[serde(default)]
    pub plugins: Vec<Plugin>,
}

// === impl ApiKey ===

impl Document for ApiKey {
    const LATER: &'static [&'static str] = &[
        "allowed_routes",
        "allowed_agents",
        "mcp_rate_limits",
        "mcp_access",
        "jwt_provider",
        "jwt_subject",
    ];
    const IDENTITIES: &'static [&'static [&'static str]] = &[&["key_hash", "previous_key_hash"]];

    fn rules(document: &Map<String, Value>, errors: &mut Vec<Invalid>) {
        let [hash, end] = ["previous_key_hash", "previous_expires_at"];
        for (given, needed) in [(hash, end), (end, hash)] {
            if document.contains_key(given) && !document.contains_key(needed) {
                errors.push(Invalid::new(
                    needed,
                    format!("is required besides `{given}`"),
                ));
            }
        }
    }
}
