//! What happens to the headers of every answer.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use aisix_core::{Error, body::Body, call::Trail, hook::HttpService};
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::headers::HeaderPatch;

/// Changes the headers of every answer.
#[derive(Clone)]
pub(super) struct AnswerHeaders(Arc<HeaderPatch>);

/// See [`AnswerHeaders`].
#[derive(Clone)]
pub(super) struct AnswerHeadersService {
    headers: Arc<HeaderPatch>,
    inner: HttpService,
}

// === impl AnswerHeaders ===

impl AnswerHeaders {
    pub(super) fn new(headers: HeaderPatch) -> Self {
        Self(Arc::new(headers))
    }
}

impl Layer<HttpService> for AnswerHeaders {
    type Service = AnswerHeadersService;

    fn layer(&self, inner: HttpService) -> AnswerHeadersService {
        AnswerHeadersService {
            headers: self.0.clone(),
            inner,
        }
    }
}

// === impl AnswerHeadersService ===

impl Service<Request<Body>> for AnswerHeadersService {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let trail = request.extensions().get::<Trail>().cloned();
        let headers = self.headers.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut response = answer.await?;
            if let Some(trail) = trail {
                headers.apply(response.headers_mut(), &trail);
            }
            Ok(response)
        })
    }
}
