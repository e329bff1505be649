//! Settings of the hook.

use std::{collections::BTreeMap, time::Duration};

use aisix_core::config::Secret;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::duration::Span;

/// Settings of [`ExternalApi`](super::ExternalApi).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalApiSettings {
    /// The address of the service, `http` or `https`, without credentials.
    #[schemars(length(min = 1, max = 4_096))]
    pub endpoint: String,
    /// How it is asked. Default: `POST`.
    #[serde(default)]
    pub method: Method,
    /// Headers of the question. `${…}` stands for facts of the request; where one is not known, the header is left
    /// out.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>", extend("maxProperties" = 64))]
    pub headers: BTreeMap<String, Secret>,
    /// What is added to the query of the address.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub query_params: Vec<QueryParam>,
    /// How long the service may take for its whole answer, such as `500ms`; up to 60 seconds. Default: 5
    /// seconds.
    #[serde(default = "five_seconds")]
    pub timeout: Span,
    /// What of the answer goes into the body of the request.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub field_maps: Vec<FieldMap>,
    /// What of the answer stops the call. The first one that holds and stops counts.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub conditions: Vec<Condition>,
    /// Whether the call goes on as it is when the service fails. Default: no.
    #[serde(default)]
    pub fail_open: bool,
}

/// How the service is asked. A `GET` has no body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    #[default]
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
}

/// A parameter of the query.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryParam {
    /// Its name.
    pub name: String,
    /// Its value.
    #[schemars(with = "String")]
    pub value: Secret,
}

/// From the answer into the request.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldMap {
    /// Where it stands in the answer, with dots between names, such as `user.plan`. What is absent is not mapped.
    #[schemars(length(max = 1_024))]
    pub source: String,
    /// Where it goes in the request's body, such as `metadata.plan`. Objects on the way are made.
    #[schemars(length(max = 1_024))]
    pub destination: String,
}

/// What stops a call.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// A field of the answer, with dots between names.
    #[schemars(length(max = 1_024))]
    pub field: String,
    /// How it is compared.
    pub operator: Comparison,
    /// What it is compared with; left out, it is `null`.
    #[serde(default)]
    pub value: Option<Value>,
    /// Whether the call is stopped; else, the access log tells that the condition holds. Default: no.
    #[serde(default)]
    pub stop_flow: bool,
    /// What the caller is told.
    #[serde(default)]
    #[schemars(length(min = 1, max = 1_024))]
    pub message: Option<String>,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Comparison {
    /// It is there, and the same.
    Eq,
    /// It is not the same, or absent.
    Neq,
    /// It is a number that is greater.
    Gt,
    /// It is a number that is less.
    Lt,
}

fn five_seconds() -> Span {
    Span::new(Duration::from_secs(5))
}
