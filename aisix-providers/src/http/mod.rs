//! The transport of the `aisix` binary: hyper-util's pooled client over rustls.

mod connect;
mod tls;

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use aisix_core::{Error, ErrorKind, body::Body, upstream::Tls};
use http::Version;
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use parking_lot::Mutex;

use self::connect::{ConnectTimeout, Connector};

/// How connections to upstreams are made and kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The time to connect, TLS handshake included. Default: 5 s; `None`: no limit.
    pub connect_timeout: Option<Duration>,
    /// Silence after which TCP asks whether the other side is still there. Default: 60 s.
    pub keepalive: Option<Duration>,
    /// The time between two such questions. Default: 30 s.
    pub keepalive_interval: Option<Duration>,
    /// How many of them go unanswered before the connection is given up. Default: 5.
    pub keepalive_retries: Option<u32>,
    /// How long an idle connection is kept. Default: 30 s.
    pub pool_idle_timeout: Option<Duration>,
    /// How many idle connections are kept for each host. Default: no limit.
    pub pool_max_idle_per_host: Option<usize>,
    /// A file of further trusted roots, as PEM.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate and key, as PEM files.
    pub client_cert: Option<(PathBuf, PathBuf)>,
    /// Whether certificates are checked. Default: true.
    pub verify: bool,
    /// Whether `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are heeded. Default: true.
    pub proxy_from_env: bool,
}

/// A pooled HTTP/1.1 and HTTP/2 client: a Tower service, and so a
/// [`Transport`](aisix_core::upstream::Transport).
///
/// One pool for each worker keeps requests on the worker's thread. Must be used within a Tokio
/// runtime. For `https` the process must have a default rustls provider; without one, such requests
/// fail. Dropping a response's body aborts the exchange.
///
/// A request of the version HTTP/2 has a connection of its own, over HTTP/2; in clear text by prior knowledge.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

type Pool = legacy::Client<Connector, Body>;

struct Inner {
    settings: Settings,
    plain: Pools,
    /// Pools for provider keys with TLS settings of their own.
    special: Mutex<HashMap<usize, (Weak<Tls>, Pools)>>,
}

/// How requests go out that have the same TLS settings.
#[derive(Clone)]
struct Pools {
    usual: Pool,
    /// For those that must have HTTP/2. It keeps no connection.
    http2: Pool,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Some(Duration::from_secs(5)),
            keepalive: Some(Duration::from_secs(60)),
            keepalive_interval: Some(Duration::from_secs(30)),
            keepalive_retries: Some(5),
            pool_idle_timeout: Some(Duration::from_secs(30)),
            pool_max_idle_per_host: None,
            ca_file: None,
            client_cert: None,
            verify: true,
            proxy_from_env: true,
        }
    }
}

// === impl Client ===

impl Client {
    /// A client without connections.
    ///
    /// # Errors
    ///
    /// When a certificate file cannot be read or used.
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let plain = Pools::new(&settings, None)?;
        Ok(Self(Arc::new(Inner {
            settings,
            plain,
            special: Mutex::default(),
        })))
    }

    fn pools(&self, tls: Option<&Arc<Tls>>) -> Result<Pools, Error> {
        let Some(tls) = tls else {
            return Ok(self.0.plain.clone());
        };
        let identity = Arc::as_ptr(tls).addr();
        let mut special = self.0.special.lock();
        if let Some((known, pools)) = special.get(&identity)
            && known.strong_count() > 0
        {
            return Ok(pools.clone());
        }
        special.retain(|_, (known, _)| known.strong_count() > 0);
        let pools = Pools::new(&self.0.settings, Some(tls))?;
        special.insert(identity, (Arc::downgrade(tls), pools.clone()));
        Ok(pools)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.0.settings).finish()
    }
}

impl tower::Service<http::Request<Body>> for Client {
    type Response = http::Response<Body>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let pools = self.pools(request.extensions().get::<Arc<Tls>>());
        let limit = self.0.settings.connect_timeout;
        Box::pin(async move {
            let response = pools?.of(&request).request(request).await;
            response
                .map(|response| response.map(Body::new))
                .map_err(|error| classify(error, limit))
        })
    }
}

// === impl Pools ===

impl Pools {
    fn new(settings: &Settings, tls: Option<&Tls>) -> Result<Self, Error> {
        let connector = Connector::new(settings, tls)?;
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.pool_idle_timeout)
            .pool_max_idle_per_host(settings.pool_max_idle_per_host.unwrap_or(usize::MAX));
        let usual = builder.build(connector.clone());
        // One that nobody answers on any more would go on being shared.
        builder.http2_only(true).pool_max_idle_per_host(0);
        let http2 = builder.build(connector);
        Ok(Self { usual, http2 })
    }

    /// The one for a request.
    fn of(&self, request: &http::Request<Body>) -> &Pool {
        match request.version() {
            Version::HTTP_2 => &self.http2,
            _ => &self.usual,
        }
    }
}

fn classify(error: legacy::Error, limit: Option<Duration>) -> Error {
    if let Some(limit) = limit.filter(|_| error.is_connect() && caused_by_timeout(&error)) {
        let message = format!(
            "connecting to the upstream timed out after {}ms",
            limit.as_millis()
        );
        return Error::new(ErrorKind::Timeout, message)
            .with_source(error)
            .unsent();
    }
    if error.is_connect() {
        let message = "the upstream could not be reached";
        return Error::new(ErrorKind::Transport, message)
            .with_source(error)
            .unsent();
    }
    let message = "the connection to the upstream broke";
    Error::new(ErrorKind::Transport, message).with_source(error)
}

fn caused_by_timeout(error: &legacy::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let timed_out = error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut);
        if timed_out || error.is::<ConnectTimeout>() {
            return true;
        }
        next = error.source();
    }
    false
}
