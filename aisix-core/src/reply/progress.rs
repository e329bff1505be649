//! What a streamed body has learnt so far, shared with the reply's end.

use std::{sync::Arc, time::Instant};

use aisix_wire::Usage;
use parking_lot::Mutex;

use super::{End, Outcome};
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
    /// Whether it is a stream that has begun without anything being said.
    pub(crate) is_silent: bool,
    /// Who stands behind it.
    pub(crate) behind: Behind,
}

/// Who stands behind a stream: whether it hands its failure over, as the error of its body, or tells the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Nobody.
    #[default]
    Nobody,
    /// Somebody, as long as nothing has been said.
    UntilContent,
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

    /// Adds what is known at the end of a part of the body, whose request began at `began`.
    pub(super) fn add(&self, part: &Outcome<'_>, began: Instant) {
        let mut state = self.0.lock();
        if let Some(usage) = part.usage {
            state.usage = Some(state.usage.unwrap_or_default() + usage);
            state.usage_estimated |= part.usage_estimated;
        }
        let first_token = part.first_token.map(|after| began + after);
        state.first_token = state.first_token.or(first_token);
        match part.end {
            End::Complete => state.complete = true,
            End::Failed(error) => state.failure = Some(error.duplicate()),
            End::Refused(_) | End::Cancelled => {}
        }
    }

    /// Whether it is a stream that has begun without anything being said.
    pub(super) fn is_silent(&self) -> bool {
        self.0.lock().is_silent
    }

    /// Who stands behind it.
    pub(crate) fn behind(&self) -> Behind {
        self.0.lock().behind
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
