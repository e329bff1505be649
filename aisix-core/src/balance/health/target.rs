//! What is remembered of a target.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    Check, CircuitBreaker, Credential, Failure, Fitness, HealthReport, HealthSettings, InFlight,
    Reason, Turn, Turns,
    average::Average,
    breaker::{Admission, Breaker},
    check::Checked,
    cooldown::Cooling,
};

/// What is remembered of one target, see the [module](super).
///
/// Keep it in [`config::States`](crate::config::States) under what stays the same while the target does. One that
/// is never told anything is well.
pub struct TargetState {
    in_flight: AtomicU32,
    /// Failures since the last success.
    failures: AtomicU32,
    pub(super) latency: Average,
    pub(super) first_token: Average,
    /// Whether there is anything in `record` that a call could come upon, so that nobody locks it while all is well.
    is_troubled: AtomicBool,
    record: Mutex<Record>,
}

#[derive(Debug, Default)]
struct Record {
    cooling: Option<Cooling>,
    /// When it last failed.
    failed: Option<Instant>,
    breaker: Breaker,
    checked: Checked,
}

// === impl TargetState ===

impl TargetState {
    /// One of which nothing is known.
    pub fn new() -> Self {
        Self {
            in_flight: AtomicU32::new(0),
            failures: AtomicU32::new(0),
            latency: Average::new(),
            first_token: Average::new(),
            is_troubled: AtomicBool::new(false),
            record: Mutex::default(),
        }
    }

    /// Begins a call, unless the breaker does not let it pass or the target is not in service.
    ///
    /// Whoever chose the target by its [`fitness`](Self::fitness) may still be refused, because another call was
    /// faster to be the trial: take the next target then.
    pub fn admit(self: &Arc<Self>, now: Instant, settings: &HealthSettings) -> Option<InFlight> {
        if settings.mode.excludes().is_some() {
            return None;
        }
        let Some(breaker) = settings.breaker.filter(|_| self.is_troubled()) else {
            return Some(self.begin(now));
        };
        match self.update(|record| record.breaker.admit(now, &breaker)) {
            Admission::Free => Some(self.begin(now)),
            Admission::Trial(epoch) => Some(self.begin(now).with_trial(epoch, breaker)),
            Admission::Refused => None,
        }
    }

    /// Begins a call whatever is known of the target, such as when everything is tried because nothing is fit.
    pub fn begin(self: &Arc<Self>, now: Instant) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight::new(self.clone(), now)
    }

    /// How many calls are under way: they have begun, and the reply's body has not ended.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How many calls have failed since the last that succeeded, whatever the settings say about failures.
    pub fn failures_in_a_row(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The average time to an answer that is not a stream; `None` until the first.
    pub fn latency(&self) -> Option<Duration> {
        self.latency.get()
    }

    /// The average time to a stream's first token; `None` until the first.
    pub fn first_token(&self) -> Option<Duration> {
        self.first_token.get()
    }

    /// Tells what a check in the background found out, and is told if that is something else than before.
    pub fn background(&self, now: Instant, check: Check) -> Option<Turn> {
        self.update(|record| record.checked.record(now, check))
    }

    /// Whether the target can take a call. Does not know of its [`Credential`].
    pub fn fitness(&self, now: Instant, settings: &HealthSettings) -> Fitness {
        if let Some(reason) = settings.mode.excludes() {
            return Fitness::Unfit {
                until: None,
                reason,
                since: None,
            };
        }
        match self.is_troubled() {
            true => self.update(|record| record.fitness(now, settings)),
            false => Fitness::Fit,
        }
    }

    /// The share of its weight that the target has now: less than 1 for some time after its breaker has closed, at
    /// least 0.1.
    pub fn share(&self, now: Instant, settings: &HealthSettings) -> f32 {
        match &settings.breaker {
            Some(breaker) if self.is_troubled() => self.record.lock().breaker.share(now, breaker),
            _ => 1.0,
        }
    }

    /// How the target fares, for people. `wall` is the time of the day at `now`.
    pub fn report(
        &self,
        now: Instant,
        wall: Timestamp,
        settings: &HealthSettings,
        credential: Option<&Credential>,
    ) -> HealthReport {
        let fitness = self.fitness(now, settings);
        let fitness = match credential {
            Some(credential) => fitness.and(credential.fitness(now)),
            None => fitness,
        };
        let last_check = self.record.lock().checked.last;
        HealthReport::new(fitness, last_check, now, wall)
    }

    pub(super) fn ended(&self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn trial_given_back(&self, epoch: u64) {
        self.update(|record| record.breaker.trial_given_back(epoch));
    }

    pub(super) fn trial_ended(
        &self,
        epoch: u64,
        now: Instant,
        is_failure: bool,
        breaker: &CircuitBreaker,
    ) -> Option<Turn> {
        self.update(|record| record.breaker.trial_ended(epoch, now, is_failure, breaker))
    }

    /// Counts a call by how it ended.
    pub(super) fn count(&self, is_failure: bool) {
        if is_failure {
            self.failures.fetch_add(1, Ordering::Relaxed);
        } else if self.failures_in_a_row() > 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn succeeded(&self, began: Instant, now: Instant, settings: &HealthSettings) {
        let Some(breaker) = &settings.breaker else {
            return;
        };
        // A success has something to say if failures are forgotten by it, or if it counts for a share.
        if self.is_troubled() || breaker.failure_ratio.is_some() {
            self.update(|record| record.breaker.record(began, now, false, breaker));
        }
    }

    pub(super) fn failed(
        &self,
        began: Instant,
        now: Instant,
        failure: &Failure,
        settings: &HealthSettings,
    ) -> Turns {
        let reason = failure.reason();
        self.update(|record| {
            let last = record.failed.replace(now);
            let time = match &settings.passive {
                None => settings.cooldown.time(failure),
                Some(passive) => {
                    if last.is_some_and(|last| !passive.counts(last, now)) {
                        self.failures.store(1, Ordering::Relaxed);
                    }
                    passive.time(self.failures_in_a_row())
                }
            };
            let is_new = record.cooling.is_none_or(|cooling| !cooling.lasts(now));
            if let Some(time) = time {
                let cooling = Cooling::extended(record.cooling, now, time, reason);
                record.cooling = Some(cooling);
            }
            let opened = match &settings.breaker {
                Some(breaker) => record.breaker.record(began, now, true, breaker),
                None => {
                    record.breaker.reset();
                    None
                }
            };
            let time = time.filter(|_| is_new);
            Turns::new(time.map(|time| Turn::Cooling { reason, time }), opened)
        })
    }

    fn is_troubled(&self) -> bool {
        self.is_troubled.load(Ordering::Acquire)
    }

    fn update<T>(&self, update: impl FnOnce(&mut Record) -> T) -> T {
        let mut record = self.record.lock();
        let result = update(&mut record);
        self.is_troubled
            .store(record.is_troubled(), Ordering::Release);
        result
    }
}

impl Default for TargetState {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TargetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TargetState")
            .field("in_flight", &self.in_flight())
            .field("failures_in_a_row", &self.failures_in_a_row())
            .field("latency", &self.latency)
            .field("first_token", &self.first_token)
            .field("record", &*self.record.lock())
            .finish()
    }
}

// === impl Record ===

impl Record {
    fn is_troubled(&self) -> bool {
        self.cooling.is_some() || !self.breaker.is_at_rest() || self.checked.is_unwell()
    }

    fn fitness(&mut self, now: Instant, settings: &HealthSettings) -> Fitness {
        self.cooling = self.cooling.filter(|cooling| cooling.until > now);
        if let Some(breaker) = &settings.breaker {
            self.breaker.advance(now, breaker);
            if let Some(shut) = self.breaker.shut(now, breaker) {
                return Fitness::Unfit {
                    until: shut.until,
                    reason: Reason::CircuitOpen,
                    since: Some(shut.since),
                };
            }
        }
        match self.checked.unwell(now, settings.stale_after) {
            Some(unwell) => Fitness::Unfit {
                until: None,
                reason: unwell.reason,
                since: Some(unwell.since),
            },
            None => Fitness::cooling(self.cooling, now),
        }
    }
}
