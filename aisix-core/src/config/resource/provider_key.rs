//! Credentials for upstreams.

use std::{collections::BTreeMap, fmt};

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{
    Invalid, Kind,
    document::Document,
    headers::{self, Headers},
};
use crate::config::{glob::Glob, secret::Secret};

/// A credential for an upstream, and how to talk to it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = add_secret)]
pub struct ProviderKey {
    /// The name, unique among provider keys.
    #[schemars(length(min = 1))]
    pub display_name: String,
    /// The credential. `secret` is another spelling.
    #[serde(alias = "secret")]
    pub api_key: Secret,
    /// Which provider this is for, such as `openai`. Default: empty, the model says it.
    #[serde(default)]
    pub provider: String,
    /// Which dialect the upstream speaks. Default: the provider's own.
    #[serde(default)]
    pub adapter: Option<Adapter>,
    /// The base URL of the upstream. Default: the provider's own.
    #[serde(default)]
    #[schemars(extend("format" = "http-url"))]
    pub api_base: Option<String>,
    /// The id of the upstream whose targets serve it, in the place of `api_base`.
    #[serde(default)]
    #[schemars(length(min = 1))]
    pub upstream_id: Option<String>,
    /// Headers, in lower case, that are taken from requests which are passed through. Default:
    /// `authorization`, `cookie`, `set-cookie`, `x-api-key`.
    #[serde(
        default = "strip_headers",
        deserialize_with = "super::headers::lowercase"
    )]
    pub strip_headers: Vec<String>,
    /// How requests are changed.
    #[serde(default)]
    pub request: Request,
    /// How responses differ.
    #[serde(default)]
    pub response: Response,
    /// How the upstream's certificate is verified.
    #[serde(default)]
    pub tls: Tls,
    /// Labels for logs and metrics.
    #[serde(default)]
    pub telemetry_tags: TelemetryTags,
}

/// A dialect that an upstream may speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Adapter {
    /// OpenAI's API.
    #[serde(rename = "openai")]
    OpenAi,
    /// Anthropic's Messages API.
    Anthropic,
    /// AWS Bedrock.
    Bedrock,
    /// Google Vertex AI.
    Vertex,
    /// Azure's OpenAI service.
    #[serde(rename = "azure-openai")]
    AzureOpenAi,
}

/// How requests to an upstream are changed.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Request {
    /// New names of top-level members of the body, by their old names.
    #[schemars(schema_with = "renames")]
    pub param_renames: BTreeMap<String, String>,
    /// Bounds for numbers in the body.
    pub param_constraints: ParamConstraints,
    /// Headers that are added when the caller did not send them.
    pub default_headers: Headers,
    /// Top-level members of the body that are added when the caller did not send them.
    pub default_body_fields: BodyFields,
    /// Which of the caller's headers are sent on, in lower case. Default: none.
    #[serde(deserialize_with = "headers::globs")]
    pub forward_client_headers: Vec<Glob>,
}

/// Bounds for numbers in a request. A number outside is moved to the bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ParamConstraints {
    /// The least `temperature`.
    pub temperature_min: Option<f64>,
    /// The greatest `temperature`.
    pub temperature_max: Option<f64>,
}

/// Members of a JSON object, which may be confidential: only their names are printed.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct BodyFields(pub Map<String, Value>);

/// How responses of an upstream differ from what its dialect says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Response {
    /// Whether streams end with `[DONE]`. Default: they may.
    #[schemars(extend("default" = "optional"))]
    pub stream_done_marker: StreamDoneMarker,
    /// Whether text in the messages of a request is joined to one string, for upstreams that do not
    /// take lists of parts. Default: false.
    pub content_list_to_string: bool,
    /// The upstream's form of errors. Kept, but of no effect.
    pub error_envelope: Option<String>,
    /// Where reasoning stands in a choice, such as `delta.reasoning_content`. Default: nowhere else
    /// than the dialect says.
    #[serde(deserialize_with = "field_path")]
    #[schemars(with = "Option<String>", extend("format" = "field-path"))]
    pub reasoning_field: Option<FieldPath>,
}

/// Whether streams end with `[DONE]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamDoneMarker {
    /// They do: a stream without it was cut, and is told so.
    Required,
    /// They may.
    #[default]
    Optional,
    /// They do not.
    None,
}

/// The way to a member of a JSON object: the names of members, outermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath(Vec<String>);

/// How an upstream's certificate is verified.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Certificates in PEM that are trusted besides the usual ones.
    #[schemars(extend("format" = "pem-certificates"))]
    pub ca_cert: Option<String>,
    /// Whether certificates are verified at all. Default: true. Never switch it off in production.
    pub verify: bool,
}

/// Labels for logs and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryTags {
    /// Whether the provider comes from a catalog.
    pub kind: Option<TelemetryKind>,
    /// The catalog's name of the provider.
    pub branded_provider: Option<String>,
    /// The operator's label of a provider outside the catalog.
    pub byo_label: Option<String>,
    /// The operator's label of this key.
    pub pk_label: Option<String>,
    /// Whether the provider is featured. Default: false.
    pub featured: bool,
}

/// Where a provider comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TelemetryKind {
    /// A catalog.
    Catalog,
    /// The operator.
    Byo,
}

fn strip_headers() -> Vec<String> {
    ["authorization", "cookie", "set-cookie", "x-api-key"]
        .map(str::to_owned)
        .into()
}

fn renames(_: &mut schemars::SchemaGenerator) -> Schema {
    let name = json!({"type": "string", "minLength": 1});
    schemars::json_schema!({
        "type": "object",
        "propertyNames": {"minLength": 1},
        "additionalProperties": name,
    })
}

fn field_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<FieldPath>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.and_then(|text| FieldPath::parse(&text)))
}

/// `secret` is `api_key` by another name; exactly one of them is there.
fn add_secret(schema: &mut Schema) {
    let one = json!([{"required": ["api_key"]}, {"required": ["secret"]}]);
    schema.insert("oneOf".to_owned(), one);
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|name| name != "api_key");
    }
    if let Some(Value::Object(properties)) = schema.get_mut("properties")
        && let Some(key) = properties.get("api_key").cloned()
    {
        properties.insert("secret".to_owned(), key);
    }
}

// === impl ProviderKey ===

impl Document for ProviderKey {
    const IDENTITIES: &'static [&'static [&'static str]] = &[&["display_name"]];
    const REFERENCES: &'static [(&'static str, Kind)] = &[("upstream_id", Kind::Upstream)];

    fn rules(document: &Map<String, Value>, errors: &mut Vec<Invalid>) {
        match ["api_key", "secret"].map(|name| document.contains_key(name)) {
            [true, true] => errors.push(Invalid::new("secret", "is given besides `api_key`")),
            [false, false] => errors.push(Invalid::new("api_key", "is required")),
            _ => {}
        }
        if document.contains_key("api_base") && document.contains_key("upstream_id") {
            errors.push(Invalid::new("upstream_id", "is given besides `api_base`"));
        }
        let path = "request.param_constraints";
        let bounds = &document.get("request").map(|it| &it["param_constraints"]);
        let bound = |name| bounds.and_then(|it| it[name].as_f64());
        if let (Some(min), Some(max)) = (bound("temperature_min"), bound("temperature_max"))
            && min > max
        {
            let message = "must not be greater than `temperature_max`";
            errors.push(Invalid::new(format!("{path}.temperature_min"), message));
        }
    }
}

// === impl BodyFields ===

impl fmt::Debug for BodyFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

// === impl Adapter ===

impl Adapter {
    /// The name in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Bedrock => "bedrock",
            Self::Vertex => "vertex",
            Self::AzureOpenAi => "azure-openai",
        }
    }
}

// === impl FieldPath ===

impl FieldPath {
    /// Reads names with dots between them; `None` if one is empty.
    pub fn parse(text: &str) -> Option<Self> {
        let names: Vec<String> = text.split('.').map(str::to_owned).collect();
        names
            .iter()
            .all(|name| !name.is_empty())
            .then_some(Self(names))
    }

    /// The names, outermost first; at least one.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

// === impl Tls ===

impl Default for Tls {
    fn default() -> Self {
        Self {
            ca_cert: None,
            verify: true,
        }
    }
}
