//! How the health of targets is told.

use std::borrow::Cow;

use http::uri::PathAndQuery;
use regex::{Regex, RegexBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use super::super::{Invalid, headers::Headers};

/// The longest regular expression, in characters.
const MAX_EXPRESSION: usize = 256;
/// How much memory a compiled expression may take, in bytes.
const MAX_COMPILED: usize = 1 << 18;

/// How the health of targets is told: by what becomes of requests, by questions of the gateway's own, or by both.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HealthChecks {
    /// Whether failures of requests count. Default: false.
    pub passive: bool,
    /// How many of them make a target unhealthy. Default: 3.
    #[schemars(range(min = 1))]
    pub threshold: u32,
    /// How long a failure counts after the last one, in seconds. Default: 60.
    #[schemars(range(min = 1))]
    pub interval: u64,
    /// The path of `active`, where that says none.
    pub path: Option<String>,
    /// Headers of `active`, besides its own.
    pub headers: Headers,
    /// Asks targets now and then. Default: they are not asked.
    #[schemars(extend("x-means-something-when-empty" = true))]
    pub active: Option<ActiveCheck>,
}

/// Questions of the gateway's own, to each target.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ActiveCheck {
    /// What is asked: a request of HTTP, or a connection. Default: `http`.
    #[serde(rename = "type")]
    #[schemars(extend("default" = "http"))]
    pub check: CheckType,
    /// The path of the request, whatever that of the target is; of `http`. Default: `/`.
    pub path: Option<String>,
    /// Headers of the request; of `http`.
    pub headers: Headers,
    /// Status codes of a good answer; of `http`. Default: 200 to 399.
    #[schemars(inner(range(min = 100, max = 599)))]
    pub expected_status: Vec<u16>,
    /// A regular expression that must be found in the body of a good answer; of `http`. Default: any body will do.
    pub body_pattern: Option<BodyPattern>,
    /// The time between two questions, in seconds. Default: 10.
    #[schemars(range(min = 1))]
    pub interval_seconds: u64,
    /// The time for an answer, in seconds. Default: 5.
    #[schemars(range(min = 1))]
    pub timeout_seconds: u64,
    /// How many good answers in a row make an unhealthy target healthy. Default: 2.
    #[schemars(range(min = 1))]
    pub healthy_threshold: u32,
    /// How many bad ones in a row make a healthy one unhealthy. Default: 3.
    #[schemars(range(min = 1))]
    pub unhealthy_threshold: u32,
}

/// What is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckType {
    /// A request of HTTP.
    #[default]
    Http,
    /// A connection.
    Tcp,
}

/// A regular expression that must be found in a body. Two are equal if their texts are.
#[derive(Clone, Debug)]
pub struct BodyPattern(Regex);

/// Reads the expression of a [`BodyPattern`]; the error is the rest of a sentence about its field.
pub(in super::super) fn body_pattern(text: &str) -> Result<Regex, String> {
    if text.chars().count() > MAX_EXPRESSION {
        return Err(format!("must have at most {MAX_EXPRESSION} characters"));
    }
    let mut builder = RegexBuilder::new(text);
    builder
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED);
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "is an expression that takes too much memory".to_owned(),
        _ => "is no regular expression".to_owned(),
    })
}

// === impl HealthChecks ===

impl HealthChecks {
    /// Reports what a schema cannot say of the block.
    pub(super) fn rules(checks: &Value, errors: &mut Vec<Invalid>) {
        let check = checks.pointer("/active/type");
        if check.is_some_and(|check| check == "grpc") {
            let path = "health_checks.active.type";
            errors.retain(|error| error.path != path);
            errors.push(Invalid::new(path, "`grpc` is not supported yet"));
        }
        let is_path = |text: &str| text.starts_with('/') && text.parse::<PathAndQuery>().is_ok();
        for (pointer, path) in [
            ("/path", "health_checks.path"),
            ("/active/path", "health_checks.active.path"),
        ] {
            let text = checks.pointer(pointer).and_then(Value::as_str);
            if text.is_some_and(|text| !is_path(text)) {
                errors.push(Invalid::new(path, "must be a path that begins with a `/`"));
            }
        }
    }

    /// What is of no use to the kind of check.
    pub(super) fn misplaced(checks: &Value) -> Vec<Invalid> {
        let Some(active) = checks.get("active") else {
            return Vec::new();
        };
        let check = match active.get("type") {
            None => "http",
            Some(check) => check.as_str().unwrap_or_default(),
        };
        let names: &[&str] = match check {
            "tcp" => &["path", "headers", "expected_status", "body_pattern"],
            _ => &[],
        };
        let given = names.iter().filter(|name| active.get(**name).is_some());
        given
            .map(|name| {
                let path = format!("health_checks.active.{name}");
                Invalid::new(path, format!("is not for the type `{check}`"))
            })
            .collect()
    }

    /// The path that `active` asks for.
    pub fn active_path(&self) -> &str {
        let own = self
            .active
            .as_ref()
            .and_then(|active| active.path.as_deref());
        own.or(self.path.as_deref()).unwrap_or("/")
    }
}

impl Default for HealthChecks {
    fn default() -> Self {
        Self {
            passive: false,
            threshold: 3,
            interval: 60,
            path: None,
            headers: Headers::default(),
            active: None,
        }
    }
}

// === impl ActiveCheck ===

impl ActiveCheck {
    /// Whether an answer with this status is a good one.
    pub fn expects(&self, status: u16) -> bool {
        match self.expected_status.as_slice() {
            [] => (200..400).contains(&status),
            some => some.contains(&status),
        }
    }
}

impl Default for ActiveCheck {
    fn default() -> Self {
        Self {
            check: CheckType::default(),
            path: None,
            headers: Headers::default(),
            expected_status: Vec::new(),
            body_pattern: None,
            interval_seconds: 10,
            timeout_seconds: 5,
            healthy_threshold: 2,
            unhealthy_threshold: 3,
        }
    }
}

// === impl BodyPattern ===

impl BodyPattern {
    /// Whether it is found in a text.
    pub fn is_found_in(&self, text: &str) -> bool {
        self.0.is_match(text)
    }
}

impl PartialEq for BodyPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl<'de> Deserialize<'de> for BodyPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        body_pattern(&text).map(Self).map_err(D::Error::custom)
    }
}

impl JsonSchema for BodyPattern {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "BodyPattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "bounded-regex"})
    }
}
