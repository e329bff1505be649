//! `cors`: lets pages of other origins call the gateway from a browser.

mod rules;
mod service;

use std::sync::Arc;

use aisix_core::{
    config::resource::{Invalid, Stage},
    hook::{Built, Context, PluginFactory, Stages},
};
use schemars::JsonSchema;
use serde::Deserialize;

use self::{rules::Rules, service::CorsLayer};
use crate::duration::Span;

/// Answers the preflights of browsers before authentication, since they carry no credential, and tells them in
/// every answer, refusals and streams too, which origin may read it. An origin that is not listed is refused
/// with 403.
///
/// A request without an `Origin` is none of another origin, and passes. It can hang on the gateway alone, and
/// stands before everything else there. Nothing is remembered, and nothing can fail.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cors;

/// Settings of [`Cors`].
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CorsSettings {
    /// Origins such as `https://app.example.com`, or `*` for any.
    #[schemars(length(min = 1, max = 1_000))]
    pub allowed_origins: Vec<String>,
    /// Methods that a preflight may ask for, such as `POST`.
    #[schemars(length(min = 1, max = 32))]
    pub allowed_methods: Vec<String>,
    /// Whether pages may send cookies and the like. Not with the origin `*`. Default: no.
    #[serde(default)]
    pub allow_credentials: bool,
    /// Headers of answers that pages may read beside the few that they always may.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub expose_headers: Vec<String>,
    /// How long a browser may remember the answer to a preflight, such as `10m`. Default: what the browser
    /// thinks right.
    #[serde(default)]
    pub max_age: Option<Span>,
    /// Whether the access log tells of refused origins. Default: no.
    #[serde(default)]
    pub log_violations: bool,
}

// === impl Cors ===

impl PluginFactory for Cors {
    type Settings = CorsSettings;

    fn name(&self) -> &'static str {
        "cors"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn build(&self, settings: CorsSettings, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        let rules = Rules::read(&settings)?;
        Ok(Built::arrival(CorsLayer(Arc::new(rules))))
    }
}
