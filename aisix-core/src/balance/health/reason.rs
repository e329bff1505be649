//! Why a target is not well, in a word.

use std::fmt;

/// Why a target is not well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The upstream refused the credential (401 or 403).
    UpstreamAuthFailure,
    /// The upstream says that the request took too long to arrive (408).
    UpstreamRequestTimeout,
    /// The upstream says that there were too many requests (429).
    UpstreamRateLimited,
    /// The upstream failed (5xx).
    UpstreamServerError,
    /// The upstream answered with another status that counts as a failure.
    UpstreamStatusFailure,
    /// A deadline of the gateway has passed.
    RequestTimeout,
    /// The upstream could not be reached, or the connection broke.
    TransportError,
    /// The answer is not in the upstream's dialect.
    UpstreamDecodeError,
    /// The upstream reported an error inside of an answer that began as a success.
    UpstreamInBandError,
    /// A check in the background got an answer that it did not expect.
    UnexpectedAnswer,
    /// The circuit breaker is open, or half-open and its trials are under way.
    CircuitOpen,
    /// The target is drained.
    Draining,
    /// The target is disabled.
    Disabled,
}

// === impl Reason ===

impl Reason {
    /// The word, such as `upstream_rate_limited`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UpstreamAuthFailure => "upstream_auth_failure",
            Self::UpstreamRequestTimeout => "upstream_request_timeout",
            Self::UpstreamRateLimited => "upstream_rate_limited",
            Self::UpstreamServerError => "upstream_server_error",
            Self::UpstreamStatusFailure => "upstream_status_failure",
            Self::RequestTimeout => "request_timeout",
            Self::TransportError => "transport_error",
            Self::UpstreamDecodeError => "upstream_decode_error",
            Self::UpstreamInBandError => "upstream_in_band_error",
            Self::UnexpectedAnswer => "unexpected_answer",
            Self::CircuitOpen => "circuit_open",
            Self::Draining => "draining",
            Self::Disabled => "disabled",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
