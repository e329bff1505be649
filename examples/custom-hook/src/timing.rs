//! A hook as a Tower layer, written by hand.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Instant,
};

use aisix_core::{Error, call::Call, hook::CallService, reply::Reply};
use http::HeaderValue;
use tower::{Layer, Service};

// ANCHOR: layer
/// Tells the client in `server-timing` how long it took until the answer began, and marks the
/// request's trail with it. Marks are for the access log.
#[derive(Clone, Copy)]
pub struct TimingLayer;

/// See [`TimingLayer`].
#[derive(Clone)]
pub struct Timing {
    inner: CallService,
}

impl Layer<CallService> for TimingLayer {
    type Service = Timing;

    fn layer(&self, inner: CallService) -> Timing {
        Timing { inner }
    }
}

impl Service<Call> for Timing {
    type Response = Reply;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, call: Call) -> Self::Future {
        let started = Instant::now();
        let trail = call.trail().clone();
        let reply = self.inner.call(call);
        Box::pin(async move {
            let mut reply = reply.await?;
            let millis = started.elapsed().as_millis();
            let value = HeaderValue::try_from(format!("upstream;dur={millis}"));
            let value = value.expect("digits are visible ASCII");
            reply.headers_mut().insert("server-timing", value);
            trail.mark("hooks_ms", millis.to_string());
            Ok(reply)
        })
    }
}
// ANCHOR_END: layer
