//! An observer that remembers.

use std::{sync::Arc, time::Duration};

use aisix_wire::Usage;
use http::StatusCode;
use parking_lot::Mutex;

use crate::{
    balance::health::Turn,
    call::{AttemptRecord, Trail},
    error::ErrorKind,
    observe::{HealthTurn, Observer, ReplicaTurn},
    reply::{End, Outcome},
};

/// Remembers how requests ended. Clones share what they remember.
#[derive(Clone, Debug, Default)]
pub struct Endings(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    started: usize,
    attempts: Vec<AttemptRecord>,
    turns: Vec<(String, Turn)>,
    replica_turns: Vec<(String, Turn)>,
    endings: Vec<Ending>,
}

/// How one request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// `success`, `refused`, `failed` or `cancelled`.
    pub word: &'static str,
    /// The kind of the error, if there was one.
    pub error: Option<ErrorKind>,
    /// The status, if one was sent.
    pub status: Option<StatusCode>,
    /// The tokens, if they are known.
    pub usage: Option<Usage>,
    /// Whether the tokens are an estimate.
    pub estimated: bool,
    /// How long the first token took, if one was seen.
    pub first_token: Option<Duration>,
}

// === impl Endings ===

impl Endings {
    /// Remembers nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many requests have started.
    pub fn started(&self) -> usize {
        self.0.lock().started
    }

    /// The attempts so far: why they failed, or `None`.
    pub fn attempts(&self) -> Vec<Option<ErrorKind>> {
        let seen = self.0.lock();
        seen.attempts.iter().map(|attempt| attempt.error).collect()
    }

    /// All that was told of the attempts so far.
    pub fn records(&self) -> Vec<AttemptRecord> {
        self.0.lock().attempts.clone()
    }

    /// What has happened to the health of targets so far, with the names of their models.
    pub fn turns(&self) -> Vec<(String, Turn)> {
        self.0.lock().turns.clone()
    }

    /// What has happened to the health of replicas so far, with their names.
    pub fn replica_turns(&self) -> Vec<(String, Turn)> {
        self.0.lock().replica_turns.clone()
    }

    /// How many of the attempts were abandoned.
    pub fn abandoned(&self) -> usize {
        let seen = self.0.lock();
        let abandoned = seen.attempts.iter().filter(|it| it.abandoned);
        abandoned.count()
    }

    /// The endings so far.
    pub fn all(&self) -> Vec<Ending> {
        self.0.lock().endings.clone()
    }

    /// The only ending.
    ///
    /// # Panics
    ///
    /// When there is none, or more than one.
    pub fn only(&self) -> Ending {
        let mut all = self.all();
        assert_eq!(all.len(), 1, "exactly one request has ended: {all:?}");
        all.remove(0)
    }
}

impl Observer for Endings {
    fn started(&self, _: &Trail) {
        self.0.lock().started += 1;
    }

    fn attempt_ended(&self, _: &Trail, attempt: &AttemptRecord) {
        self.0.lock().attempts.push(attempt.clone());
    }

    fn health_turned(&self, _: &Trail, told: &HealthTurn<'_>) {
        let turn = (told.model.name().to_string(), told.turn);
        self.0.lock().turns.push(turn);
    }

    fn replica_turned(&self, told: &ReplicaTurn<'_>) {
        let turn = (told.replica.name().to_string(), told.turn);
        self.0.lock().replica_turns.push(turn);
    }

    fn ended(&self, _: &Trail, outcome: &Outcome<'_>) {
        let error = match outcome.end {
            End::Refused(error) | End::Failed(error) => Some(error.kind()),
            End::Complete | End::Cancelled => None,
        };
        self.0.lock().endings.push(Ending {
            word: outcome.word(),
            error,
            status: outcome.status,
            usage: outcome.usage,
            estimated: outcome.usage_estimated,
            first_token: outcome.first_token,
        });
    }
}
