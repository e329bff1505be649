//! Two attempts of which the faster one counts.

use std::sync::{Arc, OnceLock};

use tokio::sync::Notify;

/// What the attempts of a call know of each other that are made at the same time, so that the faster one counts. Shared
/// by its clones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Race(Arc<State>);

#[derive(Debug, Default)]
struct State {
    silence: Notify,
    lost: OnceLock<u64>,
}

// === impl Race ===

impl Race {
    /// A stream has a head and is silent for as long as a client may be left without a word.
    pub(crate) fn silent(&self) {
        self.0.silence.notify_one();
    }

    /// Waits until one is.
    pub(crate) async fn silence(&self) {
        self.0.silence.notified().await;
    }

    /// One has answered: the other has lost, and its upstream has read so many tokens.
    pub(crate) fn decide(&self, tokens: u64) {
        let _ = self.0.lost.set(tokens);
    }

    /// The tokens that the upstream of whoever has not answered has read; `None` while nobody has answered.
    pub(crate) fn lost(&self) -> Option<u64> {
        self.0.lost.get().copied()
    }
}
