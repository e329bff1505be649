//! Writing errors in the caller's dialect.

use bytes::Bytes;
use serde::Serialize;

use crate::anthropic::derived_code;
use crate::openai::responses::Meter;
use crate::{Dialect, sse};

/// An error as a caller is told it.
#[derive(Clone, Copy, Debug)]
pub struct ErrorBody<'a> {
    /// The HTTP status; decides the type that Anthropic callers see.
    pub status: u16,
    /// What went wrong, in words.
    pub message: &'a str,
    /// The type that OpenAI callers see.
    pub kind: &'a str,
    /// A finer distinction, for OpenAI callers; where it is a word, for Anthropic callers too.
    pub code: Option<&'a str>,
    /// The member of the request that is to blame, for OpenAI callers.
    pub param: Option<&'a str>,
}

/// The policy for which a call is refused, as a caller is told it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ErrorPolicy<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// Writes an error body; what is absent is left out.
pub fn write_error(dialect: Dialect, body: &ErrorBody<'_>) -> Bytes {
    written(dialect, body, None)
}

/// Writes an error body that names a policy, where callers know of such a thing: OpenAI's.
pub fn write_policy_error(
    dialect: Dialect,
    body: &ErrorBody<'_>,
    policy: ErrorPolicy<'_>,
) -> Bytes {
    written(dialect, body, Some(policy))
}

fn written(dialect: Dialect, body: &ErrorBody<'_>, policy: Option<ErrorPolicy<'_>>) -> Bytes {
    match dialect {
        Dialect::OpenAi | Dialect::Responses => json(&OpenAi {
            error: OpenAiError {
                message: body.message,
                kind: body.kind,
                param: body.param,
                code: body.code,
                policy,
            },
        }),
        Dialect::Anthropic => {
            let kind = anthropic_kind(body.status);
            // A number or the type in other words says nothing more.
            let tells = |code: &&str| is_word(code) && derived_code(kind) != Some(*code);
            let details = body.code.filter(tells);
            json(&Anthropic {
                kind: "error",
                error: AnthropicError {
                    kind,
                    message: body.message,
                    details: details.map(|error_code| Details { error_code }),
                },
            })
        }
        Dialect::Gemini => json(&Gemini {
            error: GeminiError {
                code: body.status,
                message: body.message,
                status: gemini_status(body.status),
            },
        }),
    }
}

/// Writes the event that ends a broken stream: named `error`, save in Gemini's dialect, which has no names.
///
/// The events of Responses have numbers; this one is the first. Who has seen others pass uses
/// [`Meter::fail`](crate::openai::responses::Meter::fail).
pub fn write_error_event(dialect: Dialect, body: &ErrorBody<'_>) -> Bytes {
    if dialect == Dialect::Responses {
        return Meter::new().fail(body);
    }
    let name = (dialect != Dialect::Gemini).then_some("error");
    sse::encode(name, &write_error(dialect, body))
}

#[derive(Serialize)]
struct OpenAi<'a> {
    error: OpenAiError<'a>,
}

#[derive(Serialize)]
struct OpenAiError<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<ErrorPolicy<'a>>,
}

#[derive(Serialize)]
struct Anthropic<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: AnthropicError<'a>,
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details<'a>>,
}

#[derive(Serialize)]
struct Details<'a> {
    error_code: &'a str,
}

#[derive(Serialize)]
struct Gemini<'a> {
    error: GeminiError<'a>,
}

#[derive(Serialize)]
struct GeminiError<'a> {
    code: u16,
    message: &'a str,
    status: &'static str,
}

fn is_word(code: &str) -> bool {
    code.bytes().any(|byte| !byte.is_ascii_digit())
}

fn gemini_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        502 | 503 | 529 => "UNAVAILABLE",
        400..=499 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    }
}

fn anthropic_kind(status: u16) -> &'static str {
    match status {
        400 | 422 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 => "timeout_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        _ => "api_error",
    }
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value)
        .expect("strings always serialise")
        .into()
}
