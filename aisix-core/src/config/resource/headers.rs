//! Headers that configuration adds or lets through.

use http::HeaderName;
use serde::{Deserialize, Deserializer};

use super::template::Template;
use crate::config::glob::Glob;

/// Headers that carry credentials or belong to the connection: no configuration sets them.
const RESERVED: [&str; 10] = [
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "api-key",
    "x-amz-security-token",
    "x-amz-date",
    "x-amz-content-sha256",
    "proxy-authorization",
    "cookie",
    "host",
];

/// Headers with their values, in the order of the document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers(Vec<(HeaderName, Template)>);

/// Whether this header may not be set by configuration, nor be forwarded.
pub fn is_reserved(name: &HeaderName) -> bool {
    RESERVED.contains(&name.as_str())
}

/// Whether this header is a credential, or belongs to a connection, to the framing of a message, or to the gateway:
/// it never crosses the gateway, and no hook may change it.
pub fn is_private(name: &HeaderName) -> bool {
    let text = name.as_str();
    is_reserved(name)
        || matches!(
            text,
            "accept"
                | "accept-encoding"
                | "connection"
                | "expect"
                | "keep-alive"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
                | "set-cookie"
                | "proxy-authenticate"
                | "traceparent"
                | "tracestate"
                | "openai-organization"
                | "openai-project"
        )
        || text.starts_with("content-")
        || text.starts_with("x-aisix-")
        || text.starts_with("x-stainless-")
}

/// Reads the name of a header that configuration may set.
pub(super) fn settable(name: &str) -> Result<HeaderName, &'static str> {
    let name = HeaderName::try_from(name).map_err(|_| "is not the name of a header")?;
    if is_reserved(&name) {
        return Err("is a reserved header");
    }
    Ok(name)
}

// === impl Headers ===

impl Headers {
    /// The headers, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&HeaderName, &Template)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Leaves out what may not be set: strict validation has refused it before.
impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = serde_json::Map::<String, serde_json::Value>::deserialize(deserializer)?;
        let header = |(name, value): (String, serde_json::Value)| {
            let name = settable(&name).ok()?;
            let value = Template::parse(value.as_str()?).ok()?;
            Some((name, value))
        };
        Ok(Self(map.into_iter().filter_map(header).collect()))
    }
}

/// Reads globs of header names, which have no case.
pub(super) fn globs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Glob>, D::Error> {
    Ok(lowercase(deserializer)?
        .into_iter()
        .map(Glob::from)
        .collect())
}

/// Reads header names, which have no case.
pub(super) fn lowercase<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    Ok(names
        .into_iter()
        .map(|name| name.to_ascii_lowercase())
        .collect())
}
