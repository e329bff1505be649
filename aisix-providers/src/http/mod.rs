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
#[derive(Clone)]
pub struct Client(Arc<Inner>);

type Pool = legacy::Client<Connector, Body>;

struct Inner {
    settings: Settings,
    plain: Pool,
    /// Pools for provider keys with TLS settings of their own.
    special: Mutex<HashMap<usize, (Weak<Tls>, Pool)>>,
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
        let plain = pool(&settings, None)?;
        Ok(Self(Arc::new(Inner {
            settings,
            plain,
            special: Mutex::default(),
        })))
    }

    fn pool(&self, tls: Option<&Arc<Tls>>) -> Result<Pool, Error> {
        let Some(tls) = tls else {
            return Ok(self.0.plain.clone());
        };
        let identity = Arc::as_ptr(tls).addr();
        let mut special = self.0.special.lock();
        if let Some((known, pool)) = special.get(&identity)
            && known.strong_count() > 0
        {
            return Ok(pool.clone());
        }
        special.retain(|_, (known, _)| known.strong_count() > 0);
        let pool = pool(&self.0.settings, Some(tls))?;
        special.insert(identity, (Arc::downgrade(tls), pool.clone()));
        Ok(pool)
    }
}

fn pool(settings: &Settings, tls: Option<&Tls>) -> Result<Pool, Error> {
    let mut builder = legacy::Client::builder(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(settings.pool_idle_timeout)
        .pool_max_idle_per_host(settings.pool_max_idle_per_host.unwrap_or(usize::MAX));
    Ok(builder.build(Connector::new(settings, tls)?))
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
        let pool = self.pool(request.extensions().get::<Arc<Tls>>());
        let limit = self.0.settings.connect_timeout;
        Box::pin(async move {
            let response = pool?.request(request).await;
            response
                .map(|response| response.map(Body::new))
                .map_err(|error| classify(error, limit))
        })
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
