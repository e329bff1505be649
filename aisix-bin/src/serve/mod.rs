//! Serving: sockets, TLS, HTTP/1.1 and h2, workers, draining.
//!
//! ```text
//! bind → workers → accept → TLS → HTTP/1.1 or h2 → decode → the service
//! ```
//!
//! [`Proxy::bind`] takes the port, [`worker::Bound::run`] serves until [`Shutdown`] says otherwise, and
//! [`aside()`] is a small second server, for metrics and status, and for the control plane.

mod aside;
mod certificates;
mod connection;
mod decode;
mod io;
mod listen;
mod protocols;
mod pulse;
mod reading;
mod service;
mod shutdown;
mod signals;
mod worker;

#[cfg(test)]
mod tests;

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use aisix_core::edge::Drain;

pub(crate) use self::{
    aside::{Aside, aside, get_only},
    service::HttpService,
    shutdown::Shutdown,
    signals::Signals,
};

/// How the gateway is served.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    /// Where connections come from, and what they may do.
    pub(crate) listener: ListenerSettings,
    /// Which threads serve them.
    pub(crate) workers: Workers,
    /// Switched on when a drain begins. Share it with the gateways, so that their probes answer 503.
    pub(crate) drain: Drain,
    /// How long new connections are still served after a drain began.
    pub(crate) min_drain: Duration,
}

/// Which threads serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Workers {
    /// This many threads, each with a listener (`SO_REUSEPORT`), a runtime and a service of its own.
    PerCore(NonZeroUsize),
    /// One listener and one service, on one runtime with a thread for each core.
    Shared,
}

/// A listener, and the limits of its connections.
#[derive(Clone, Debug)]
pub(crate) struct ListenerSettings {
    /// Where to listen. Port 0 takes a free one.
    pub(crate) addr: SocketAddr,
    /// TLS, if any.
    pub(crate) tls: Option<TlsFiles>,
    /// How long a connection may be kept without a request; `None` is for ever. Default: `None`.
    pub(crate) idle_timeout: Option<Duration>,
    /// How long a client may take for the TLS handshake, and from the first to the last byte of a
    /// request's head. Default: 10 s.
    pub(crate) head_timeout: Duration,
    /// The largest request head in bytes; more is answered 431. Default: 64 KiB.
    pub(crate) max_head_bytes: u32,
}

/// A certificate and its key, in PEM. Both are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// The certificate, and those that lead to its root.
    pub(crate) cert_file: PathBuf,
    /// The private key.
    pub(crate) key_file: PathBuf,
}

// === impl ListenerSettings ===

impl ListenerSettings {
    /// Plain HTTP on `addr`, with the default limits.
    pub(crate) fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            tls: None,
            idle_timeout: None,
            head_timeout: Duration::from_secs(10),
            max_head_bytes: 64 * 1024,
        }
    }
}
