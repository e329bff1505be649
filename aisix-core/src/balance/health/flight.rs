//! A call that is under way at a target.

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::time::Instant;

use super::{
    CircuitBreaker, Credential, Failure, HealthSettings, Reason, TargetState, Verdict,
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
    /// half-open.
    pub fn head_received(&mut self, now: Instant) {
        if self.head.is_none() {
            self.head = Some(now.saturating_duration_since(self.began));
            self.answered(now);
        }
    }

    /// The first token of a stream is there.
    pub fn first_token(&mut self, now: Instant) {
        if !self.has_token {
            self.has_token = true;
            let time = now.saturating_duration_since(self.began);
            self.state.first_token.add(time);
        }
    }

    /// The call has ended: its reply's body too, if there was one.
    pub fn ended(mut self, now: Instant, verdict: Verdict, settings: &HealthSettings) {
        match verdict {
            Verdict::Success => {
                self.head_received(now);
                self.state.succeeded(self.began, now, settings);
            }
            // The upstream works; what it was asked was wrong.
            Verdict::Failure(failure) if is_client_error(&failure, settings) => {
                self.trial_ended(now, false);
                self.state.succeeded(self.began, now, settings);
            }
            Verdict::Failure(failure) => {
                self.head = None;
                if !self.is_fault_of_credential(now, &failure, settings) {
                    self.trial_ended(now, true);
                    self.state.failed(self.began, now, &failure, settings);
                }
            }
            Verdict::Nothing => {}
        }
    }

    /// Which trial this is, if it is one without an answer so far.
    #[cfg(test)]
    pub(super) fn trial_epoch(&self) -> Option<u64> {
        self.trial.as_ref().map(|trial| trial.epoch)
    }

    /// Whether the credential takes the blame for a failure, and is benched.
    fn is_fault_of_credential(
        &self,
        now: Instant,
        failure: &Failure,
        settings: &HealthSettings,
    ) -> bool {
        match &self.credential {
            Some(credential) if failure.reason() == Reason::UpstreamAuthFailure => {
                credential.refused(now, failure, &settings.cooldown)
            }
            _ => false,
        }
    }

    fn answered(&mut self, now: Instant) {
        if let Some(credential) = &self.credential {
            credential.accepted();
        }
        self.trial_ended(now, false);
    }

    fn trial_ended(&mut self, now: Instant, is_failure: bool) {
        if let Some(Trial { epoch, settings }) = self.trial.take() {
            self.state.trial_ended(epoch, now, is_failure, &settings);
        }
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
            self.state.latency.add(time);
        }
    }
}

/// Whether a failure is a 4xx that the settings do not name.
fn is_client_error(failure: &Failure, settings: &HealthSettings) -> bool {
    let is_4xx = |status: StatusCode| status.is_client_error();
    matches!(failure.cause, Cause::Status(status) if is_4xx(status))
        && !settings.cooldown.is_triggered_by(failure)
}
