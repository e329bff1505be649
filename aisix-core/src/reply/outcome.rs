//! How a request ended.

use std::time::Duration;

use aisix_wire::Usage;
use http::StatusCode;

use crate::error::Error;

/// The ending of a request.
#[derive(Clone, Copy, Debug)]
pub enum End<'a> {
    /// The last byte was handed over.
    Complete,
    /// The request was answered with an error before anything else was sent.
    Refused(&'a Error),
    /// The answer broke after it had begun.
    Failed(&'a Error),
    /// The client left.
    Cancelled,
}

/// What is known when a request has ended.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// The ending.
    pub end: End<'a>,
    /// The status that was sent; `None` when the client left before there was one.
    pub status: Option<StatusCode>,
    /// Tokens used, as the upstream said.
    pub usage: Option<Usage>,
    /// Whether `usage` is an estimate, because the upstream's own figure never came.
    pub usage_estimated: bool,
    /// From the request's beginning to the first content that was handed over. Streams only.
    pub first_token: Option<Duration>,
    /// From the request's beginning to its end.
    pub elapsed: Duration,
}

// === impl Outcome ===

impl<'a> Outcome<'a> {
    /// That of a request that had no answer.
    pub(crate) fn without_answer(end: End<'a>, elapsed: Duration) -> Self {
        Self {
            end,
            status: None,
            usage: None,
            usage_estimated: false,
            first_token: None,
            elapsed,
        }
    }

    /// One word for labels: `success`, `refused`, `failed` or `cancelled`.
    pub fn word(&self) -> &'static str {
        match self.end {
            End::Complete => "success",
            End::Refused(_) => "refused",
            End::Failed(_) => "failed",
            End::Cancelled => "cancelled",
        }
    }
}
