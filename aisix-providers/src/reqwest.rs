//! `reqwest::Client` as a transport.

use std::{
    future::Future,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use aisix_core::{BoxError, body::Body};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// Lets a [`reqwest::Client`] of the app carry the gateway's requests: a Tower service, and so a
/// [`Transport`](aisix_core::upstream::Transport).
///
/// TLS settings of provider keys are not heeded; the client's own hold for all.
#[derive(Clone, Debug)]
pub struct Reqwest(pub reqwest::Client);

/// A body that may be shared between threads, as `reqwest` wants it. Nobody ever waits for the lock.
struct Shared(Mutex<Body>);

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
            let request = reqwest::Request::try_from(
                request.map(|body| reqwest::Body::wrap(Shared(Mutex::new(body)))),
            )?;
            Ok(client.execute(request).await?.into())
        })
    }
}

// === impl Shared ===

impl http_body::Body for Shared {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let body = self.get_mut().0.get_mut();
        Pin::new(body.unwrap_or_else(PoisonError::into_inner)).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        body.size_hint()
    }
}
