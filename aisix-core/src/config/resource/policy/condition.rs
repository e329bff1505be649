//! What a call must be like for a policy to be about it.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, de::Error};
use serde_json::{Map, Value, json};

use super::super::Invalid;

/// How deep conditions may be nested; those of the list itself are the first level.
const MAX_DEPTH: usize = 3;
/// How many comparisons there may be in all.
const MAX_COMPARISONS: usize = 16;
/// How many values `in` may name.
const MAX_VALUES: usize = 64;
/// The longest regular expression, in characters.
const MAX_EXPRESSION: usize = 256;
/// How much memory a compiled expression may take, in bytes.
const MAX_COMPILED: usize = 1 << 18;

/// Conditions, all of which must be met. None are met by every call.
#[derive(Clone, Debug, Default)]
pub struct Conditions(pub Vec<Condition>);

/// A condition.
#[derive(Clone, Debug)]
pub enum Condition {
    /// A comparison.
    Compare(Comparison),
    /// Several conditions as one.
    Group(Group),
}

/// A comparison of one fact of a call.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The fact.
    pub dimension: Dimension,
    /// What it is compared with.
    pub test: Test,
    /// Whether the test must fail. A call that lacks the fact meets neither.
    pub negate: bool,
}

/// Several conditions as one.
#[derive(Clone, Debug)]
pub struct Group {
    /// How many must be met.
    pub logic: Logic,
    /// The conditions.
    pub children: Vec<Condition>,
    /// Whether the opposite is meant.
    pub negate: bool,
}

/// A fact of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// The id of the caller's team.
    Team,
    /// The id of the caller's user.
    Member,
    /// The id of the API key.
    ApiKey,
    /// The id of the model.
    Model,
    /// The name of the model; for a wildcard, its pattern.
    ModelName,
    /// The provider of the model.
    Provider,
}

/// What a fact is compared with.
#[derive(Clone, Debug)]
pub enum Test {
    /// It is this text.
    Is(String),
    /// It is another text.
    IsNot(String),
    /// It is one of these.
    In(Vec<String>),
    /// This expression is found in it.
    Matches(Regex),
}

/// How many conditions of a group must be met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logic {
    /// All of them.
    And,
    /// One of them.
    Or,
}

/// Reads conditions, and finds everything that is wrong with them but wrong types, which are told by the
/// schema.
struct Reader {
    comparisons: usize,
    errors: Vec<Invalid>,
}

/// Reads a list of conditions; says what is wrong with it. Types that their schema refuses go by in silence.
pub(super) fn read(list: &Value, path: &str) -> (Conditions, Vec<Invalid>) {
    let mut reader = Reader {
        comparisons: 0,
        errors: Vec::new(),
    };
    let conditions = reader.list(list, path, 1);
    if reader.comparisons > MAX_COMPARISONS {
        let message = format!("must not hold more than {MAX_COMPARISONS} comparisons");
        reader.wrong(path, message);
    }
    (Conditions(conditions), reader.errors)
}

// === impl Conditions ===

impl Conditions {
    /// Whether a call with these facts meets all conditions.
    pub fn hold<'f>(&self, fact: &dyn Fn(Dimension) -> Option<&'f str>) -> bool {
        self.0.iter().all(|condition| condition.holds(fact))
    }
}

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let (conditions, errors) = read(&value, "");
        match errors.is_empty() {
            true => Ok(conditions),
            false => Err(D::Error::custom("these are no conditions")),
        }
    }
}

impl JsonSchema for Conditions {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Conditions".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut schema = Schema::default();
        schema.insert("type".to_owned(), "array".into());
        schema.insert("items".to_owned(), node(1));
        schema
    }
}

/// The schema of a condition at this depth: a comparison, or a group of others.
fn node(depth: usize) -> Value {
    let mut children = json!({"type": "array", "minItems": 1,
        "description": "The conditions of a group."});
    if depth < MAX_DEPTH {
        children["items"] = node(depth + 1);
    }
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "dimension": {"type": "string", "description": "The fact of a call that is compared.",
                "enum": ["team", "member", "api_key", "model", "model_name", "provider"]},
            "operator": {"type": "string", "description": "How it is compared; `has`, `>`, `>=`, `<`, `<=` and `ipmatch` are reserved.",
                "enum": ["==", "~=", "~~", "~*", "in", "has", ">", ">=", "<", "<=", "ipmatch"]},
            "value": {"description": "What it is compared with: a text; for `in`, a list of texts."},
            "negate": {"type": "boolean", "default": false, "description": "Whether the opposite is meant."},
            "logic": {"type": "string", "enum": ["and", "or"],
                "description": "Whether all conditions of a group must be met, or one."},
            "children": children,
        },
    })
}

// === impl Condition ===

impl Condition {
    fn holds<'f>(&self, fact: &dyn Fn(Dimension) -> Option<&'f str>) -> bool {
        match self {
            Self::Compare(comparison) => {
                let found = fact(comparison.dimension);
                found.is_some_and(|text| comparison.test.passes(text) != comparison.negate)
            }
            Self::Group(group) => {
                let mut children = group.children.iter();
                let is_met = match group.logic {
                    Logic::And => children.all(|child| child.holds(fact)),
                    Logic::Or => children.any(|child| child.holds(fact)),
                };
                is_met != group.negate
            }
        }
    }
}

// === impl Test ===

impl Test {
    fn passes(&self, text: &str) -> bool {
        match self {
            Self::Is(value) => value == text,
            Self::IsNot(value) => value != text,
            Self::In(values) => values.iter().any(|value| value == text),
            Self::Matches(expression) => expression.is_match(text),
        }
    }
}

// === impl Dimension ===

impl Dimension {
    /// The name in documents, such as `api_key`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Member => "member",
            Self::ApiKey => "api_key",
            Self::Model => "model",
            Self::ModelName => "model_name",
            Self::Provider => "provider",
        }
    }

    /// Whether it is a name, which expressions may look into, and not an id.
    const fn is_name(self) -> bool {
        matches!(self, Self::ModelName | Self::Provider)
    }
}

// === impl Reader ===

impl Reader {
    fn wrong(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.errors.push(Invalid::new(path, message));
    }

    fn list(&mut self, list: &Value, path: &str, depth: usize) -> Vec<Condition> {
        let list = list.as_array().map_or(&[][..], Vec::as_slice);
        let mut conditions = Vec::new();
        for (at, value) in list.iter().enumerate() {
            let Some(members) = value.as_object() else {
                continue;
            };
            conditions.extend(self.condition(members, &format!("{path}[{at}]"), depth));
        }
        conditions
    }

    fn condition(
        &mut self,
        members: &Map<String, Value>,
        path: &str,
        depth: usize,
    ) -> Option<Condition> {
        if depth > MAX_DEPTH {
            self.wrong(path, format!("is nested more than {MAX_DEPTH} deep"));
            return None;
        }
        let first = |names: &[&'static str]| {
            let mut names = names.iter().copied();
            names.find(|name| members.contains_key(*name))
        };
        let of_group = first(&["logic", "children"]);
        let of_comparison = first(&["dimension", "operator", "value"]);
        match (of_group, of_comparison) {
            (Some(group), Some(comparison)) => {
                let message = format!(
                    "is given besides `{comparison}`: a condition compares, or is a group of others"
                );
                self.wrong(format!("{path}.{group}"), message);
                None
            }
            (Some(_), None) => self.group(members, path, depth),
            (None, _) => self.comparison(members, path),
        }
    }

    fn group(
        &mut self,
        members: &Map<String, Value>,
        path: &str,
        depth: usize,
    ) -> Option<Condition> {
        let children = self.required(members, "children", path);
        let inner = format!("{path}.children");
        let children = children.map(|children| self.list(children, &inner, depth + 1));
        let logic = match self.required(members, "logic", path)?.as_str()? {
            "and" => Logic::And,
            "or" => Logic::Or,
            _ => return None,
        };
        Some(Condition::Group(Group {
            logic,
            children: children?,
            negate: is_negated(members),
        }))
    }

    fn comparison(&mut self, members: &Map<String, Value>, path: &str) -> Option<Condition> {
        self.comparisons += 1;
        let dimension = self.required(members, "dimension", path);
        let operator = self.required(members, "operator", path);
        let value = self.required(members, "value", path);
        let dimension = Dimension::deserialize(dimension?).ok()?;
        let operator = operator?.as_str()?;
        let test = self.test(dimension, operator, value?, path)?;
        Some(Condition::Compare(Comparison {
            dimension,
            test,
            negate: is_negated(members),
        }))
    }

    fn test(
        &mut self,
        dimension: Dimension,
        operator: &str,
        value: &Value,
        path: &str,
    ) -> Option<Test> {
        let name = dimension.as_str();
        let at = format!("{path}.value");
        match operator {
            "==" => self.text(value, at).map(Test::Is),
            "~=" => self.text(value, at).map(Test::IsNot),
            "in" => self.texts(value, at).map(Test::In),
            "~~" | "~*" if !dimension.is_name() => {
                let message = format!("must be `==`, `~=` or `in` for `{name}`, not `{operator}`");
                self.wrong(format!("{path}.operator"), message);
                None
            }
            "~~" | "~*" => {
                let text = self.text(value, at.clone())?;
                self.expression(&text, operator == "~*", at)
            }
            "has" | ">" | ">=" | "<" | "<=" | "ipmatch" => {
                let message =
                    format!("`{operator}` is reserved: no dimension can be compared so yet");
                self.wrong(format!("{path}.operator"), message);
                None
            }
            _ => None,
        }
    }

    fn expression(&mut self, text: &str, ignores_case: bool, path: String) -> Option<Test> {
        if text.chars().count() > MAX_EXPRESSION {
            let message = format!("must have at most {MAX_EXPRESSION} characters");
            self.wrong(path, message);
            return None;
        }
        if self.comparisons > MAX_COMPARISONS {
            return None;
        }
        let mut builder = RegexBuilder::new(text);
        builder
            .case_insensitive(ignores_case)
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_COMPILED);
        match builder.build() {
            Ok(expression) => Some(Test::Matches(expression)),
            Err(regex::Error::CompiledTooBig(_)) => {
                self.wrong(path, "is an expression that takes too much memory");
                None
            }
            Err(_) => {
                self.wrong(path, "is no regular expression");
                None
            }
        }
    }

    fn text(&mut self, value: &Value, path: String) -> Option<String> {
        match value.as_str() {
            Some("") => self.wrong(path, "must not be empty"),
            Some(text) => return Some(text.to_owned()),
            None => self.wrong(path, "must be a text"),
        }
        None
    }

    fn texts(&mut self, value: &Value, path: String) -> Option<Vec<String>> {
        let texts = value.as_array().and_then(|list| {
            let texts = list.iter().map(|text| text.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>()
        });
        match texts {
            Some(texts) if !(1..=MAX_VALUES).contains(&texts.len()) => {
                self.wrong(path, format!("must hold 1 to {MAX_VALUES} texts"));
            }
            Some(texts) if texts.iter().any(String::is_empty) => {
                self.wrong(path, "must not hold an empty text");
            }
            Some(texts) => return Some(texts),
            None => self.wrong(path, "must be a list of texts"),
        }
        None
    }

    fn required<'m>(
        &mut self,
        members: &'m Map<String, Value>,
        name: &str,
        path: &str,
    ) -> Option<&'m Value> {
        let found = members.get(name);
        if found.is_none() {
            self.wrong(format!("{path}.{name}"), "is required");
        }
        found
    }
}

fn is_negated(members: &Map<String, Value>) -> bool {
    members.get("negate").and_then(Value::as_bool) == Some(true)
}
