//! What a streamed body has learnt so far, shared with the reply's end.

use std::{sync::Arc, time::Instant};

use aisix_wire::Usage;
use parking_lot::Mutex;

use crate::error::Error;

/// Facts that are known only while a body is under way.
#[derive(Default)]
pub(crate) struct Progress(Mutex<State>);

#[derive(Default)]
pub(crate) struct State {
    pub(crate) usage: Option<Usage>,
    pub(crate) usage_estimated: bool,
    pub(crate) first_token: Option<Instant>,
    /// Set when everything was handed over before the body was dropped.
    pub(crate) complete: bool,
    /// Set when the stream broke in a way that was told inside it.
    pub(crate) failure: Option<Error>,
}

pub(crate) type SharedProgress = Arc<Progress>;

// === impl Progress ===

impl Progress {
    pub(crate) fn shared() -> SharedProgress {
        Arc::default()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock());
    }

    /// What is known at the end. The usage stays, for those who look later.
    pub(crate) fn take(&self) -> State {
        let mut state = self.0.lock();
        let (usage, usage_estimated) = (state.usage, state.usage_estimated);
        let rest = State {
            usage,
            usage_estimated,
            ..State::default()
        };
        std::mem::replace(&mut state, rest)
    }

    /// The tokens that the upstream has told.
    pub(crate) fn usage(&self) -> Option<Usage> {
        let state = self.0.lock();
        state.usage.filter(|_| !state.usage_estimated)
    }
}
