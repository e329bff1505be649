//! What tells the requests of one bundle from those of another, cheaply.

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use aisix_core::{call::Caller, observe::reported_status};

use super::{bundle::Scope, client::ClientType};

/// Equal keys have equal labels.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// [`Model::serial`](aisix_core::models::Model::serial), or 0.
    model: u64,
    /// The address of the last attempt's target, or 0. The bundle keeps it from being used again.
    target: usize,
    caller: Identity,
    route: Option<&'static str>,
    client: ClientType,
    status: u16,
    outcome: &'static str,
    streams: bool,
    is_fallback: bool,
}

/// A caller by what its labels say: an embedder may make a new one for each request.
#[derive(Clone)]
struct Identity(Option<Arc<Caller>>);

// === impl Key ===

impl Key {
    pub(super) fn new(scope: &Scope<'_>, client: ClientType) -> Self {
        let (trail, outcome) = (scope.trail, scope.outcome);
        Self {
            model: trail.model().map_or(0, |model| model.serial()),
            target: scope.attempts.target,
            caller: Identity(trail.caller().cloned()),
            route: trail.route(),
            client,
            status: reported_status(outcome),
            outcome: outcome.word(),
            streams: trail.streams(),
            is_fallback: scope.is_fallback(),
        }
    }
}

// === impl Identity ===

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(two)) => {
                Arc::ptr_eq(one, two)
                    || (one.id() == two.id()
                        && one.team_id() == two.team_id()
                        && one.user_id() == two.user_id()
                        && one.user_name() == two.user_name())
            }
            _ => false,
        }
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_ref().map(|caller| caller.id()).hash(state);
    }
}
