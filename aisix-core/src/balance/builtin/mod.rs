//! The strategies that are built in.

mod consistent_hash;
mod failover;
mod least_busy;
mod least_cost;
mod least_latency;
mod power_of_two;
mod random;
mod round_robin;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(super) use self::consistent_hash::Ring;
pub(crate) use self::consistent_hash::hash;

use super::Strategy;

/// The order of declaration.
pub(super) fn failover() -> Arc<dyn Strategy> {
    Arc::new(failover::Failover)
}

/// All of them.
pub(super) fn all() -> [Arc<dyn Strategy>; 8] {
    [
        Arc::new(consistent_hash::ConsistentHash),
        Arc::new(failover::Failover),
        Arc::new(least_busy::LeastBusy),
        Arc::new(least_cost::LeastCost),
        Arc::new(least_latency::LeastLatency),
        Arc::new(power_of_two::PowerOfTwo),
        Arc::new(random::ByLot),
        Arc::new(round_robin::RoundRobin),
    ]
}
