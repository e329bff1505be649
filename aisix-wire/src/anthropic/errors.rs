//! The words for errors.

use crate::Refusal;

/// The types of errors, the statuses they come with, and the codes that callers of other dialects know.
const ERRORS: &[(&str, u16, Option<&str>)] = &[
    ("invalid_request_error", 400, None),
    ("authentication_error", 401, Some("invalid_api_key")),
    ("billing_error", 402, None),
    ("permission_error", 403, Some("permission_denied")),
    ("not_found_error", 404, Some("model_not_found")),
    ("request_too_large", 413, Some("request_too_large")),
    ("rate_limit_error", 429, Some("rate_limit_exceeded")),
    ("api_error", 500, None),
    ("timeout_error", 504, None),
    ("overloaded_error", 529, None),
];

/// The code that stands for an error's type in other dialects; `None` where they have no word for it.
pub fn derived_code(kind: &str) -> Option<&'static str> {
    row(kind)?.2
}

/// The HTTP status that an error's type stands for: what a stream's `error` event would have come with.
pub fn status_of(kind: &str) -> Option<u16> {
    Some(row(kind)?.1)
}

/// Reads the body of a refusal; the code is derived from the type where the body tells none.
///
/// `None` when the body is not JSON or says nothing of an error.
pub fn read_error(body: &[u8]) -> Option<Refusal> {
    crate::read_error(body).map(with_code)
}

/// Adds the code that the error's type stands for, where there is none.
pub(super) fn with_code(mut refusal: Refusal) -> Refusal {
    if refusal.code.is_none() {
        let code = refusal.kind.as_deref().and_then(derived_code);
        refusal.code = code.map(str::to_owned);
    }
    refusal
}

fn row(kind: &str) -> Option<&'static (&'static str, u16, Option<&'static str>)> {
    ERRORS.iter().find(|(name, ..)| *name == kind)
}
