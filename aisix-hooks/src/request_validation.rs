//! `request_validation`: lets requests in that a JSON Schema describes.

use aisix_core::{
    Error, ErrorKind,
    call::Call,
    config::resource::{Invalid, Stage},
    hook::{Built, Check, Context, PluginFactory, Stages},
};
use async_trait::async_trait;
use jsonschema::{PatternOptions, Validator};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Refuses requests whose body a JSON Schema does not describe, with 400 and the path of the first mistake.
///
/// The schema is compiled once. Its draft is that of its `$schema`, or 2020-12. It is at most 64 KiB,
/// refers to nothing outside of itself, and its patterns take time linear in the text; compiled, they take
/// 8 MiB together, and one takes 1 MiB.
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestValidation;

/// Settings of [`RequestValidation`].
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestValidationSettings {
    /// A JSON Schema of the body, as the caller sends it.
    pub schema: Value,
}

/// The check.
struct Valid(Validator);

const LONGEST: usize = 64 << 10;
/// What one pattern may take when it is compiled, in bytes.
const PATTERN: usize = 1 << 20;
/// What all of them may take, shared out among them.
const PATTERNS: usize = 8 << 20;

// === impl RequestValidation ===

impl PluginFactory for RequestValidation {
    type Settings = RequestValidationSettings;

    fn name(&self) -> &'static str {
        "request_validation"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn build(
        &self,
        settings: RequestValidationSettings,
        _: &Context<'_>,
    ) -> Result<Built, Vec<Invalid>> {
        let schema = settings.schema;
        if schema.to_string().len() > LONGEST {
            return Err(vec![Invalid::new("schema", "must be at most 64 KiB")]);
        }
        let size = PATTERN.min(PATTERNS / patterns(&schema).max(1));
        let validator = jsonschema::options()
            .with_pattern_options(PatternOptions::regex().size_limit(size))
            .build(&schema);
        match validator {
            Ok(validator) => Ok(Built::check(Valid(validator))),
            Err(_) => Err(vec![Invalid::new(
                "schema",
                "must be a JSON Schema that refers to nothing outside of itself",
            )]),
        }
    }
}

/// How many patterns there may be in a schema.
fn patterns(schema: &Value) -> usize {
    match schema {
        Value::Array(elements) => elements.iter().map(patterns).sum(),
        Value::Object(members) => {
            let own = members
                .iter()
                .map(|(name, value)| match (name.as_str(), value) {
                    ("pattern", Value::String(_)) => 1,
                    ("patternProperties", Value::Object(patterns)) => patterns.len(),
                    _ => 0,
                });
            own.sum::<usize>() + members.values().map(patterns).sum::<usize>()
        }
        _ => 0,
    }
}

// === impl Valid ===

#[async_trait]
impl Check for Valid {
    async fn check(&self, call: &Call) -> Result<(), Error> {
        let body: Value = serde_json::from_slice(call.bytes())
            .map_err(|_| Error::new(ErrorKind::InvalidRequest, "the body is not JSON"))?;
        let Err(error) = self.0.validate(&body) else {
            return Ok(());
        };
        let path = error.instance_path().to_string();
        let place = if path.is_empty() { "the body" } else { &path };
        let message = format!("{place} is not as the schema of this gateway demands");
        Err(Error::invalid(path, message))
    }
}
