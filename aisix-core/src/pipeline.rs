//! The life of a request, from the top.
//!
//! Each line either adds facts, which changes the type and lets the compiler fix the order, or guards,
//! in the order that the tests beside this file state.

use tower::ServiceBuilder;

use crate::{
    auth::{Auth, AuthLayer},
    edge::{EdgeLayer, EdgeService},
    hook::{ArrivalHookLayer, ArrivalHooked, HookLayer, Hooked, HttpHookLayer, HttpHooked},
    ingest::{Ingest, IngestLayer},
    limit::{LimitLayer, LimitService},
    models::{Admit, AdmitLayer},
    observe::{Observe, ObserveLayer},
    route::{RouteLayer, Router},
    upstream::Upstream,
};

/// `http::Request` in, `http::Response` out.
pub(crate) type Pipeline = Observe<
    EdgeService<
        ArrivalHooked<Auth<HttpHooked<Ingest<Admit<LimitService<Hooked<Router<Upstream>>>>>>>>,
    >,
>;

/// What the stages are made from.
pub(crate) struct Stages {
    pub(crate) observe: ObserveLayer,
    pub(crate) edge: EdgeLayer,
    pub(crate) arrival_hooks: ArrivalHookLayer,
    pub(crate) auth: AuthLayer,
    pub(crate) http_hooks: HttpHookLayer,
    pub(crate) ingest: IngestLayer,
    pub(crate) admit: AdmitLayer,
    pub(crate) limit: LimitLayer,
    pub(crate) hooks: HookLayer,
    pub(crate) route: RouteLayer,
    pub(crate) upstream: Upstream,
}

pub(crate) fn pipeline(stages: Stages) -> Pipeline {
    ServiceBuilder::new()
        // Outermost, so that every ending is seen once: complete, refused, failed, cancelled.
        .layer(stages.observe)
        // Request id, one snapshot, the route. Turns every error below into the caller's dialect.
        .layer(stages.edge)
        // → Arrival. What the gateway says to strangers, such as CORS; then the route takes effect.
        .layer(stages.arrival_hooks)
        // → Authenticated. Before the body is read: a stranger costs nothing more.
        .layer(stages.auth)
        // What gateway and key say before the body is read.
        .layer(stages.http_hooks)
        // → Inbound. Body and envelope. Routes without a model are answered here.
        .layer(stages.ingest)
        // → Call. The model exists, and its caller may use it.
        .layer(stages.admit)
        // Before the hooks, so that a caller over its limit cannot buy guard calls.
        .layer(stages.limit)
        // Yours, then those that gateway, model and key name.
        .layer(stages.hooks)
        // → Attempt, again and elsewhere while nothing has reached the client.
        .layer(stages.route)
        // → Reply.
        .service(stages.upstream)
}
