//! Checks in the background: the replicas of upstreams that want it are asked now and then.

mod grpc;
mod http;
mod probe;
mod question;
mod tcp;

use std::{collections::HashMap, future::pending, pin::pin, sync::Arc};

use futures_util::{
    StreamExt,
    future::{AbortHandle, Abortable, BoxFuture, join_all, select},
    stream::FuturesUnordered,
};

use self::{probe::watch, question::Sender};
use super::Pool;
use crate::{
    config::{Config, Snapshot},
    observe::{Observer, Observers},
    upstream::{Tls, Transport},
};

/// Checks the replicas of all upstreams whose `health_checks` are `active`.
///
/// A future to be spawned by whoever owns the gateway, one for each process; it never ends. Dropping it stops all
/// checks, and what they have found out stays. Changes of the configuration are heeded at once; an upstream that has changed
/// is checked anew. Where there is nothing to check, it waits for a change and does nothing else.
///
/// Connections of the type `tcp` are made by Tokio, the requests of `http` and `grpc` by `transport`; those of `grpc` are of the
/// version HTTP/2. Requests have the [`Tls`] that provider keys want which name the upstream, where they want something: the
/// certificates of all of them are trusted, and none is verified if one of them verifies none.
///
/// `observers` are told what has become of replicas, by [`Observer::replica_turned`].
pub async fn checks(
    config: Config,
    transport: impl Transport,
    observers: impl IntoIterator<Item = Arc<dyn Observer>>,
) {
    let mut checks = Checks::new(Arc::new(transport), observers.into_iter().collect());
    loop {
        let snapshot = config.current();
        checks.become_those_of(&snapshot);
        let sequence = snapshot.sequence();
        drop(snapshot);
        select(pin!(config.changed_since(sequence)), pin!(checks.run())).await;
    }
}

/// Those that are under way.
struct Checks {
    transport: Arc<dyn Transport>,
    observers: Observers,
    /// By the ids of upstreams.
    known: HashMap<Arc<str>, Known>,
    running: FuturesUnordered<Abortable<BoxFuture<'static, ()>>>,
}

struct Known {
    pool: Arc<Pool>,
    tls: Option<Arc<Tls>>,
    stop: AbortHandle,
}

// === impl Checks ===

impl Checks {
    fn new(transport: Arc<dyn Transport>, observers: Observers) -> Self {
        Self {
            transport,
            observers,
            known: HashMap::new(),
            running: FuturesUnordered::new(),
        }
    }

    /// Goes on with them for ever.
    async fn run(&mut self) {
        while self.running.next().await.is_some() {}
        pending::<()>().await;
    }

    /// Stops those of upstreams that are gone or have changed, and begins those of new ones.
    fn become_those_of(&mut self, snapshot: &Snapshot) {
        let pools = snapshot.upstreams().filter(|pool| pool.active.is_some());
        let wanted = pools.map(|pool| (pool.id.clone(), (pool, snapshot.tls_of(&pool.id))));
        let mut wanted: HashMap<_, _> = wanted.collect();
        self.known.retain(|id, known| {
            let is_same = wanted
                .get(id)
                .is_some_and(|(pool, tls)| known.is(pool, *tls));
            if is_same {
                wanted.remove(id);
            } else {
                known.stop.abort();
            }
            is_same
        });
        for (id, (pool, tls)) in wanted {
            let (stop, registration) = AbortHandle::new_pair();
            let (pool, tls) = (pool.clone(), tls.cloned());
            let sender = Sender {
                transport: self.transport.clone(),
                tls: tls.clone(),
            };
            let watched: BoxFuture<'static, ()> =
                Box::pin(watched(pool.clone(), sender, self.observers.clone()));
            self.running.push(Abortable::new(watched, registration));
            self.known.insert(id, Known { pool, tls, stop });
        }
    }
}

// === impl Known ===

impl Known {
    fn is(&self, pool: &Arc<Pool>, tls: Option<&Arc<Tls>>) -> bool {
        Arc::ptr_eq(&self.pool, pool) && self.tls.as_ref().map(Arc::as_ptr) == tls.map(Arc::as_ptr)
    }
}

/// Checks the replicas of an upstream for ever, all at the same time.
async fn watched(pool: Arc<Pool>, sender: Sender, observers: Observers) {
    let Some(active) = &pool.active else {
        return;
    };
    let replicas = pool.replicas().iter();
    join_all(replicas.map(|replica| watch(replica, active, &sender, &observers))).await;
}
