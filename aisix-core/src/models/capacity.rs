//! How many calls a target takes at a time.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    balance::health::{Adaptive, AdaptiveLimit, NoSlot, Place, Slot, SlotLimits, Slots, Verdict},
    config::{
        States,
        resource::{AdaptiveConcurrency, Direct, MaxConnections},
    },
    error::Error,
};

/// How many calls a target takes at a time: so many and a queue, or as many as it turns out that it can take, or both.
#[derive(Clone)]
pub(crate) struct Capacity {
    slots: Option<(Arc<Slots>, SlotLimits)>,
    adaptive: Option<(Arc<AdaptiveLimit>, Adaptive)>,
}

/// The place of a call, given back when dropped.
#[must_use = "the place is given back when this is dropped"]
pub(crate) struct Seat {
    _slot: Option<Slot>,
    place: Option<(Place, Adaptive)>,
}

// === impl Capacity ===

impl Capacity {
    /// That of the model with this id; `None` if it takes any number.
    pub(crate) fn of(direct: &Direct, id: &str, states: &States) -> Option<Self> {
        let adaptive = direct.adaptive_concurrency.filter(|it| it.enabled);
        if direct.max_connections.is_none() && adaptive.is_none() {
            return None;
        }
        let slots = |limits: MaxConnections| {
            let limits = SlotLimits {
                max_connections: limits.limit,
                max_queue: limits.queue,
                queue_timeout: Duration::from_millis(limits.queue_timeout_ms),
            };
            (states.state(&format!("slots:{id}"), Slots::new), limits)
        };
        let adaptive = adaptive.map(|settings: AdaptiveConcurrency| {
            let limit = states.state(&format!("adaptive:{id}"), AdaptiveLimit::new);
            let settings = Adaptive {
                max: settings.max,
                latency_factor: settings.latency_factor,
            };
            (limit, settings)
        });
        Some(Self {
            slots: direct.max_connections.map(slots),
            adaptive,
        })
    }

    /// Takes a place for a call, after a while in the queue if it may wait, but not beyond `end`.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub(crate) async fn take(&self, may_wait: bool, end: Option<Instant>) -> Result<Seat, Error> {
        let now = Instant::now();
        let slot = match &self.slots {
            None => None,
            Some((slots, limits)) => {
                let mut limits = *limits;
                if !may_wait {
                    limits.max_queue = 0;
                }
                if let Some(end) = end {
                    let left = end.saturating_duration_since(now);
                    limits.queue_timeout = limits.queue_timeout.min(left);
                }
                Some(slots.acquire(now, &limits).await?)
            }
        };
        let place = match &self.adaptive {
            None => None,
            Some((limit, settings)) => {
                let place = limit.admit(Instant::now(), settings);
                Some((place.ok_or(NoSlot::QueueFull)?, *settings))
            }
        };
        Ok(Seat { _slot: slot, place })
    }
}

// === impl Seat ===

impl Seat {
    /// The call has ended. `latency` is the time to its answer, if it had one.
    pub(crate) fn ended(self, verdict: &Verdict, latency: Option<Duration>) {
        if let Some((place, settings)) = self.place {
            place.ended(Instant::now(), verdict, latency, &settings);
        }
    }
}
