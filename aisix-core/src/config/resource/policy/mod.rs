//! Rate limits that stand for themselves: for one subject, or for whatever meets conditions.

mod condition;
mod schedule;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::{Map, Value};

pub(super) use self::schedule::{date, minute, zone};
pub use self::{
    condition::{Comparison, Condition, Conditions, Dimension, Group, Logic, Test},
    schedule::{Days, Schedule, Weekday},
};
use super::{Invalid, document::Document, rate_limit::RateLimit};

/// The fields of the form for one subject, and those of the form with conditions.
const CLASSIC: [&str; 5] = ["scope", "scope_ref", "window", "max_requests", "max_tokens"];
const CONDITIONAL: [&str; 4] = ["limits", "conditions", "group_by", "action"];

/// A limit of requests, tokens or slots that belongs to no single key or model.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub struct RateLimitPolicy {
    /// The name.
    pub name: String,
    /// What is limited, and how much.
    pub form: PolicyForm,
    /// When it is suspended: in any of these.
    pub schedules: Vec<Schedule>,
}

/// The two forms of a policy.
#[derive(Clone, Debug)]
pub enum PolicyForm {
    /// For one subject, in one window.
    Classic {
        /// What kind of subject it is.
        scope: PolicyScope,
        /// Its id.
        scope_ref: String,
        /// The window.
        window: Window,
        /// Requests in the window.
        max_requests: Option<u64>,
        /// Tokens in the window. Nothing counts them in a second or in an hour.
        max_tokens: Option<u64>,
    },
    /// For every call that meets the conditions.
    Conditional {
        /// All of which must be met.
        conditions: Conditions,
        /// What calls are told apart by: each value has counts of its own.
        group_by: Vec<Dimension>,
        /// The limits.
        limits: RateLimit,
    },
}

/// What kind of subject a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyScope {
    /// An API key.
    ApiKey,
    /// A model.
    Model,
    /// All keys of a team together.
    Team,
    /// All keys of a user together.
    Member,
    /// Each user of a team.
    TeamMember,
}

/// How long a window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day.
    Day,
}

/// A limit of requests, tokens or slots that belongs to no single key or model. It has `limits`, for
/// every call that meets `conditions`, or a `scope` and a `window`, for one subject.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fields {
    /// The name, unique among policies.
    #[schemars(length(min = 1))]
    name: String,
    /// What kind of subject is limited.
    scope: Option<PolicyScope>,
    /// The id of the subject. It need not exist.
    #[schemars(length(min = 1))]
    scope_ref: Option<String>,
    /// The window of `max_requests` and `max_tokens`.
    window: Option<Window>,
    /// Requests in the window.
    #[schemars(range(min = 1))]
    max_requests: Option<u64>,
    /// Tokens in the window; counted in a `minute` and in a `day`.
    #[schemars(range(min = 1))]
    max_tokens: Option<u64>,
    /// What a call must meet, all of it. Default: nothing.
    #[serde(default)]
    conditions: Conditions,
    /// What calls are told apart by: each value has counts of its own. A call that lacks one is not
    /// limited. Default: nothing.
    #[serde(default)]
    #[schemars(extend("items" = {
        "type": "string",
        "enum": ["team", "member", "api_key", "model", "provider"],
    }))]
    group_by: Vec<Dimension>,
    /// The limits, at least one.
    limits: Option<RateLimit>,
    /// What becomes of a call for which there is no room. Default: `reject`.
    #[expect(dead_code, reason = "there is one action")]
    action: Option<Action>,
    /// When the policy is suspended. Default: never.
    #[serde(default)]
    #[schemars(with = "Vec<schedule::Fields>")]
    schedules: Vec<Schedule>,
}

/// What becomes of a call for which there is no room.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// It is refused.
    Reject,
}

// === impl RateLimitPolicy ===

impl TryFrom<Fields> for RateLimitPolicy {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        let form = match (fields.limits, fields.scope, fields.scope_ref, fields.window) {
            (Some(limits), None, None, None) => PolicyForm::Conditional {
                conditions: fields.conditions,
                group_by: fields.group_by,
                limits,
            },
            (None, Some(scope), Some(scope_ref), Some(window)) => PolicyForm::Classic {
                scope,
                scope_ref,
                window,
                max_requests: fields.max_requests,
                max_tokens: fields.max_tokens,
            },
            _ => return Err("neither of the two forms"),
        };
        Ok(Self {
            name: fields.name,
            form,
            schedules: fields.schedules,
        })
    }
}

impl JsonSchema for RateLimitPolicy {
    fn schema_name() -> Cow<'static, str> {
        "RateLimitPolicy".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Fields::json_schema(generator)
    }
}

impl Document for RateLimitPolicy {
    const IDENTITIES: &'static [&'static [&'static str]] = &[&["name"]];
    // A condition without one of its members would be another condition.
    const EXACT: &'static [&'static str] = &["conditions"];

    fn rules(document: &Map<String, Value>, errors: &mut Vec<Invalid>) {
        form(document, errors);
        let empty = |limits: &Value| limits.as_object().is_some_and(Map::is_empty);
        if document.get("limits").is_some_and(empty) {
            errors.push(Invalid::new("limits", "must set at least one limit"));
        }
        let groups = document.get("group_by").and_then(Value::as_array);
        let groups = groups.map_or(&[][..], Vec::as_slice);
        if (1..groups.len()).any(|at| groups[..at].contains(&groups[at])) {
            errors.push(Invalid::new("group_by", "must not name a dimension twice"));
        }
        if let Some(conditions) = document.get("conditions") {
            errors.extend(condition::read(conditions, "conditions").1);
        }
        schedule::rules(document.get("schedules"), errors);
    }

    fn inapplicable(document: &Map<String, Value>) -> Vec<&'static str> {
        let window = document.get("window").and_then(Value::as_str);
        let is_uncounted = matches!(window, Some("second" | "hour"));
        let has_tokens = document.contains_key("max_tokens");
        let uncounted = (is_uncounted && has_tokens).then_some("max_tokens");
        uncounted.into_iter().collect()
    }
}

/// A document has one of the forms, and all that this form needs.
fn form(document: &Map<String, Value>, errors: &mut Vec<Invalid>) {
    let has = |name: &str| document.contains_key(name);
    let first = |names: &[&'static str]| names.iter().copied().find(|name| has(name));
    let mut required = |name: &str| {
        if !has(name) {
            errors.push(Invalid::new(name, "is required"));
        }
    };
    match (first(&CLASSIC), first(&CONDITIONAL)) {
        (Some(classic), Some(conditional)) => {
            let message = format!(
                "is given besides `{classic}`: a policy has `limits`, or a `scope` and a `window`"
            );
            errors.push(Invalid::new(conditional, message));
        }
        (None, Some(_)) => required("limits"),
        (Some(_), None) => {
            for name in ["scope", "scope_ref", "window"] {
                required(name);
            }
            if !has("max_requests") && !has("max_tokens") {
                let message = "or `max_tokens` is required";
                errors.push(Invalid::new("max_requests", message));
            }
        }
        (None, None) => {
            let message = "is required, or `scope`, `scope_ref` and `window`";
            errors.push(Invalid::new("limits", message));
        }
    }
}

// === impl PolicyScope ===

impl PolicyScope {
    /// The name in documents, such as `api_key`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::Model => "model",
            Self::Team => "team",
            Self::Member => "member",
            Self::TeamMember => "team_member",
        }
    }
}

// === impl Window ===

impl Window {
    /// The limits of a policy with this window. Tokens are counted in minutes and days only.
    pub fn limits(self, max_requests: Option<u64>, max_tokens: Option<u64>) -> RateLimit {
        let mut limits = RateLimit::default();
        match self {
            Self::Second => limits.rps = max_requests,
            Self::Minute => (limits.rpm, limits.tpm) = (max_requests, max_tokens),
            Self::Hour => limits.rph = max_requests,
            Self::Day => (limits.rpd, limits.tpd) = (max_requests, max_tokens),
        }
        limits
    }
}

#[cfg(test)]
mod tests;
