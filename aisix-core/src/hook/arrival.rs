//! Hooks before authentication: on every request that is no probe, whether it has a route or not.

use std::{
    future::ready,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower::util::BoxCloneSyncService;
use tower_layer::Layer;
use tower_service::Service;

use super::{chain::Chain, layer::run, onward::Onward, patience::Beyond};
use crate::{
    body::Body,
    call::{Arrival, Trail},
    config::Snapshot,
    edge::{self, Edge, Landed},
    error::Error,
    reply::Reply,
    stage::{StageFuture, replace},
};

/// Runs each request through the hooks that the gateway's chain has before authentication, and then lets its
/// route take effect.
#[derive(Clone)]
pub(crate) struct ArrivalHookLayer {
    pub(crate) edge: Arc<Edge>,
    /// Whether they run at all.
    pub(crate) runs: bool,
}

/// See [`ArrivalHookLayer`]. Without such hooks, nothing stands in the way.
#[derive(Clone)]
pub(crate) struct ArrivalHooked<S> {
    inner: S,
    layer: ArrivalHookLayer,
}

/// The rest of the pipeline, and the facts that an HTTP request has no place for.
#[derive(Clone)]
struct Rest {
    inner: BoxCloneSyncService<Arrival, Reply, Error>,
    edge: Arc<Edge>,
    config: Arc<Snapshot>,
    trail: Trail,
    beyond: Beyond,
}

// === impl ArrivalHookLayer ===

impl<S> Layer<S> for ArrivalHookLayer {
    type Service = ArrivalHooked<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ArrivalHooked {
            inner,
            layer: self.clone(),
        }
    }
}

// === impl ArrivalHooked ===

impl<S> Service<Landed> for ArrivalHooked<S>
where
    S: Service<Arrival, Response = Reply, Error = Error, Future = StageFuture<Reply, Error>>
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

    fn call(&mut self, landed: Landed) -> Self::Future {
        let Some(chain) = Chain::on_arrival(&landed).filter(|_| self.layer.runs) else {
            return match landed.arrive() {
                Ok(arrival) => self.inner.call(arrival),
                Err(error) => Box::pin(ready(Err(error))),
            };
        };
        let beyond = Beyond::default();
        let rest = Rest {
            inner: BoxCloneSyncService::new(replace(&mut self.inner)),
            edge: self.layer.edge.clone(),
            config: landed.config,
            trail: landed.trail.clone(),
            beyond: beyond.clone(),
        };
        let mut request = Request::from_parts(landed.head, landed.body);
        request.extensions_mut().insert(landed.trail);
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
    async fn go(self, request: Request<Body>) -> Result<Response<Body>, Error> {
        let _gone = self.beyond.enter();
        let (head, body) = request.into_parts();
        let landed = Landed {
            route: self.edge.route_after_hooks(&head),
            head,
            body,
            config: self.config,
            trail: self.trail,
        };
        let dialect = landed.dialect();
        let reply = answer(self.inner, landed).await;
        let reply = reply.unwrap_or_else(|error| edge::write(dialect, error));
        Ok(reply.deposit())
    }
}

async fn answer(
    mut inner: BoxCloneSyncService<Arrival, Reply, Error>,
    landed: Landed,
) -> Result<Reply, Error> {
    let arrival = landed.arrive()?;
    std::future::poll_fn(|cx| inner.poll_ready(cx)).await?;
    inner.call(arrival).await
}
