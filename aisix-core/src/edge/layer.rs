//! The stage: one snapshot and one route for each request, one dialect for each error.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use aisix_wire::Dialect;
use http::{
    HeaderName, HeaderValue,
    header::{CONTENT_LENGTH, SERVER},
    request::Parts,
};
use tower_layer::Layer;
use tower_service::Service;

use super::{Edge, Route, array, probe, write};
use crate::{
    call::Arrival,
    config::{Config, Snapshot},
    error::{Error, ErrorKind},
    observe::Incoming,
    reply::Reply,
    stage::{StageFuture, replace},
};

const SERVER_NAME: HeaderValue =
    HeaderValue::from_static(concat!("AISIX/", env!("CARGO_PKG_VERSION")));
const REQUEST_ID: HeaderName = HeaderName::from_static("x-aisix-request-id");

const CALL_ID: HeaderName = HeaderName::from_static("x-aisix-call-id");

/// Turns an [`Incoming`] into an [`Arrival`], and every error into an answer.
#[derive(Clone)]
pub(crate) struct EdgeLayer {
    edge: Arc<Edge>,
    config: Config,
}

/// See [`EdgeLayer`].
#[derive(Clone)]
pub(crate) struct EdgeService<S> {
    inner: S,
    layer: EdgeLayer,
}

// === impl EdgeLayer ===

impl EdgeLayer {
    pub(crate) fn new(edge: Arc<Edge>, config: Config) -> Self {
        Self { edge, config }
    }

    /// Checks what the head alone can say.
    fn admit(&self, head: &Parts) -> Result<(), Error> {
        let mut lengths = head.headers.get_all(CONTENT_LENGTH).iter();
        if let Some(length) = lengths.next() {
            if lengths.next().is_some() {
                return Err(Error::new(
                    ErrorKind::InvalidRequest,
                    "more than one Content-Length header",
                ));
            }
            let limit = self.edge.settings.body_limit();
            let length = length.to_str().ok().and_then(|text| text.parse().ok());
            if length.is_none_or(|length: u64| length > limit) {
                return Err(too_large(limit));
            }
        }
        Ok(())
    }

    fn probe(&self, route: &Route, head: &Parts, config: &Snapshot) -> Option<Reply> {
        match route {
            Route::Live => Some(probe::live(&head.uri, &self.edge.drain)),
            Route::Ready => Some(probe::ready(&head.uri, &self.edge.drain, config)),
            _ => None,
        }
    }
}

impl<S> Layer<S> for EdgeLayer {
    type Service = EdgeService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        EdgeService {
            inner,
            layer: self.clone(),
        }
    }
}

// === impl EdgeService ===

impl<S> Service<Incoming> for EdgeService<S>
where
    S: Service<Arrival, Response = Reply, Error = Error> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Reply;
    type Error = Infallible;
    type Future = StageFuture<Reply, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // The stages inside are always ready: they clone what they call.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, incoming: Incoming) -> Self::Future {
        let mut inner = replace(&mut self.inner);
        let layer = self.layer.clone();
        Box::pin(async move {
            let Incoming { request, trail } = incoming;
            let (head, body) = request.into_parts();
            let request_id = trail.request_id().clone();

            let looked_up = Route::look_up(&head.method, &head.uri);
            if let Ok(route) = &looked_up {
                if let Route::Operation { operation, .. } = route {
                    trail.set_operation(operation);
                }
                trail.set_route(route.template());
            }
            let route = match layer.admit(&head).and(looked_up) {
                Ok(route) => route,
                Err(error) => {
                    // What the path does not tell, its beginning may.
                    let dialect = match head.uri.path().starts_with("/v1beta/") {
                        true => Dialect::Gemini,
                        false => Dialect::OpenAi,
                    };
                    return Ok(finish(write(dialect, error), &request_id, dialect));
                }
            };
            let dialect = route.dialect(&head);
            let as_array = array::is_wanted(&route, &head);
            let config = layer.config.current();
            if let Some(reply) = layer.probe(&route, &head, &config) {
                return Ok(finish(reply, &request_id, dialect));
            }
            let arrival = Arrival {
                head,
                body,
                route,
                config,
                trail,
            };
            let reply = match std::future::poll_fn(|cx| inner.poll_ready(cx)).await {
                Ok(()) => inner.call(arrival).await,
                Err(error) => Err(error),
            };
            let reply = match reply {
                Ok(mut reply) => {
                    reply.headers_mut().insert(CALL_ID, request_id.clone());
                    reply
                }
                Err(error) => write(dialect, error),
            };
            let reply = match as_array {
                true => array::write(reply),
                false => reply,
            };
            Ok(finish(reply, &request_id, dialect))
        })
    }
}

pub(crate) fn too_large(limit: u64) -> Error {
    Error::new(
        ErrorKind::TooLarge,
        format!("request body exceeds {limit}-byte limit"),
    )
}

/// Adds what every answer carries: the server's name, and the request's id under our name and
/// under the one that the caller's SDK reads.
fn finish(mut reply: Reply, request_id: &HeaderValue, dialect: Dialect) -> Reply {
    let headers = reply.headers_mut();
    headers.insert(SERVER, SERVER_NAME);
    headers.insert(REQUEST_ID, request_id.clone());
    let sdk_name = match dialect {
        Dialect::Anthropic => "request-id",
        _ => "x-request-id",
    };
    headers.insert(HeaderName::from_static(sdk_name), request_id.clone());
    reply
}
