//! What an upstream's refusal means. The only place that reads upstream status codes.

use aisix_wire::{Refusal, read_error};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, response::Parts};
use jiff::Timestamp;

use super::hint::retry_after;
use crate::error::{Error, ErrorKind, Retry, UpstreamRefusal};

/// How much of a refusal's body is read, in bytes.
pub const MAX_REFUSAL: usize = 64 * 1024;

/// Headers that tell the client when to come back. They are relayed as they are.
const RELAYED: [&str; 3] = ["retry-after", "retry-after-ms", "x-should-retry"];
/// What the headers begin with that tell where Anthropic's limits stand. Its own clients wait by them.
const STANDINGS: &str = "anthropic-ratelimit-";

/// Reads a refusal in any of the known envelopes.
///
/// A 4xx keeps its status, message and code. The body of anything else stays hidden, because it may
/// tell about the upstream's inside.
pub fn refusal(head: &Parts, body: &[u8]) -> Error {
    refused(head, read_error(body))
}

/// The same, of a body that was read already.
pub fn refused(head: &Parts, said: Option<Refusal>) -> Error {
    let status = head.status;
    let message = match &said {
        Some(said) if status.is_client_error() && !said.message.is_empty() => said.message.clone(),
        _ => format!("upstream returned {}", status.as_u16()),
    };
    let retry = match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::UNAUTHORIZED
        | StatusCode::FORBIDDEN
        | StatusCode::PAYMENT_REQUIRED
        | StatusCode::REQUEST_TIMEOUT => Retry::Elsewhere,
        status if status.is_client_error() => Retry::Never,
        _ => Retry::Again,
    };
    let mut error = Error::new(ErrorKind::Upstream, message)
        .with_retry(retry)
        .with_upstream(UpstreamRefusal {
            status: Some(status),
            code: said.as_ref().and_then(|said| said.code.clone()),
        });
    if let Some(param) = said.and_then(|said| said.param) {
        error = error.with_param(param);
    }
    if let Some(after) = retry_after(status, &head.headers, Timestamp::now()) {
        error = error.with_retry_after(after);
    }
    for (name, value) in relayed(&head.headers) {
        error = error.with_header(name, value);
    }
    error
}

/// An error inside an answer that began as a success.
pub(super) fn in_band(said: &Refusal) -> Error {
    let message = match said.message.as_str() {
        "" => "the upstream reported an error".to_owned(),
        message => message.to_owned(),
    };
    Error::new(ErrorKind::Upstream, message)
        .with_retry(Retry::Again)
        .with_upstream(UpstreamRefusal {
            status: None,
            code: said.code.clone(),
        })
}

/// The upstream's headers that are relayed on success and on refusal.
pub(super) fn relayed(headers: &HeaderMap) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    headers
        .iter()
        .filter(|(name, _)| {
            let name = name.as_str();
            RELAYED.contains(&name) || name.starts_with(STANDINGS)
        })
        .map(|(name, value)| (name.clone(), value.clone()))
}
