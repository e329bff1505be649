//! Telling what becomes of the health of those who are tried.

use std::sync::Arc;

use crate::{
    balance::health::Turn,
    call::{Attempt, Trail},
    models::{Model, Target, health},
    observe::HealthTurn,
    replicas::Replica,
};

/// Tells the log and the observers what has happened to the health of one who was tried.
pub(super) struct Tell {
    trail: Trail,
    model: Arc<Model>,
    pub(super) target: Arc<Target>,
}

// === impl Tell ===

impl Tell {
    pub(super) fn of(attempt: &Attempt) -> Self {
        Self {
            trail: attempt.call.trail().clone(),
            model: attempt.model.clone(),
            target: attempt.target.clone(),
        }
    }

    pub(super) fn replica_turns(
        &self,
        replica: &Arc<Replica>,
        turns: impl IntoIterator<Item = Turn>,
    ) {
        for turn in turns {
            self.trail.note_replica(replica, turn);
        }
    }

    pub(super) fn turns(&self, turns: impl IntoIterator<Item = Turn>) {
        let Self { model, target, .. } = self;
        for turn in turns {
            health::log(model.name(), target.key(), turn);
            let told = HealthTurn {
                model,
                target,
                turn,
            };
            self.trail.note_health(&told);
        }
    }
}
