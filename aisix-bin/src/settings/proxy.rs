//! The listener for callers.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, thread};

use aisix_core::{
    config::resource::is_reserved,
    edge::{RealIp, RequestId},
};
use http::HeaderName;

use super::{
    block::Block,
    rewrite::{self, UrlRewrite},
};

/// `proxy`: the listener for callers.
#[derive(Clone, Debug)]
pub(crate) struct Proxy {
    /// `proxy.addr`: where to listen. Required.
    pub(crate) addr: SocketAddr,
    /// `proxy.request_body_limit_bytes`: the largest body of a request, in bytes. Default: 0, the
    /// gateway's own ceiling.
    pub(crate) request_body_limit: u64,
    /// `proxy.tls`: the certificate to show. Default: none, plain HTTP.
    pub(crate) tls: Option<ServerTls>,
    /// `proxy.real_ip.*`: how the address of a client is found. Default: the peer's.
    pub(crate) real_ip: RealIp,
    /// `proxy.request_id.accept_headers`: which headers may bring an id for a request; an empty list
    /// is none. Default: `x-aisix-request-id`.
    pub(crate) request_id: RequestId,
    /// `proxy.thread_per_core`: whether each worker is a thread with its own listener and
    /// connections. Default: true on Linux.
    pub(crate) thread_per_core: bool,
    /// `proxy.workers`: how many threads serve; at least 1. Default: one for each core.
    pub(crate) workers: NonZeroUsize,
    /// `proxy.url_rewrites`: rules for paths; the first that matches is applied. Default: none.
    pub(crate) url_rewrites: Vec<UrlRewrite>,
}

/// A certificate to show to clients. Both files are required.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerTls {
    /// The certificate, in PEM.
    pub(crate) cert_file: PathBuf,
    /// Its key, in PEM.
    pub(crate) key_file: PathBuf,
}

// === impl Proxy ===

impl Proxy {
    /// `None` when there is no address; an error was noted then.
    pub(super) fn read(mut block: Block<'_>) -> Option<Self> {
        let addr = block.require("addr");
        let request_body_limit = block.get("request_body_limit_bytes", 0);
        let tls = ServerTls::read(block.block("tls"));
        let real_ip = real_ip(block.block("real_ip"));
        let request_id = request_id(block.block("request_id"));
        let thread_per_core = block.get("thread_per_core", cfg!(target_os = "linux"));
        let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let workers = block.get("workers", cores);
        let url_rewrites = rewrite::read(&mut block, "url_rewrites");
        block.later("listeners");
        block.finish();
        Some(Self {
            addr: addr?,
            request_body_limit,
            tls,
            real_ip,
            request_id,
            thread_per_core,
            workers,
            url_rewrites,
        })
    }
}

fn real_ip(mut block: Block<'_>) -> RealIp {
    let default = RealIp::default();
    let real_ip = RealIp {
        trusted_proxies: block.list("trusted_proxies").unwrap_or_default(),
        recursive: block.get("recursive", default.recursive),
        header: block.get("header", default.header),
    };
    block.finish();
    real_ip
}

fn request_id(mut block: Block<'_>) -> RequestId {
    const NAME: &str = "accept_headers";
    let headers = block.list::<HeaderName>(NAME);
    for (index, header) in headers.iter().flatten().enumerate() {
        // The headers of a trace identify more than one request; the others are secret, or belong
        // to the connection.
        if is_reserved(header)
            || ["set-cookie", "traceparent", "tracestate"].contains(&header.as_str())
        {
            block.element_error(NAME, index, format!("may not be `{header}`"));
        }
    }
    block.finish();
    headers.map_or_else(RequestId::default, |accept_headers| RequestId {
        accept_headers,
    })
}

// === impl ServerTls ===

impl ServerTls {
    pub(super) fn read(mut block: Block<'_>) -> Option<Self> {
        if block.is_empty() {
            return None;
        }
        let (cert_file, key_file) = (block.require("cert_file"), block.require("key_file"));
        block.finish();
        Some(Self {
            cert_file: cert_file?,
            key_file: key_file?,
        })
    }
}
