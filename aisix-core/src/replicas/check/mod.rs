//! Checks in the background: the replicas of upstreams that want it are asked now and then.

mod http;
mod probe;
mod tcp;

use std::{collections::HashMap, future::pending, pin::pin, sync::Arc};

use futures_util::{
    StreamExt,
    future::{AbortHandle, Abortable, BoxFuture, join_all, select},
    stream::FuturesUnordered,
};

use self::probe::watch;
use super::Pool;
use crate::{config::Config, upstream::Transport};

/// Checks the replicas of all upstreams whose `health_checks` are `active`.
///
/// A future to be spawned by whoever owns the gateway, one for each process; it never ends. Dropping it stops all
/// checks, and what they have found out stays. Changes of the configuration are heeded at once; an upstream that has changed
/// is checked anew. Where there is nothing to check, it waits for a change and does nothing else.
///
/// Certificates are verified in the usual way, whatever a provider key says. Connections of the type `tcp` are made by
/// Tokio, the requests of `http` by `transport`.
pub async fn checks(config: Config, transport: impl Transport) {
    let mut checks = Checks::new(Arc::new(transport));
    loop {
        let snapshot = config.current();
        checks.become_those_of(snapshot.upstreams());
        let sequence = snapshot.sequence();
        drop(snapshot);
        select(pin!(config.changed_since(sequence)), pin!(checks.run())).await;
    }
}

/// Those that are under way.
struct Checks {
    transport: Arc<dyn Transport>,
    /// By the ids of upstreams.
    known: HashMap<Arc<str>, Known>,
    running: FuturesUnordered<Abortable<BoxFuture<'static, ()>>>,
}

struct Known {
    pool: Arc<Pool>,
    stop: AbortHandle,
}

// === impl Checks ===

impl Checks {
    fn new(transport: Arc<dyn Transport>) -> Self {
        Self {
            transport,
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
    fn become_those_of<'p>(&mut self, pools: impl Iterator<Item = &'p Arc<Pool>>) {
        let pools = pools.filter(|pool| pool.active.is_some());
        let mut wanted: HashMap<_, _> = pools.map(|pool| (pool.id.clone(), pool)).collect();
        self.known.retain(|id, known| {
            let is_same = wanted
                .get(id)
                .is_some_and(|it| Arc::ptr_eq(it, &known.pool));
            if is_same {
                wanted.remove(id);
            } else {
                known.stop.abort();
            }
            is_same
        });
        for (id, pool) in wanted {
            let (stop, registration) = AbortHandle::new_pair();
            let watched = watched(pool.clone(), self.transport.clone());
            let watched: BoxFuture<'static, ()> = Box::pin(watched);
            self.running.push(Abortable::new(watched, registration));
            let pool = pool.clone();
            self.known.insert(id, Known { pool, stop });
        }
    }
}

/// Checks the replicas of an upstream for ever, all at the same time.
async fn watched(pool: Arc<Pool>, transport: Arc<dyn Transport>) {
    let Some(active) = &pool.active else {
        return;
    };
    let replicas = pool.replicas().iter();
    join_all(replicas.map(|replica| watch(replica, active, transport.as_ref()))).await;
}
