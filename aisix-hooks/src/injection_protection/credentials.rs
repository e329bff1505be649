//! What is never looked at.

use http::{HeaderName, HeaderValue};

/// What the names of headers and parameters with credentials are.
const NAMES: [&str; 7] = [
    "authorization",
    "api-key",
    "api_key",
    "apikey",
    "cookie",
    "key",
    "token",
];

/// What they end in, after a `-` or a `_`.
const ENDS: [&str; 8] = [
    "authorization",
    "key",
    "token",
    "secret",
    "password",
    "signature",
    "credential",
    "assertion",
];

/// Whether this header is, or may be, a credential.
pub(super) fn in_header(name: &HeaderName, value: &HeaderValue) -> bool {
    value.is_sensitive() || is_secret(name.as_str())
}

/// Whether this `name=value` of a query is, or may be, a credential.
pub(super) fn in_query(pair: &str) -> bool {
    let name = pair.split_once('=').map_or(pair, |(name, _)| name);
    is_secret(&name.to_ascii_lowercase())
}

fn is_secret(name: &str) -> bool {
    let ends = |end: &&str| {
        let rest = name.strip_suffix(*end);
        rest.is_some_and(|rest| rest.ends_with(['-', '_']))
    };
    NAMES.contains(&name) || ENDS.iter().any(ends)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_told_by_their_names() {
        for (name, expected) in [
            ("authorization", true),
            ("proxy-authorization", true),
            ("x-api-key", true),
            ("x-goog-api-key", true),
            ("api-key", true),
            ("cookie", true),
            ("x-amz-security-token", true),
            ("x-hub-signature", true),
            ("user-agent", false),
            ("x-monkey", false),
            ("referer", false),
        ] {
            let header = HeaderName::from_static(name);
            let value = HeaderValue::from_static("v");
            assert_eq!(in_header(&header, &value), expected, "{name}");
        }
        let mut value = HeaderValue::from_static("v");
        value.set_sensitive(true);
        assert!(in_header(&HeaderName::from_static("x"), &value));
        for (pair, expected) in [
            ("Key=v", true),
            ("access_token=v", true),
            ("alt=sse", false),
        ] {
            assert_eq!(in_query(pair), expected, "{pair}");
        }
    }
}
