//! From the last hook over HTTP on to the rest of the pipeline.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use crate::{
    body::Body,
    error::{Error, ErrorKind},
    stage::StageFuture,
};

/// The rest of the pipeline, in the extensions of a request. Chains are shared by all requests, so it travels
/// with each.
#[derive(Clone)]
pub(super) struct Onward(Arc<dyn Fn(Request<Body>) -> Answering + Send + Sync>);

/// What the last hook of every chain calls.
#[derive(Clone, Copy)]
pub(super) struct Innermost;

type Answering = StageFuture<Response<Body>, Error>;

/// The refusal of a request that has lost what the pipeline needs.
pub(super) fn lost() -> Error {
    let message = "a hook has lost the request's extensions";
    Error::new(ErrorKind::Internal, "internal error").with_source(message)
}

// === impl Onward ===

impl Onward {
    pub(super) fn new(rest: impl Fn(Request<Body>) -> Answering + Send + Sync + 'static) -> Self {
        Self(Arc::new(rest))
    }
}

// === impl Innermost ===

impl Service<Request<Body>> for Innermost {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Answering;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        match request.extensions_mut().remove::<Onward>() {
            Some(Onward(rest)) => rest(request),
            None => Box::pin(std::future::ready(Err(lost()))),
        }
    }
}
