//! The gateway: one Tower service.

use std::{
    convert::Infallible,
    fmt,
    task::{Context, Poll},
};

use bytes::Bytes;
use tower_service::Service;

use crate::{
    BoxError, body::Body, builder::GatewayBuilder, config::Config, edge::Drain, pipeline::Pipeline,
    stage::StageFuture,
};

/// The whole pipeline as a Tower service from HTTP requests to HTTP responses.
///
/// A cheap clone that never fails: every error is an answer. It matches the request's whole remaining
/// path, so it can be nested under a prefix that the outer router strips.
///
/// Dropping the response's body, or the future of the response, cancels the request at the upstream.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) pipeline: Pipeline,
    pub(crate) drain: Drain,
}

// === impl Gateway ===

impl Gateway {
    /// Starts a gateway that serves `config`.
    pub fn builder(config: Config) -> GatewayBuilder {
        GatewayBuilder::new(config)
    }

    /// The switch that makes the probes say that the gateway is going away.
    pub fn drain(&self) -> &Drain {
        &self.drain
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gateway")
    }
}

impl<B> Service<http::Request<B>> for Gateway
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = StageFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<http::Request<Body>>::poll_ready(&mut self.pipeline, cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        self.pipeline.call(request.map(Body::new))
    }
}
