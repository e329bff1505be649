//! What goes wrong with etcd.

use std::{error::Error as _, fmt, time::Duration};

use etcd_client::Error;

/// Why etcd did not do what it was asked for.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    message: String,
}

/// What helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// Another connection, perhaps to another member.
    Link,
    /// Reading everything again: etcd has compacted what was asked for.
    Compacted,
    /// Asking for less at a time: the answer was too large.
    LongAnswer,
    /// Writing less at a time.
    LongRequest,
    /// Nothing that this side can do.
    Refused,
}

// === impl Fault ===

impl Fault {
    pub(super) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub(super) fn silent(what: &str, time: Duration) -> Self {
        Self::new(FaultKind::Link, format!("no {what} within {time:?}"))
    }

    /// What etcd says when it ends a watch.
    pub(super) fn ended(reason: &str) -> Self {
        let kind = match reason.contains("has been compacted") {
            true => FaultKind::Compacted,
            false => FaultKind::Link,
        };
        let reason = match reason {
            "" => "etcd has ended the watch",
            reason => reason,
        };
        Self::new(kind, reason)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let (mut message, source) = match &error {
            Error::GRpcStatus(status) => (status.message().to_owned(), status.source()),
            Error::TransportError(error) => (error.to_string(), error.source()),
            error => (error.to_string(), None),
        };
        let mut cause = source;
        while let Some(source) = cause {
            let text = source.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = source.source();
        }
        let says = |text: &str| message.contains(text);
        let kind = if says("has been compacted") {
            FaultKind::Compacted
        } else if says("decoded message length too large") {
            FaultKind::LongAnswer
        } else if says("request is too large")
            || says("too many operations")
            || says("received message larger than max")
        {
            FaultKind::LongRequest
        } else if says("permission denied") || says("authentication failed") {
            FaultKind::Refused
        } else {
            FaultKind::Link
        };
        Self::new(kind, message)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
