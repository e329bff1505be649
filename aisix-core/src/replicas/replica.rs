//! One of the places of an upstream.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    balance::{
        Standing,
        health::{HealthReport, HealthSettings, TargetState},
    },
    config::resource::Headers,
};

/// One of the places of an upstream.
pub struct Replica {
    /// The name of the upstream.
    pub(crate) upstream: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) base_url: String,
    /// Set on each request.
    pub(crate) headers: Headers,
    /// What is remembered of it.
    pub(crate) state: Arc<TargetState>,
    pub(crate) health: HealthSettings,
}

// === impl Replica ===

impl Replica {
    /// The name of the upstream that it belongs to.
    pub fn upstream(&self) -> &Arc<str> {
        &self.upstream
    }

    /// What it is called: its id, or where it is, such as `10.0.0.1:8000/v1`.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// How many requests are under way there.
    pub fn in_flight(&self) -> u32 {
        self.state.in_flight()
    }

    /// How it fares. `wall` is the time of the day at `now`.
    pub fn report(&self, now: Instant, wall: Timestamp) -> HealthReport {
        self.state.report(now, wall, &self.health, None)
    }

    /// How it stands for a request.
    pub(super) fn standing(&self, now: Instant) -> Standing {
        Standing::of(&self.state, &self.health, now)
    }
}

impl fmt::Debug for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replica")
            .field("upstream", &self.upstream)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
