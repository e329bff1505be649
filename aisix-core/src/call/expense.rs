//! What a call has cost so far.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU64, Ordering},
};

use crate::limit::Settlement;

/// What a call has cost so far, shared by its clones. It only grows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expense(Arc<Spent>);

#[derive(Debug, Default)]
struct Spent {
    what: AtomicU8,
    tokens: AtomicU64,
}

/// It was answered without an upstream: a request, and no tokens.
const REQUEST: u8 = 1;
/// Something was sent to an upstream: a request, and the tokens that it used.
const TOKENS: u8 = 2;

// === impl Expense ===

impl Expense {
    /// The call is answered without an upstream.
    pub(crate) fn answered(&self) {
        self.0.what.fetch_max(REQUEST, Ordering::Relaxed);
    }

    /// Something is sent to an upstream.
    pub(crate) fn attempted(&self) {
        self.0.what.fetch_max(TOKENS, Ordering::Relaxed);
    }

    /// So many tokens were used by now, whatever becomes of the call.
    pub(crate) fn used(&self, tokens: u64) {
        self.0.tokens.fetch_max(tokens, Ordering::Relaxed);
    }

    /// Whether something was sent to an upstream.
    pub(crate) fn was_attempted(&self) -> bool {
        self.0.what.load(Ordering::Relaxed) == TOKENS
    }

    /// How the call is counted, if its answer used `tokens`.
    pub(crate) fn settlement(&self, tokens: u64) -> Settlement {
        match self.0.what.load(Ordering::Relaxed) {
            TOKENS => Settlement::Used(tokens.max(self.0.tokens.load(Ordering::Relaxed))),
            REQUEST => Settlement::Used(0),
            _ => Settlement::Unused,
        }
    }
}
