//! `reqwest::Client` as a transport.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use aisix_core::{BoxError, body::Body};

/// Lets a [`reqwest::Client`] of the app carry the gateway's requests: a Tower service, and so a
/// [`Transport`](aisix_core::upstream::Transport).
///
/// TLS settings of provider keys are not heeded; the client's own hold for all.
#[derive(Clone, Debug)]
pub struct Reqwest(pub reqwest::Client);

// === impl Reqwest ===

impl tower::Service<http::Request<Body>> for Reqwest {
    type Response = http::Response<reqwest::Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let client = self.0.clone();
        Box::pin(async move {
            let request = reqwest::Request::try_from(request.map(reqwest::Body::wrap))?;
            Ok(client.execute(request).await?.into())
        })
    }
}
