//! Hooks over HTTP: between authentication and the reading of the body.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Method, Request, Response, Uri, request::Parts};
use tower::util::BoxCloneSyncService;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    chain::Chain,
    layer::run,
    onward::{Onward, lost},
    patience::Beyond,
};
use crate::{
    BoxError,
    body::Body,
    call::{Arrival, Authenticated, Caller, Trail},
    config::Snapshot,
    edge::{self, Route},
    error::Error,
    reply::Reply,
    stage::{StageFuture, replace},
};

/// What a hook over HTTP wraps: the rest of the pipeline.
///
/// It refuses nothing: what went wrong further in is an answer already, in the caller's dialect.
pub type HttpService = BoxCloneSyncService<Request<Body>, Response<Body>, Error>;

/// A policy over HTTP: any Tower layer over [`HttpService`].
///
/// Implemented for every fitting layer; nobody implements it by hand. In the request's extensions stand who
/// calls, as `Arc<Caller>` once that is known, and the record, as [`Trail`]. Errors are taken as those of a [`Hook`](super::Hook) are. An answer whose
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
struct Rest {
    inner: BoxCloneSyncService<Authenticated, Reply, Error>,
    route: Route,
    config: Arc<Snapshot>,
    trail: Trail,
    /// What was looked up.
    asked: (Method, Uri),
    beyond: Beyond,
}

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
        let beyond = Beyond::default();
        let rest = Rest {
            inner,
            route: arrival.route,
            config: arrival.config,
            trail: arrival.trail.clone(),
            asked,
            beyond: beyond.clone(),
        };
        let mut request = Request::from_parts(arrival.head, arrival.body);
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(arrival.trail);
        let onward = Onward::new(move |request| Box::pin(rest.clone().go(request)));
        request.extensions_mut().insert(onward);
        Box::pin(async move {
            let answer = run(chain, request, beyond).await?;
            Ok(Reply::retrieve(answer))
        })
    }
}

// === impl Rest ===

impl Rest {
    async fn go(mut self, mut request: Request<Body>) -> Result<Response<Body>, Error> {
        let caller = request.extensions_mut().remove::<Arc<Caller>>();
        let caller = caller.ok_or_else(lost)?;
        let _gone = self.beyond.clone().enter();
        let (head, body) = request.into_parts();
        let route = self.route_of(&head)?;
        let dialect = route.dialect(&head);
        let arrival = Arrival {
            head,
            body,
            route,
            config: self.config,
            trail: self.trail,
        };
        std::future::poll_fn(|cx| self.inner.poll_ready(cx)).await?;
        let reply = self.inner.call(Authenticated { arrival, caller }).await;
        let reply = reply.unwrap_or_else(|error| edge::write(dialect, error));
        Ok(reply.deposit())
    }

    /// Where the request goes: looked up again, if a hook has rewritten it.
    fn route_of(&self, head: &Parts) -> Result<Route, Error> {
        let (method, uri) = &self.asked;
        match *method == head.method && uri.path() == head.uri.path() {
            true => Ok(self.route.clone()),
            false => Route::look_up_again(&head.method, &head.uri),
        }
    }
}
