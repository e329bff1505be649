//! A call that is under way at a target.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::time::Instant;

use super::{
    CircuitBreaker, Credential, Failure, HealthSettings, Reason, TargetState, Turn, Turns, Verdict,
    verdict::Cause,
};

/// A call that is under way at a target. Hold it until the reply's body has ended.
///
/// Dropped without a verdict, because the caller left, it counts neither as a success nor as a failure.
#[derive(Debug)]
#[must_use = "the call counts as under way for as long as this is held"]
pub struct InFlight {
    state: Arc<TargetState>,
    credential: Option<Arc<Credential>>,
    trial: Option<Trial>,
    began: Instant,
    head: Option<Duration>,
    has_token: bool,
}

/// A trial of a breaker that is half-open.
#[derive(Debug)]
struct Trial {
    epoch: u64,
    settings: CircuitBreaker,
}

// === impl InFlight ===

impl InFlight {
    pub(super) fn new(state: Arc<TargetState>, began: Instant) -> Self {
        Self {
            state,
            credential: None,
            trial: None,
            began,
            head: None,
            has_token: false,
        }
    }

    pub(super) fn with_trial(mut self, epoch: u64, settings: CircuitBreaker) -> Self {
        self.trial = Some(Trial { epoch, settings });
        self
    }

    /// Names the credential that the call goes out with: it is told whether it was accepted, and takes the blame
    /// where it was not.
    pub fn using(mut self, credential: &Arc<Credential>) -> Self {
        self.credential = Some(credential.clone());
        self
    }

    /// When the call began.
    pub fn began(&self) -> Instant {
        self.began
    }

    /// The upstream has answered with a success: its head is there, and as much of the answer as must be seen to
    /// know that it is one. A trial has succeeded by that, so that a long stream does not hold the breaker
    /// half-open; that may close it.
    pub fn head_received(&mut self, now: Instant) -> Option<Turn> {
        if self.head.is_some() {
            return None;
        }
        self.head = Some(now.saturating_duration_since(self.began));
        if let Some(credential) = &self.credential {
            credential.accepted();
        }
        self.trial_ended(now, false)
    }

    /// The first token of a stream is there.
    pub fn first_token(&mut self, now: Instant) {
        if !self.has_token {
            self.has_token = true;
            let time = now.saturating_duration_since(self.began);
            self.state.took(time, true);
        }
    }

    /// Nobody waits for the answer any more, because another call was faster. That counts neither as a success nor as a
    /// failure; the target is remembered to have taken longer than that, where that is longer than on average.
    pub fn overtaken(self, now: Instant, is_stream: bool) {
        if self.head.is_none() {
            let time = now.saturating_duration_since(self.began);
            self.state.took_longer_than(time, is_stream);
        }
    }

    /// The call has ended: its reply's body too, if there was one. Tells what that has brought about.
    pub fn ended(mut self, now: Instant, verdict: Verdict, settings: &HealthSettings) -> Turns {
        match verdict {
            Verdict::Success => {
                let closed = self.head_received(now);
                self.succeeded(now, settings);
                Turns::new(closed, None)
            }
            // The upstream works; what it was asked was wrong.
            Verdict::Failure(failure) if is_client_error(&failure, settings) => {
                let closed = self.trial_ended(now, false);
                self.succeeded(now, settings);
                Turns::new(closed, None)
            }
            Verdict::Failure(failure) => self.failed(now, &failure, settings),
            Verdict::Nothing => Turns::default(),
        }
    }

    /// Which trial this is, if it is one without an answer so far.
    #[cfg(test)]
    pub(super) fn trial_epoch(&self) -> Option<u64> {
        self.trial.as_ref().map(|trial| trial.epoch)
    }

    fn succeeded(&self, now: Instant, settings: &HealthSettings) {
        self.state.count(false);
        self.state.succeeded(self.began, now, settings);
    }

    fn failed(&mut self, now: Instant, failure: &Failure, settings: &HealthSettings) -> Turns {
        self.head = None;
        self.state.count(true);
        self.blame_credential(now, failure, settings)
            .unwrap_or_else(|| {
                let opened = self.trial_ended(now, true);
                let turns = self.state.failed(self.began, now, failure, settings);
                turns.or(opened)
            })
    }

    /// Has the credential take the blame for a failure, if it is to be benched for it.
    fn blame_credential(
        &self,
        now: Instant,
        failure: &Failure,
        settings: &HealthSettings,
    ) -> Option<Turns> {
        let credential = self.credential.as_ref()?;
        let is_at_fault = failure.reason() == Reason::UpstreamAuthFailure;
        let credential = is_at_fault.then_some(credential)?;
        credential.refused(now, failure, &settings.cooldown)
    }

    fn trial_ended(&mut self, now: Instant, is_failure: bool) -> Option<Turn> {
        let Trial { epoch, settings } = self.trial.take()?;
        self.state.trial_ended(epoch, now, is_failure, &settings)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.state.ended();
        if let Some(trial) = self.trial.take() {
            self.state.trial_given_back(trial.epoch);
        }
        // The time to the head of a stream says nothing about answers.
        if let Some(time) = self.head.filter(|_| !self.has_token) {
            self.state.took(time, false);
        }
    }
}

/// Whether a failure is a 4xx that the settings do not name.
fn is_client_error(failure: &Failure, settings: &HealthSettings) -> bool {
    let is_4xx = |status: StatusCode| status.is_client_error();
    matches!(failure.cause, Cause::Status(status) if is_4xx(status))
        && !settings.cooldown.is_triggered_by(failure)
}
