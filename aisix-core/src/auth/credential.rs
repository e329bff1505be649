//! Where a request carries its credential.

use std::{borrow::Cow, fmt};

use http::{HeaderMap, header::AUTHORIZATION, request::Parts};

use crate::error::{Error, ErrorKind};

/// The source of the error of a request that carries no usable credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCredential;

/// The credential of a request: `Authorization: Bearer <token>`, or without an `Authorization`
/// header, `x-api-key: <token>` or `x-goog-api-key: <token>`. Callers of Gemini's API, whose paths begin
/// with `/v1beta/`, may send it as the query's `key` instead.
///
/// # Errors
///
/// [`ErrorKind::Unauthenticated`] when there is none, or `Authorization` is not a bearer token; the
/// other places are not looked at then.
pub fn credential(head: &Parts) -> Result<Cow<'_, str>, Error> {
    let token = match head.headers.get(AUTHORIZATION) {
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(Cow::Borrowed),
        None => ["x-api-key", "x-goog-api-key"]
            .into_iter()
            .find_map(|name| text(&head.headers, name))
            .map(Cow::Borrowed)
            .or_else(|| query_key(head)),
    };
    token
        .map(|token| match token {
            Cow::Borrowed(token) => Cow::Borrowed(token.trim()),
            Cow::Owned(token) => Cow::Owned(token.trim().to_owned()),
        })
        .filter(|token| !token.is_empty())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Unauthenticated,
                "missing or malformed Authorization header",
            )
            .with_source(NoCredential)
        })
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn query_key(head: &Parts) -> Option<Cow<'_, str>> {
    let query = head.uri.query()?;
    if !head.uri.path().starts_with("/v1beta/") {
        return None;
    }
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "key")
        .map(|(_, value)| value)
}

// === impl NoCredential ===

impl fmt::Display for NoCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no credential was sent")
    }
}

impl std::error::Error for NoCredential {}
