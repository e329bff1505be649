//! Where a request carries its credential.

use http::{HeaderMap, header::AUTHORIZATION};

use crate::error::{Error, ErrorKind};

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
        })
}
