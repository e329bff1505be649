//! When to stop.

use tokio::sync::watch;

/// The switch that stops a server. Clones are the same switch.
///
/// The first [`request`](Self::request) drains, the second ends at once.
#[derive(Clone, Debug)]
pub(crate) struct Shutdown(watch::Sender<Phase>);

/// How far the end is. Goes forward only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Not everybody is ready.
    Starting,
    /// Everything is served.
    Serving,
    /// Everything is served, and the probes say that we are going.
    Draining,
    /// No new connections; what was begun is finished.
    Closing,
    /// Nothing is finished.
    Killed,
}

// === impl Shutdown ===

impl Shutdown {
    /// A switch that is off.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Phase::Starting))
    }

    /// Begins to drain; when asked again, or before anything was served, ends at once.
    pub(crate) fn request(&self) {
        self.0.send_modify(|phase| {
            *phase = match phase {
                Phase::Serving => Phase::Draining,
                _ => Phase::Killed,
            };
        });
    }

    /// Waits until it begins to drain.
    pub(crate) async fn begun(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Goes forward to `to`; never back.
    pub(super) fn advance(&self, to: Phase) {
        self.0.send_if_modified(|phase| {
            let forward = *phase < to;
            *phase = to.max(*phase);
            forward
        });
    }

    /// Waits for `phase` or a later one, which it returns.
    pub(super) async fn reached(&self, phase: Phase) -> Phase {
        let mut phases = self.0.subscribe();
        let reached = phases.wait_for(|now| *now >= phase).await;
        *reached.expect("this handle holds a sender")
    }
}
