//! Connecting: TCP, maybe through a proxy, TLS, all within one time limit.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use aisix_core::{BoxError, Error, upstream::Tls};
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::{
        legacy::connect::{HttpConnector, proxy::Tunnel},
        proxy::matcher::Matcher,
    },
    rt::TokioIo,
};
use tokio::net::TcpStream;
use tower::Service;

use super::{Settings, tls};

/// Opens connections to upstreams.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: Tcp,
    /// `None` when the process has no TLS provider.
    https: Option<HttpsConnector<Tcp>>,
    limit: Option<Duration>,
}

/// TCP to the upstream, or a tunnel to it through the proxy of the environment.
#[derive(Clone)]
pub(super) struct Tcp {
    http: HttpConnector,
    proxies: Option<Arc<Matcher>>,
}

/// Connecting took too long.
#[derive(Debug)]
pub(super) struct ConnectTimeout;

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

// === impl Connector ===

impl Connector {
    pub(super) fn new(settings: &Settings, tls: Option<&Tls>) -> Result<Self, Error> {
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_keepalive(settings.keepalive);
        http.set_keepalive_interval(settings.keepalive_interval);
        http.set_keepalive_retries(settings.keepalive_retries);
        let tcp = Tcp {
            http,
            proxies: settings
                .proxy_from_env
                .then(|| Arc::new(Matcher::from_env())),
        };
        let https = tls::config(settings, tls)?.map(|config| {
            HttpsConnectorBuilder::new()
                .with_tls_config(config)
                .https_or_http()
                .enable_http1()
                .enable_http2()
                .wrap_connector(tcp.clone())
        });
        Ok(Self {
            tcp,
            https,
            limit: settings.connect_timeout,
        })
    }

    fn connect(&mut self, uri: Uri) -> Connecting<<Self as Service<Uri>>::Response> {
        if let Some(https) = &mut self.https {
            return https.call(uri);
        }
        if uri.scheme_str() == Some("https") {
            let missing = "https is asked for, but no TLS provider is installed in this process";
            return Box::pin(std::future::ready(Err(missing.into())));
        }
        let connecting = self.tcp.call(uri);
        Box::pin(async move { Ok(MaybeHttpsStream::Http(connecting.await?)) })
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match &mut self.https {
            Some(https) => https.poll_ready(cx),
            None => self.tcp.poll_ready(cx),
        }
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.connect(uri);
        let limit = self.limit;
        Box::pin(async move {
            match limit {
                None => connecting.await,
                Some(limit) => tokio::time::timeout(limit, connecting)
                    .await
                    .unwrap_or_else(|_| Err(Box::new(ConnectTimeout))),
            }
        })
    }
}

// === impl Tcp ===

impl Service<Uri> for Tcp {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.http.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let proxy = self
            .proxies
            .as_ref()
            .filter(|_| uri.scheme_str() == Some("https"))
            .and_then(|proxies| proxies.intercept(&uri));
        match proxy {
            None => {
                let connecting = self.http.call(uri);
                Box::pin(async move { Ok(connecting.await?) })
            }
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), self.http.clone());
                if let Some(auth) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(auth.clone());
                }
                Box::pin(async move { Ok(tunnel.call(uri).await?) })
            }
        }
    }
}

// === impl ConnectTimeout ===

impl fmt::Display for ConnectTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connecting took too long")
    }
}

impl std::error::Error for ConnectTimeout {}
