//! Ending a stream early, with an error that is told inside of it.

use std::fmt;

use aisix_wire::{Dialect, openai::responses, sse, write_error_event};
use bytes::Bytes;

use super::SharedProgress;
use crate::{edge, error::Error};

/// How a hook ends a stream before its time: with an event that tells the client an error, and for a reply that
/// counts as failed. It comes from [`Reply::ending`](super::Reply::ending).
pub struct Ending {
    dialect: Dialect,
    progress: SharedProgress,
    /// The last event that had data, where the one that tells the error has to have the next number.
    last: Option<sse::Event>,
}

// === impl Ending ===

impl Ending {
    pub(crate) fn new(dialect: Dialect, progress: SharedProgress) -> Self {
        Self {
            dialect,
            progress,
            last: None,
        }
    }

    /// The caller's dialect.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Takes note of an event that is handed over. It costs next to nothing.
    pub fn pass(&mut self, event: &sse::Event) {
        if self.dialect == Dialect::Responses && event.data().is_some() {
            self.last = Some(event.clone());
        }
    }

    /// The event that tells the error in the caller's dialect. It is the last one: the reply has failed, also when
    /// the client leaves as soon as it has read it.
    pub fn fail(&mut self, error: Error) -> Option<sse::Event> {
        let told = self.tell(&error);
        self.progress.update(|state| {
            state.failure = Some(error);
            state.complete = true;
        });
        let mut decoder = sse::Decoder::new(usize::MAX);
        decoder.push(told);
        decoder.next().ok().flatten()
    }

    fn tell(&self, error: &Error) -> Bytes {
        let said = edge::error_body(error);
        let Some(last) = &self.last else {
            return write_error_event(self.dialect, &said);
        };
        let mut numbers = responses::Meter::new();
        numbers.observe(last.name(), &last.data().unwrap_or_default());
        numbers.fail(&said)
    }
}

impl fmt::Debug for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ending")
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}
