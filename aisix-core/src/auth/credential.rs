//! Where a request carries its credential.

use std::fmt;

use http::{HeaderMap, header::AUTHORIZATION};

use crate::error::{Error, ErrorKind};

/// The source of the error of a request that carries no usable credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoCredential;

/// The credential of a request: `Authorization: Bearer <token>`, or without an `Authorization`
/// header, `x-api-key: <token>`.
///
/// # Errors
///
/// [`ErrorKind::Unauthenticated`] when there is none, or `Authorization` is not a bearer token; the
/// other header is not looked at then.
pub fn credential(headers: &HeaderMap) -> Result<&str, Error> {
    let token = match headers.get(AUTHORIZATION) {
        Some(value) => value
            .to_str()
            .ok()
            .and_then(|value| value.strip_prefix("Bearer ")),
        None => headers
            .get("x-api-key")
            .and_then(|value| value.to_str().ok()),
    };
    token
        .map(str::trim)
        .filter(|token| !token.is_empty())
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Unauthenticated,
                "missing or malformed Authorization header",
            )
            .with_source(NoCredential)
        })
}

// === impl NoCredential ===

impl fmt::Display for NoCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no credential was sent")
    }
}

impl std::error::Error for NoCredential {}
