//! An upstream, compiled.

use std::{fmt, sync::Arc};

use smallvec::SmallVec;
use tokio::time::Instant;

use super::Replica;
use crate::{
    balance::{
        Facts, Group, Order, Plan, Random, Standing,
        health::{Fitness, TargetState},
    },
    config::resource::{ActiveCheck, Headers},
};

/// An upstream, compiled: its replicas, and what puts them in order.
pub struct Pool {
    pub(crate) id: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) group: Group,
    /// At their positions in the group.
    pub(crate) replicas: Box<[Arc<Replica>]>,
    /// How they are checked in the background, if they are.
    pub(crate) active: Option<Active>,
}

/// How replicas are checked in the background.
pub(crate) struct Active {
    pub(crate) check: ActiveCheck,
    pub(crate) path: String,
    /// Headers besides those of the check.
    pub(crate) headers: Headers,
}

// === impl Pool ===

impl Pool {
    /// The resource's id.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The replicas, in the order of their declaration.
    pub fn replicas(&self) -> &[Arc<Replica>] {
        &self.replicas
    }

    /// The positions of those that may take a request, best first; those that have `failed` in this call last.
    pub(super) fn order(
        &self,
        facts: &Facts<'_>,
        failed: &[Arc<TargetState>],
        now: Instant,
    ) -> Order {
        let standings: SmallVec<[Standing; 8]> =
            self.replicas.iter().map(|it| it.standing(now)).collect();
        let Plan::Try(order) = self.group.plan(facts, &standings, &mut Random::new()) else {
            return Order::new();
        };
        let is_fresh = |place: &&usize| !has_failed(&self.replicas[**place], failed);
        let fresh = order.iter().filter(is_fresh);
        let others = order.iter().filter(|place| !is_fresh(place));
        fresh.chain(others).copied().collect()
    }

    /// Whether there is one that may take a request and has not `failed` in this call.
    pub(super) fn has_other(&self, failed: &[Arc<TargetState>], now: Instant) -> bool {
        let mut replicas = self.replicas.iter();
        replicas.any(|replica| {
            let fitness = replica.state.fitness(now, &replica.health);
            !has_failed(replica, failed) && !matches!(fitness, Fitness::Unfit { .. })
        })
    }

    /// What can be expected of all of them together: what can be of the best.
    pub(crate) fn fitness(&self, now: Instant) -> Fitness {
        let replicas = self.replicas.iter();
        let all = replicas.map(|replica| replica.state.fitness(now, &replica.health));
        let rank = |fitness: &Fitness| match fitness {
            Fitness::Fit => (0, None),
            Fitness::Cooling { until, .. } => (1, Some(*until)),
            // Whoever may come back comes before those that are switched off.
            Fitness::Unfit { since, until, .. } => (3 - u8::from(since.is_some()), *until),
        };
        // There is at least one.
        all.min_by_key(rank).unwrap_or(Fitness::Fit)
    }
}

fn has_failed(replica: &Replica, failed: &[Arc<TargetState>]) -> bool {
    let mut failed = failed.iter();
    failed.any(|failed| Arc::ptr_eq(failed, &replica.state))
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("replicas", &self.replicas)
            .finish_non_exhaustive()
    }
}
