//! What happens to a request.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use aisix_core::{Error, body::Body, call::Trail, hook::HttpService};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCESS_CONTROL_ALLOW_HEADERS, ORIGIN, VARY},
};
use tower_layer::Layer;
use tower_service::Service;

use super::rules::Rules;

/// How much of a refused origin the access log tells, in bytes.
const MAX_TOLD: usize = 256;

/// Lets requests of other origins through by some rules.
#[derive(Clone)]
pub(super) struct CorsLayer(pub(super) Arc<Rules>);

/// See [`CorsLayer`].
#[derive(Clone)]
pub(super) struct CorsService {
    rules: Arc<Rules>,
    inner: HttpService,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>;

// === impl CorsLayer ===

impl Layer<HttpService> for CorsLayer {
    type Service = CorsService;

    fn layer(&self, inner: HttpService) -> CorsService {
        CorsService {
            rules: self.0.clone(),
            inner,
        }
    }
}

// === impl CorsService ===

impl Service<Request<Body>> for CorsService {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Answering {
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let rules = self.rules.clone();
        let Some(origin) = request.headers().get(ORIGIN) else {
            return Box::pin(async move {
                let mut response = inner.call(request).await?;
                let vary = HeaderValue::from_static("origin");
                response.headers_mut().append(VARY, vary);
                Ok(response)
            });
        };
        if let Err(error) = rules.check_origin(origin) {
            if rules.log_violations {
                tell(&request, origin);
            }
            return Box::pin(std::future::ready(Err(error)));
        }
        match request.method() == Method::OPTIONS {
            true => Box::pin(preflight(rules, inner, request)),
            false => Box::pin(rules.headers.layer(inner).call(request)),
        }
    }
}

async fn preflight(
    rules: Arc<Rules>,
    inner: HttpService,
    request: Request<Body>,
) -> Result<Response<Body>, Error> {
    rules.check_preflight(request.headers())?;
    // It answers by itself, and calls nothing.
    let mut response = rules.headers.layer(inner).call(request).await?;
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
        .headers_mut()
        .entry(ACCESS_CONTROL_ALLOW_HEADERS)
        .or_insert(HeaderValue::from_static("content-type"));
    Ok(response)
}

fn tell(request: &Request<Body>, origin: &HeaderValue) {
    if let Some(trail) = request.extensions().get::<Trail>() {
        let told = &origin.as_bytes()[..origin.len().min(MAX_TOLD)];
        trail.mark("cors_refused", String::from_utf8_lossy(told));
    }
}
