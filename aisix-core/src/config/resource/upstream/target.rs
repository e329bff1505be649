//! One of the places that serve the same.

use std::net::Ipv6Addr;

use http::uri::Authority;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde_json::Value;

use super::super::{Invalid, headers::Headers};

/// The fields that `base_url` stands for.
const PARTS: [&str; 4] = ["host", "port", "protocol", "path"];

/// One of the places that serve the same.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Fields")]
pub struct UpstreamTarget {
    /// What it is called. Unique within the upstream.
    pub id: Option<String>,
    /// Where it is: an URL with a scheme and a host, such as `http://10.0.0.1:8000/v1`.
    pub base_url: String,
    /// Its share of the requests.
    pub weight: u32,
    /// Targets of a lower one are preferred.
    pub priority: i32,
    /// Labels.
    pub tags: Vec<String>,
    /// Headers that requests to it get, whatever the caller sent.
    pub headers: Headers,
    /// What its operator wants of it.
    pub state: TargetState,
}

/// One of the places that serve the same: a `base_url`, or a `host` with what belongs to it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Fields {
    /// What it is called, unique within the upstream. Default: where it is.
    #[serde(default)]
    #[schemars(length(min = 1, max = 128))]
    id: Option<String>,
    /// Where it is. `host`, `port`, `protocol` and `path` are the same in four parts.
    #[serde(default)]
    #[schemars(extend("format" = "http-url"))]
    base_url: Option<String>,
    /// The name or address of its host.
    #[serde(default)]
    #[schemars(length(min = 1, max = 255))]
    host: Option<String>,
    /// Its port. Default: that of the protocol.
    #[serde(default)]
    #[schemars(range(min = 1))]
    port: Option<u16>,
    /// Its protocol. Default: `http`.
    #[serde(default)]
    #[schemars(extend("default" = "http"))]
    protocol: Protocol,
    /// What stands before the path of each request. Default: nothing.
    #[serde(default)]
    path: Option<String>,
    /// Its share of the requests. Default: 1.
    #[serde(default = "one")]
    weight: u32,
    /// Targets of a lower one are preferred. Default: 0.
    #[serde(default)]
    priority: i32,
    /// Labels. Default: none.
    #[serde(default)]
    #[schemars(inner(length(min = 1)))]
    tags: Vec<String>,
    /// Headers that requests to it get, whatever the caller sent. Default: none.
    #[serde(default)]
    headers: Headers,
    /// What its operator wants of it. Default: `enabled`.
    #[serde(default)]
    #[schemars(extend("default" = "enabled"))]
    state: TargetState,
}

/// What an operator wants of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// It takes requests.
    #[default]
    Enabled,
    /// It takes no more requests; those under way are finished.
    Draining,
    /// It takes no requests.
    Disabled,
}

/// How a target is spoken to.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Protocol {
    /// In clear text.
    #[default]
    Http,
    /// Over TLS.
    Https,
}

fn one() -> u32 {
    1
}

// === impl UpstreamTarget ===

impl UpstreamTarget {
    /// What it is called: its id, or where it is, such as `10.0.0.1:8000/v1`.
    pub fn name(&self) -> &str {
        let url = self.base_url.as_str();
        let place = url.split_once("://").map_or(url, |(_, place)| place);
        self.id.as_deref().unwrap_or(place)
    }

    /// Reports what a schema cannot say of the target at `path`.
    pub(super) fn rules(target: &Value, path: &str, errors: &mut Vec<Invalid>) {
        let mut wrong = |field: &str, message: &str| {
            errors.push(Invalid::new(format!("{path}.{field}"), message));
        };
        let has = |field: &str| target.get(field).is_some();
        if has("base_url") {
            for part in PARTS.into_iter().filter(|part| has(part)) {
                wrong(part, "is given besides `base_url`");
            }
            let url = target["base_url"].as_str();
            if url.is_some_and(|url| url.contains(['?', '#'])) {
                wrong("base_url", "must end with its path");
            }
            return;
        }
        match target.get("host") {
            None => wrong("host", "or `base_url` is required"),
            Some(host) if host.as_str().is_some_and(|host| !is_host(host)) => {
                wrong("host", "must be the name or the address of a host");
            }
            Some(_) => {}
        }
        let prefix = target.get("path").and_then(Value::as_str);
        if prefix.is_some_and(|prefix| !is_prefix(prefix)) {
            wrong(
                "path",
                "must begin with a `/` and be the beginning of a path",
            );
        }
    }
}

/// Whether a text is an address, or a name that can stand in an URL.
fn is_host(text: &str) -> bool {
    let is_name = || {
        let authority = text.parse::<Authority>();
        authority.is_ok_and(|authority| authority.host() == text && !text.starts_with('['))
    };
    !text.is_empty() && (text.parse::<Ipv6Addr>().is_ok() || is_name())
}

fn is_prefix(text: &str) -> bool {
    let is_path = || text.parse::<http::uri::PathAndQuery>();
    text.is_empty()
        || text.starts_with('/')
            && is_path().is_ok_and(|it| it.as_str() == text && it.query().is_none())
}

impl TryFrom<Fields> for UpstreamTarget {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        let base_url = match (fields.base_url, fields.host) {
            (Some(url), None) => url,
            (None, Some(host)) => {
                let host = match host.parse::<Ipv6Addr>() {
                    Ok(address) => format!("[{address}]"),
                    Err(_) => host,
                };
                let port = fields.port.map(|port| format!(":{port}"));
                let port = port.unwrap_or_default();
                let path = fields.path.unwrap_or_default();
                format!("{}://{host}{port}{path}", fields.protocol.scheme())
            }
            _ => return Err("neither a base URL nor a host, or both"),
        };
        Ok(Self {
            id: fields.id,
            base_url,
            weight: fields.weight,
            priority: fields.priority,
            tags: fields.tags,
            headers: fields.headers,
            state: fields.state,
        })
    }
}

impl JsonSchema for UpstreamTarget {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "UpstreamTarget".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Fields::json_schema(generator)
    }
}

// === impl Protocol ===

impl Protocol {
    fn scheme(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}
