//! What has happened to the health of a target.

use std::sync::Arc;

use crate::{
    balance::health::Turn,
    models::{Model, Target},
    replicas::Replica,
};

/// What a request has brought about in the health of a target. Cooldowns that are over by themselves are not told.
#[derive(Clone, Copy, Debug)]
pub struct HealthTurn<'a> {
    /// The model whose target it is: one that is served itself.
    pub model: &'a Arc<Model>,
    /// The target.
    pub target: &'a Arc<Target>,
    /// What has happened.
    pub turn: Turn,
}

/// What a request, or a check in the background, has brought about in the health of a replica. Cooldowns that are over by
/// themselves are not told.
#[derive(Clone, Copy, Debug)]
pub struct ReplicaTurn<'a> {
    /// The replica.
    pub replica: &'a Arc<Replica>,
    /// What has happened.
    pub turn: Turn,
}
