//! Guardrails: what must not be said, by whom ever it is looked for.

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value, json};

use super::document::Document;

/// A guard on what is asked and answered.
///
/// These fields are those that all kinds of guards have. Every other field is a setting of the kind, and is
/// checked by the plugin that serves it.
#[derive(Clone, Debug, PartialEq)]
pub struct Guardrail {
    /// The name, unique among guardrails.
    pub name: String,
    /// The kind of guard.
    pub kind: String,
    /// Whether it runs. Default: true.
    pub enabled: bool,
    /// When it was made: of equal ones, the older runs first, and those that do not say so last.
    pub created_at: Option<Timestamp>,
    /// A hint for people, without an effect.
    pub direction: Option<String>,
    /// Where it looks. Default: at both.
    pub hook_point: HookPoint,
    /// Whether what a remote guard cannot tell of goes on. Without an effect on kinds that can always tell.
    pub fail_open: Option<bool>,
    /// Whether `fail_open` does not count. Without an effect on kinds that can always tell.
    pub mandatory: Option<bool>,
    /// The settings of the kind.
    pub settings: Map<String, Value>,
}

/// Where a guard looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HookPoint {
    /// At requests.
    Input,
    /// At answers.
    Output,
    /// At both.
    #[default]
    Both,
}

/// A guard on what is asked and answered. Fields besides these are settings of its kind.
#[derive(Deserialize, JsonSchema)]
struct Common {
    /// The name, unique among guardrails.
    #[schemars(length(min = 1, max = 128))]
    name: String,
    /// The kind of guard: that of a hook which says that it serves it.
    #[schemars(length(min = 1, max = 64))]
    kind: String,
    /// Whether it runs. Default: true.
    #[serde(default = "yes")]
    enabled: bool,
    /// When it was made: of equal ones, the older runs first, and those that do not say so last.
    #[serde(default)]
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    created_at: Option<Timestamp>,
    /// A hint for people, without an effect.
    #[serde(default)]
    direction: Option<String>,
    /// Where it looks. Default: `both`.
    #[serde(default)]
    hook_point: HookPoint,
    /// Whether what a remote guard cannot tell of goes on. Default: that of the kind.
    #[serde(default)]
    fail_open: Option<bool>,
    /// Whether `fail_open` does not count. Default: that of the kind.
    #[serde(default)]
    mandatory: Option<bool>,
}

/// The fields of [`Common`].
const COMMON: [&str; 8] = [
    "name",
    "kind",
    "enabled",
    "created_at",
    "direction",
    "hook_point",
    "fail_open",
    "mandatory",
];

fn yes() -> bool {
    true
}

// === impl Guardrail ===

impl Guardrail {
    /// Whether this is the same guard, wherever it stands.
    pub(crate) fn is_same_guard(&self, other: &Self) -> bool {
        let guard = |it: &Self| Self {
            enabled: true,
            created_at: None,
            direction: None,
            ..it.clone()
        };
        guard(self) == guard(other)
    }
}

impl Document for Guardrail {
    const IDENTITIES: &'static [&'static [&'static str]] = &[&["name"]];
}

impl<'de> Deserialize<'de> for Guardrail {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut settings = Map::deserialize(deserializer)?;
        let common = COMMON.iter().filter_map(|name| {
            let value = settings.shift_remove(*name)?;
            Some(((*name).to_owned(), value))
        });
        let common = Value::Object(common.collect());
        let common: Common = serde_json::from_value(common).map_err(D::Error::custom)?;
        Ok(Self {
            name: common.name,
            kind: common.kind,
            enabled: common.enabled,
            created_at: common.created_at,
            direction: common.direction,
            hook_point: common.hook_point,
            fail_open: common.fail_open,
            mandatory: common.mandatory,
            settings,
        })
    }
}

impl JsonSchema for Guardrail {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Guardrail".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = Common::json_schema(generator);
        // Texts in settings whose names tell so, such as `api_key`, are secret.
        let settings = json!({"x-secrets": "texts"});
        schema.insert("additionalProperties".to_owned(), settings);
        schema
    }
}

// === impl HookPoint ===

impl HookPoint {
    /// Whether it looks at requests.
    pub fn is_input(self) -> bool {
        self != Self::Output
    }

    /// Whether it looks at answers.
    pub fn is_output(self) -> bool {
        self != Self::Input
    }

    /// The name in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Both => "both",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::resource::{Kind, json_schema};

    #[test]
    fn common_fields_are_those_of_the_schema() {
        let properties = &json_schema(Kind::Guardrail)["properties"];
        let names: Vec<_> = properties.as_object().unwrap().keys().collect();
        assert_eq!(names, COMMON);
    }
}
