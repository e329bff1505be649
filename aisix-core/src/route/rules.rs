//! After which failures a call is tried again, and where.

use std::time::Duration;

use http::StatusCode;

use crate::{
    error::{Error, ErrorKind, Retry},
    models::Member,
};

/// After which failures a call is tried again, and where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// How often a target is asked again that does not say it itself.
    pub(crate) retries: Option<u32>,
    /// The same, where nobody says it.
    pub(crate) default_retries: u32,
    /// Whether an upstream's limit is a reason.
    pub(crate) on_429: bool,
    /// Other statuses of an upstream that are.
    pub(crate) statuses: Box<[u16]>,
    /// The time for all attempts, from the beginning of the request.
    pub(crate) deadline: Option<Duration>,
}

/// How often one target is asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retries {
    pub(crate) most: u32,
    /// Whether somebody has said so: only then, a timeout is a reason.
    is_explicit: bool,
}

// === impl Rules ===

impl Rules {
    /// How often a member is asked again. Without a word of anybody, not at all if there is another one.
    pub(crate) fn retries(&self, member: &Member, has_next: bool) -> Retries {
        match member.model.retries.or(self.retries) {
            Some(most) => Retries {
                most,
                is_explicit: true,
            },
            None => Retries {
                most: if has_next { 0 } else { self.default_retries },
                is_explicit: false,
            },
        }
    }

    /// Whether the same target may be asked again.
    pub(super) fn again(&self, error: &Error, retries: Retries) -> bool {
        match status(error) {
            Some(StatusCode::TOO_MANY_REQUESTS) => self.on_429 || self.names(error),
            _ if self.names(error) => true,
            _ if error.kind() == ErrorKind::Timeout => retries.is_explicit,
            _ => error.retry() == Retry::Again,
        }
    }

    /// Whether another target may be asked: not if it would say the same.
    pub(super) fn elsewhere(&self, error: &Error) -> bool {
        match status(error) {
            Some(StatusCode::TOO_MANY_REQUESTS) => self.on_429 || self.names(error),
            _ => self.names(error) || error.retry() != Retry::Never,
        }
    }

    fn names(&self, error: &Error) -> bool {
        status(error).is_some_and(|status| self.statuses.contains(&status.as_u16()))
    }
}

fn status(error: &Error) -> Option<StatusCode> {
    error.upstream()?.status
}
