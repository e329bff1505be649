//! Telling everybody that this gateway is going away.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A switch shared by all workers: once begun, the probes answer 503, and requests are still served.
#[derive(Clone, Debug, Default)]
pub struct Drain(Arc<AtomicBool>);

// === impl Drain ===

impl Drain {
    /// A switch that is off.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that the gateway is going away. Cannot be undone.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the gateway is going away.
    pub fn is_draining(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
