//! The ways of a model to the replicas of an upstream.

use std::sync::Arc;

use tokio::time::Instant;

use super::Pool;
use crate::{
    balance::{
        Facts,
        health::{Fitness, InFlight, TargetState},
    },
    models::{Deadlines, Target},
};

/// The ways of a model to the replicas of an upstream: a target for each, compiled like any other.
pub(crate) struct Ways {
    pool: Arc<Pool>,
    /// At the positions of the replicas in the pool.
    targets: Box<[Arc<Target>]>,
}

// === impl Ways ===

impl Ways {
    /// Those to the replicas of `pool`, a target for each.
    pub(crate) fn new(pool: Arc<Pool>, targets: Box<[Arc<Target>]>) -> Self {
        Self { pool, targets }
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Takes a replica for an attempt: one that has not `failed` in this call, if there is one.
    pub(crate) fn take(
        &self,
        facts: &Facts<'_>,
        failed: &[Arc<TargetState>],
        now: Instant,
    ) -> Option<(Arc<Target>, InFlight)> {
        let order = self.pool.order(facts, failed, now);
        order.iter().find_map(|place| {
            let replica = &self.pool.replicas()[*place];
            let in_flight = replica.state.admit(now, &replica.health)?;
            Some((self.targets[*place].clone(), in_flight))
        })
    }

    /// Whether there is a replica that may take an attempt and has not `failed` in this call.
    pub(crate) fn has_other(&self, failed: &[Arc<TargetState>], now: Instant) -> bool {
        self.pool.has_other(failed, now)
    }

    /// What can be expected of the best of them.
    pub(crate) fn fitness(&self, now: Instant) -> Fitness {
        self.pool.fitness(now)
    }

    /// The same ways with other deadlines.
    pub(crate) fn with_deadlines(&self, deadlines: Deadlines) -> Self {
        let targets = self.targets.iter();
        let targets = targets.map(|target| {
            let target = Target::clone(target);
            Arc::new(Target {
                deadlines,
                ..target
            })
        });
        Self {
            pool: self.pool.clone(),
            targets: targets.collect(),
        }
    }
}
