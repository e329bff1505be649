//! What holds for every upstream.

use std::{path::PathBuf, time::Duration};

use super::{
    block::Block,
    value::{Millis, Secs},
};

/// `upstream`: what holds for every upstream. Models may override the deadlines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Upstream {
    /// `upstream.timeout_ms`: the time for a whole answer that is not a stream, in milliseconds; 0
    /// is none. Default: 6 000 000.
    pub(crate) timeout: Option<Duration>,
    /// `upstream.stream_timeout_ms`: the time between two pieces of a stream, in milliseconds.
    /// Default: 0, `timeout`.
    pub(crate) stream_timeout: Option<Duration>,
    /// `upstream.connect_timeout_ms`: the time to connect, in milliseconds; 0 is none. Default:
    /// 5 000.
    pub(crate) connect_timeout: Option<Duration>,
    /// `upstream.head_timeout_ms`: the time to the head of the answer, in milliseconds. Default: 0,
    /// none.
    pub(crate) head_timeout: Option<Duration>,
    /// `upstream.first_token_timeout_ms`: the time to the first content of a stream, in
    /// milliseconds. Default: 0, none.
    pub(crate) first_token_timeout: Option<Duration>,
    /// `upstream.tcp_keepalive_*`: probes on silent connections; `None` is no probes.
    pub(crate) tcp_keepalive: Option<TcpKeepalive>,
    /// `upstream.pool_idle_timeout_secs`: how long an unused connection is kept, in seconds; 0 is
    /// for ever. Default: 30.
    pub(crate) pool_idle_timeout: Option<Duration>,
    /// `upstream.pool_max_idle_per_host`: how many unused connections to a host are kept. Default:
    /// any number.
    pub(crate) pool_max_idle_per_host: Option<usize>,
    /// `upstream.retries`: how often a failed attempt is made again. Default: 2.
    pub(crate) retries: u32,
    /// `upstream.tls`: how certificates are verified and shown.
    pub(crate) tls: UpstreamTls,
}

/// `upstream.tcp_keepalive_*`: probes on silent connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TcpKeepalive {
    /// `upstream.tcp_keepalive_secs`: the silence before the first probe, in seconds; 0 is no
    /// probes. Default: 60.
    pub(crate) idle: Duration,
    /// `upstream.tcp_keepalive_interval_secs`: the time between probes, in seconds. Default: 30.
    pub(crate) interval: Duration,
    /// `upstream.tcp_keepalive_retries`: how many probes go unanswered. Default: 5.
    pub(crate) retries: u32,
}

/// `upstream.tls`: how certificates are verified and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamTls {
    /// `upstream.tls.ca_file`: certificates in PEM that are trusted besides the usual ones. Default:
    /// none.
    pub(crate) ca_file: Option<PathBuf>,
    /// `upstream.tls.client_cert_file` and `client_key_file`: what upstreams are shown. Default:
    /// nothing.
    pub(crate) client: Option<ClientCert>,
    /// `upstream.tls.verify`: whether certificates are verified. Default: true.
    pub(crate) verify: bool,
}

/// A certificate that upstreams are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientCert {
    /// The certificate, in PEM.
    pub(crate) cert_file: PathBuf,
    /// Its key, in PEM.
    pub(crate) key_file: PathBuf,
}

// === impl Upstream ===

impl Upstream {
    pub(super) fn read(mut block: Block<'_>) -> Self {
        let mut millis = |name, default| {
            let default = Millis((default > 0).then(|| Duration::from_millis(default)));
            block.get(name, default).0
        };
        let timeout = millis("timeout_ms", 6_000_000);
        let stream_timeout = millis("stream_timeout_ms", 0);
        let connect_timeout = millis("connect_timeout_ms", 5_000);
        let head_timeout = millis("head_timeout_ms", 0);
        let first_token_timeout = millis("first_token_timeout_ms", 0);
        let tcp_keepalive = TcpKeepalive::read(&mut block);
        let thirty = Secs(Some(Duration::from_secs(30)));
        let Secs(pool_idle_timeout) = block.get("pool_idle_timeout_secs", thirty);
        let upstream = Self {
            timeout,
            stream_timeout,
            connect_timeout,
            head_timeout,
            first_token_timeout,
            tcp_keepalive,
            pool_idle_timeout,
            pool_max_idle_per_host: block.find("pool_max_idle_per_host"),
            retries: block.get("retries", 2),
            tls: UpstreamTls::read(block.block("tls")),
        };
        block.finish();
        upstream
    }
}

// === impl TcpKeepalive ===

impl TcpKeepalive {
    fn read(block: &mut Block<'_>) -> Option<Self> {
        let sixty = Secs(Some(Duration::from_secs(60)));
        let Secs(idle) = block.get("tcp_keepalive_secs", sixty);
        let interval = Duration::from_secs(block.get("tcp_keepalive_interval_secs", 30));
        let retries = block.get("tcp_keepalive_retries", 5);
        if interval.is_zero() {
            block.error("tcp_keepalive_interval_secs", "must be at least 1");
        }
        if retries == 0 {
            block.error("tcp_keepalive_retries", "must be at least 1");
        }
        idle.map(|idle| Self {
            idle,
            interval,
            retries,
        })
    }
}

// === impl UpstreamTls ===

impl UpstreamTls {
    pub(super) fn read(mut block: Block<'_>) -> Self {
        let cert = block.find::<PathBuf>("client_cert_file");
        let key = block.find::<PathBuf>("client_key_file");
        let client = match (cert, key) {
            (Some(cert_file), Some(key_file)) => Some(ClientCert {
                cert_file,
                key_file,
            }),
            (Some(_), None) => {
                let message = format!("needs `{}`", block.key("client_key_file"));
                block.error("client_cert_file", message);
                None
            }
            (None, Some(_)) => {
                let message = format!("needs `{}`", block.key("client_cert_file"));
                block.error("client_key_file", message);
                None
            }
            (None, None) => None,
        };
        let tls = Self {
            ca_file: block.find("ca_file"),
            client,
            verify: block.get("verify", true),
        };
        block.finish();
        tls
    }
}
