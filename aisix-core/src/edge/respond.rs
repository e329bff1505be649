//! Errors in the caller's dialect. The only place that turns kinds into status codes.

use std::time::Duration;

use aisix_wire::{Dialect, ErrorBody, ErrorPolicy, write_error, write_policy_error};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};

use crate::{
    error::{Error, ErrorKind},
    reply::Reply,
};

/// What Anthropic answers when it is overloaded. Callers of both dialects know it for one to retry.
const OVERLOADED: u16 = 529;

/// The status of an error.
pub fn status(error: &Error) -> StatusCode {
    if let Some(status) = error.status() {
        return status;
    }
    match error.kind() {
        ErrorKind::InvalidRequest => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated | ErrorKind::Credential => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound | ErrorKind::ModelNotFound => StatusCode::NOT_FOUND,
        ErrorKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Blocked => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::NotImplemented => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::ProviderUnavailable | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Transport | ErrorKind::Decode | ErrorKind::Aborted => StatusCode::BAD_GATEWAY,
        ErrorKind::Upstream => error
            .upstream()
            .and_then(|refusal| refusal.status)
            .filter(|status| status.is_client_error() || status.as_u16() == OVERLOADED)
            .unwrap_or(StatusCode::BAD_GATEWAY),
        ErrorKind::Config | ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The `type` of an error in the OpenAI envelope.
fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest
        | ErrorKind::TooLarge
        | ErrorKind::NotFound
        | ErrorKind::MethodNotAllowed
        | ErrorKind::RequestTimeout => "invalid_request_error",
        ErrorKind::Unauthenticated => "invalid_api_key",
        ErrorKind::Credential => "authentication_error",
        ErrorKind::Forbidden => "permission_denied",
        ErrorKind::ModelNotFound => "model_not_found",
        ErrorKind::Blocked => "content_filter",
        ErrorKind::RateLimited => "rate_limit_exceeded",
        ErrorKind::NotImplemented => "not_implemented",
        ErrorKind::ProviderUnavailable => "provider_unavailable",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Transport => "transport_error",
        ErrorKind::Decode => "upstream_decode_error",
        ErrorKind::Aborted => "stream_aborted",
        ErrorKind::Upstream => "upstream_error",
        ErrorKind::Config => "config_error",
        ErrorKind::Internal => "api_error",
    }
}

/// What a caller is told of an error.
pub(crate) fn error_body(error: &Error) -> ErrorBody<'_> {
    ErrorBody {
        status: status(error).as_u16(),
        message: error.message(),
        kind: word(error.kind()),
        code: error
            .code()
            .or_else(|| error.upstream().and_then(|refusal| refusal.code.as_deref())),
        param: error.param(),
    }
}

/// Writes an error in `dialect`, with the headers that tell the client when to come back.
pub fn write(dialect: Dialect, error: Error) -> Reply {
    let status = status(&error);
    let body = error_body(&error);
    let policy = error.limit().and_then(|limit| limit.policy());
    let bytes = match policy.map(|policy| (policy.id(), policy.name())) {
        Some((id, name)) => write_policy_error(dialect, &body, ErrorPolicy { id, name }),
        None => write_error(dialect, &body),
    };
    let (mut head, ()) = http::Response::new(()).into_parts();
    head.status = status;
    head.headers
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(after) = error.retry_after() {
        head.headers.insert(RETRY_AFTER, seconds(after));
    }
    for (name, value) in error.headers() {
        head.headers.insert(name.clone(), value.clone());
    }
    Reply::refused(head, bytes, error)
}

/// Whole seconds, rounded up.
fn seconds(after: Duration) -> HeaderValue {
    HeaderValue::from(after.as_secs() + u64::from(after.subsec_nanos() > 0))
}
