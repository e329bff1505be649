//! The stage: one snapshot and one route for each request, one dialect for each error.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use aisix_wire::Dialect;
use http::{HeaderName, HeaderValue, header::SERVER};
use tower_layer::Layer;
use tower_service::Service;

use super::{Edge, Landed, Route, array, probe, write};
use crate::{
    config::Config,
    error::{Error, ErrorKind},
    observe::Incoming,
    reply::Reply,
    stage::{StageFuture, replace},
};

const SERVER_NAME: HeaderValue =
    HeaderValue::from_static(concat!("AISIX/", env!("CARGO_PKG_VERSION")));
const REQUEST_ID: HeaderName = HeaderName::from_static("x-aisix-request-id");

const CALL_ID: HeaderName = HeaderName::from_static("x-aisix-call-id");

/// Turns an [`Incoming`] into a [`Landed`], and every error into an answer.
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

    fn land(&self, incoming: Incoming) -> Landed {
        let Incoming { request, trail } = incoming;
        let (head, body) = request.into_parts();
        let looked_up = Route::look_up(&head.method, &head.uri);
        if let Ok(route) = &looked_up {
            if let Route::Operation { operation, .. } = route {
                trail.set_operation(operation);
            }
            trail.set_route(route.template());
        }
        Landed {
            route: self.edge.admit(&head).and(looked_up),
            head,
            body,
            config: self.config.current(),
            trail,
        }
    }

    fn probe(&self, landed: &Landed) -> Option<Reply> {
        let Landed { head, config, .. } = landed;
        match landed.route.as_ref().ok()? {
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
    S: Service<Landed, Response = Reply, Error = Error> + Clone + Send + 'static,
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
            let landed = layer.land(incoming);
            let request_id = landed.trail.request_id().clone();
            let dialect = landed.dialect();
            let as_array = array::is_wanted(landed.route.as_ref().ok(), &landed.head);
            if let Some(reply) = layer.probe(&landed) {
                return Ok(finish(reply, &request_id, dialect));
            }
            let reply = match std::future::poll_fn(|cx| inner.poll_ready(cx)).await {
                Ok(()) => inner.call(landed).await,
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
