//! Hooks over HTTP: between authentication and the reading of the body.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Method, Request, Response, Uri, request::Parts};
use tower::util::BoxCloneSyncService;
use tower_layer::Layer;
use tower_service::Service;

use super::{chain::Chain, layer::run, patience::Beyond};
use crate::{
    BoxError,
    body::Body,
    call::{Arrival, Authenticated, Caller, Trail},
    config::Snapshot,
    edge::{self, Route},
    error::{Error, ErrorKind},
    reply::Reply,
    stage::{StageFuture, replace},
};

/// What a hook over HTTP wraps: the rest of the pipeline.
///
/// It refuses nothing: what went wrong further in is an answer already, in the caller's dialect.
pub type HttpService = BoxCloneSyncService<Request<Body>, Response<Body>, Error>;

/// A policy over HTTP: any Tower layer over [`HttpService`].
///
/// Implemented for every fitting layer; nobody implements it by hand. Who calls stands in the request's
/// extensions as `Arc<Caller>`. Errors are taken as those of a [`Hook`](super::Hook) are. An answer whose
/// extensions are thrown away counts as one of the hook's own.
pub trait HttpHook: Send + Sync + 'static {
    /// Wraps `inner`.
    fn wrap(&self, inner: HttpService) -> HttpService;
}

impl<L, S> HttpHook for L
where
    L: Layer<HttpService, Service = S> + Send + Sync + 'static,
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
{
    fn wrap(&self, inner: HttpService) -> HttpService {
        let service = tower::ServiceExt::map_err(self.layer(inner), |error: S::Error| {
            Error::from_boxed(error.into())
        });
        BoxCloneSyncService::new(service)
    }
}

/// Runs each request through the hooks over HTTP that the configuration names.
#[derive(Clone, Copy)]
pub(crate) struct HttpHookLayer {
    /// Whether they run at all.
    pub(crate) runs: bool,
}

/// See [`HttpHookLayer`]. Without such hooks, nothing stands in the way.
#[derive(Clone)]
pub(crate) struct HttpHooked<S> {
    inner: S,
    runs: bool,
}

/// The rest of the pipeline, and the facts that an HTTP request has no place for.
#[derive(Clone)]
struct Onward {
    inner: BoxCloneSyncService<Authenticated, Reply, Error>,
    route: Route,
    config: Arc<Snapshot>,
    trail: Trail,
    /// What was looked up.
    asked: (Method, Uri),
    beyond: Beyond,
}

/// What the last hook of every chain calls.
#[derive(Clone, Copy)]
pub(super) struct Innermost;

// === impl HttpHookLayer ===

impl<S> Layer<S> for HttpHookLayer {
    type Service = HttpHooked<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpHooked {
            inner,
            runs: self.runs,
        }
    }
}

// === impl HttpHooked ===

impl<S> Service<Authenticated> for HttpHooked<S>
where
    S: Service<Authenticated, Response = Reply, Error = Error, Future = StageFuture<Reply, Error>>
        + Clone
        + Send
        + Sync
        + 'static,
{
    type Response = Reply;
    type Error = Error;
    type Future = StageFuture<Reply, Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Authenticated) -> Self::Future {
        let Some(chain) = Chain::before(&request).filter(|_| self.runs) else {
            return self.inner.call(request);
        };
        let inner = BoxCloneSyncService::new(replace(&mut self.inner));
        let Authenticated { arrival, caller } = request;
        let asked = (arrival.head.method.clone(), arrival.head.uri.clone());
        let mut request = Request::from_parts(arrival.head, arrival.body);
        let beyond = Beyond::default();
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(Onward {
            inner,
            route: arrival.route,
            config: arrival.config,
            trail: arrival.trail,
            asked,
            beyond: beyond.clone(),
        });
        Box::pin(async move {
            let answer = run(chain, request, beyond).await?;
            Ok(Reply::retrieve(answer))
        })
    }
}

// === impl Onward ===

impl Onward {
    /// Where the request goes: looked up again, if a hook has rewritten it. Every route that can be
    /// reached so asks for a caller, and there is one.
    fn route_of(&self, head: &Parts) -> Result<Route, Error> {
        let (method, uri) = &self.asked;
        if *method == head.method && uri.path() == head.uri.path() {
            return Ok(self.route.clone());
        }
        match Route::look_up(&head.method, &head.uri)? {
            Route::Live | Route::Ready => Err(Error::new(ErrorKind::NotFound, "no such path")),
            route => Ok(route),
        }
    }
}

// === impl Innermost ===

impl Service<Request<Body>> for Innermost {
    type Response = Response<Body>;
    type Error = Error;
    type Future = StageFuture<Response<Body>, Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let onward = request.extensions_mut().remove::<Onward>();
        let caller = request.extensions_mut().remove::<Arc<Caller>>();
        Box::pin(async move {
            let (Some(onward), Some(caller)) = (onward, caller) else {
                let message = "a hook has lost the request's extensions";
                return Err(Error::new(ErrorKind::Internal, "internal error").with_source(message));
            };
            let _gone = onward.beyond.clone().enter();
            let (head, body) = request.into_parts();
            let route = onward.route_of(&head)?;
            let dialect = route.dialect(&head);
            let mut inner = onward.inner;
            let arrival = Arrival {
                head,
                body,
                route,
                config: onward.config,
                trail: onward.trail,
            };
            std::future::poll_fn(|cx| inner.poll_ready(cx)).await?;
            let reply = inner.call(Authenticated { arrival, caller }).await;
            let reply = reply.unwrap_or_else(|error| edge::write(dialect, error));
            Ok(reply.deposit())
        })
    }
}
