//! What is told of an attempt when it ends.

use std::time::Duration;

use aisix_wire::Usage;
use tokio::time::Instant;

use crate::{
    call::{Attempt, AttemptRecord, Expense, Race, Trail},
    error::Error,
    reply::{End, Outcome, Reply},
};

/// Tells of an attempt once, also when it is dropped.
pub(super) struct Recording {
    trail: Trail,
    started: Instant,
    record: Option<AttemptRecord>,
    /// Of an attempt that is made beside another one, what it has cost.
    race: Option<(Race, Expense)>,
}

// === impl Recording ===

impl Recording {
    pub(super) fn new(attempt: &Attempt) -> Self {
        Self {
            trail: attempt.call.trail().clone(),
            started: attempt.started,
            record: Some(AttemptRecord::new(attempt)),
            race: attempt
                .race
                .clone()
                .map(|race| (race, attempt.expense.clone())),
        }
    }

    pub(super) fn record(&mut self) -> &mut AttemptRecord {
        self.record.as_mut().expect("taken only at the end")
    }

    /// The attempt has failed.
    pub(super) fn failed(mut self, error: &Error) {
        self.record().latency = self.started.elapsed();
        self.tell(|record| record.error = Some(error.kind()));
    }

    /// The attempt has an answer, and ends with it.
    pub(super) fn answered(mut self, reply: &mut Reply) {
        self.record().latency = self.started.elapsed();
        reply.on_end(move |outcome| self.ended(outcome));
    }

    fn ended(mut self, outcome: &Outcome<'_>) {
        // The outcome's clock may have begun with the request.
        let now = self.started.elapsed();
        let first_token = |since_begin: Duration| {
            let since_first_token = outcome.elapsed.saturating_sub(since_begin);
            now.saturating_sub(since_first_token)
        };
        self.tell(|record| {
            record.first_token = outcome.first_token.map(first_token);
            record.usage = outcome.usage;
            record.usage_estimated = outcome.usage_estimated;
            if let End::Failed(error) = outcome.end {
                record.error = Some(error.kind());
            }
        });
    }

    fn tell(&mut self, complete: impl FnOnce(&mut AttemptRecord)) {
        if let Some(mut record) = self.record.take() {
            complete(&mut record);
            self.trail.push_attempt(record);
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let waited = self.started.elapsed();
        let sent = self
            .race
            .take()
            .filter(|(_, expense)| expense.was_attempted());
        let read = sent.and_then(|(race, _)| race.lost());
        self.tell(|record| {
            record.latency = waited;
            record.abandoned = true;
            record.usage = read.map(|input| Usage {
                input,
                ..Usage::default()
            });
            record.usage_estimated = read.is_some();
        });
    }
}
