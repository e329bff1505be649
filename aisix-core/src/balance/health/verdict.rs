//! What the end of an attempt says about the upstream.

use std::time::Duration;

use http::StatusCode;

use super::Reason;
use crate::{
    error::{Error, ErrorKind},
    reply::End,
};

/// Codes of errors inside of an answer that would have been a 4xx before it, besides those that begin with
/// `invalid_`: the upstream works.
const CLIENT_ERRORS: [&str; 7] = [
    "context_length_exceeded",
    "string_above_max_length",
    "request_too_large",
    "content_filter",
    "content_policy_violation",
    "permission_error",
    "not_found_error",
];

/// What the end of an attempt says about the upstream.
///
/// It is made of how the attempt ended: of our [`Error`], or of the [`End`] of the reply. Which failures count is a
/// matter of the settings, see [`Cooldown`](super::Cooldown).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The upstream did its work.
    Success,
    /// The upstream failed, or refused.
    Failure(Failure),
    /// It says nothing: the caller left, or the gateway itself refused.
    Nothing,
}

/// How an upstream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    pub(super) cause: Cause,
    pub(super) retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    Status(StatusCode),
    Timeout,
    Transport,
    Decode,
    InBand,
}

// === impl Verdict ===

impl From<&Error> for Verdict {
    fn from(error: &Error) -> Self {
        let cause = match error.kind() {
            ErrorKind::Timeout => Cause::Timeout,
            ErrorKind::Transport | ErrorKind::Aborted => Cause::Transport,
            ErrorKind::Decode => Cause::Decode,
            ErrorKind::Upstream => match error.upstream() {
                Some(refusal) => match (refusal.status, refusal.code.as_deref()) {
                    (Some(status), _) => Cause::Status(status),
                    (None, Some(code)) if is_client_error(code) => return Self::Success,
                    (None, _) => Cause::InBand,
                },
                None => return Self::Nothing,
            },
            _ => return Self::Nothing,
        };
        Self::Failure(Failure {
            cause,
            retry_after: error.retry_after(),
        })
    }
}

impl From<End<'_>> for Verdict {
    fn from(end: End<'_>) -> Self {
        match end {
            End::Complete => Self::Success,
            End::Refused(error) | End::Failed(error) => error.into(),
            End::Cancelled => Self::Nothing,
        }
    }
}

impl Verdict {
    /// What is left of it for whoever stands behind a replica, which takes the blame for what it did: the refusal of a
    /// credential, or of what was asked.
    pub(crate) fn without_replica(self) -> Self {
        match self {
            Self::Failure(failure) if failure.is_of_replica() => Self::Nothing,
            verdict => verdict,
        }
    }
}

fn is_client_error(code: &str) -> bool {
    code.starts_with("invalid_") || CLIENT_ERRORS.contains(&code)
}

// === impl Failure ===

impl Failure {
    /// Whether this is the fault of the place that was asked, and of nothing that was sent there.
    fn is_of_replica(&self) -> bool {
        match self.cause {
            Cause::Status(status) => match status.as_u16() {
                408 | 429 => true,
                _ => !status.is_client_error(),
            },
            _ => true,
        }
    }

    /// Why the upstream is not well, if this counts.
    pub fn reason(&self) -> Reason {
        let status = match self.cause {
            Cause::Status(status) => status,
            Cause::Timeout => return Reason::RequestTimeout,
            Cause::Transport => return Reason::TransportError,
            Cause::Decode => return Reason::UpstreamDecodeError,
            Cause::InBand => return Reason::UpstreamInBandError,
        };
        match status.as_u16() {
            401 | 403 => Reason::UpstreamAuthFailure,
            408 => Reason::UpstreamRequestTimeout,
            429 => Reason::UpstreamRateLimited,
            500..=599 => Reason::UpstreamServerError,
            _ => Reason::UpstreamStatusFailure,
        }
    }

    /// The upstream's status, if it answered with one.
    pub fn status(&self) -> Option<StatusCode> {
        match self.cause {
            Cause::Status(status) => Some(status),
            _ => None,
        }
    }

    /// When the upstream wants to be asked again, if it said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::UpstreamRefusal;

    fn upstream(status: Option<u16>, code: Option<&str>) -> Error {
        Error::new(ErrorKind::Upstream, "no").with_upstream(UpstreamRefusal {
            status: status.map(|status| StatusCode::from_u16(status).unwrap()),
            code: code.map(str::to_owned),
        })
    }

    #[test]
    fn what_failed_upstream_has_a_reason() {
        for (error, reason) in [
            (upstream(Some(401), None), "upstream_auth_failure"),
            (upstream(Some(403), None), "upstream_auth_failure"),
            (upstream(Some(408), None), "upstream_request_timeout"),
            (upstream(Some(429), None), "upstream_rate_limited"),
            (upstream(Some(500), None), "upstream_server_error"),
            (upstream(Some(529), None), "upstream_server_error"),
            (upstream(Some(400), None), "upstream_status_failure"),
            (upstream(Some(302), None), "upstream_status_failure"),
            (upstream(None, None), "upstream_in_band_error"),
            (
                upstream(None, Some("overloaded_error")),
                "upstream_in_band_error",
            ),
            (Error::new(ErrorKind::Timeout, ""), "request_timeout"),
            (Error::new(ErrorKind::Transport, ""), "transport_error"),
            (Error::new(ErrorKind::Aborted, ""), "transport_error"),
            (Error::new(ErrorKind::Decode, ""), "upstream_decode_error"),
        ] {
            let Verdict::Failure(failure) = Verdict::from(&error) else {
                panic!("{error:?} is a failure");
            };
            assert_eq!(failure.reason().as_str(), reason, "{error:?}");
        }
    }

    #[test]
    fn what_the_caller_or_the_gateway_did_is_no_failure_of_the_upstream() {
        for code in [
            "invalid_request_error",
            "invalid_prompt",
            "context_length_exceeded",
            "content_filter",
        ] {
            let said = upstream(None, Some(code));
            assert_eq!(Verdict::from(&said), Verdict::Success, "{code}");
        }
        for kind in [
            ErrorKind::InvalidRequest,
            ErrorKind::Unauthenticated,
            ErrorKind::RequestTimeout,
            ErrorKind::Blocked,
            ErrorKind::RateLimited,
            ErrorKind::NotImplemented,
            ErrorKind::Unavailable,
            ErrorKind::Credential,
            ErrorKind::Config,
            ErrorKind::Internal,
        ] {
            let refused = Error::new(kind, "").with_retry_after(Duration::from_secs(1));
            assert_eq!(Verdict::from(&refused), Verdict::Nothing, "{kind:?}");
        }
    }

    #[test]
    fn the_end_of_a_reply_says_the_same() {
        let broken = Error::new(ErrorKind::Aborted, "");
        assert_eq!(Verdict::from(End::Complete), Verdict::Success);
        assert_eq!(Verdict::from(End::Cancelled), Verdict::Nothing);
        assert_eq!(Verdict::from(End::Failed(&broken)), Verdict::from(&broken));
        assert_eq!(Verdict::from(End::Refused(&broken)), Verdict::from(&broken));
    }

    #[test]
    fn a_failure_remembers_when_to_come_back() {
        let error = upstream(Some(429), None).with_retry_after(Duration::from_secs(7));
        let Verdict::Failure(failure) = Verdict::from(&error) else {
            panic!("a failure");
        };
        assert_eq!(failure.retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(failure.status(), Some(StatusCode::TOO_MANY_REQUESTS));
    }
}
