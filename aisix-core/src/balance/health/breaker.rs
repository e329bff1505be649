//! Not asking a target that fails.

use std::time::Duration;

use tokio::time::Instant;

use super::{CircuitBreaker, Turn, settings::seconds, window::Window};

/// The least share of its weight that a target has while it starts slowly, as in Envoy.
const LEAST_SHARE: f32 = 0.1;

/// Where a breaker stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Breaker {
    phase: Phase,
    /// Failures since the last success.
    in_a_row: u32,
    window: Option<Window>,
    /// How often it has opened since it was last closed.
    openings: u32,
    /// A number for each opening ever, by which trials know their own.
    epoch: u64,
    /// When it last opened, and when it last closed.
    opened: Option<Instant>,
    closed: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Phase {
    #[default]
    Closed,
    /// Closed a short while ago: its share of the weight still rises.
    Rising,
    Open {
        since: Instant,
        until: Instant,
    },
    HalfOpen {
        since: Instant,
        /// When the last trial was made.
        last: Option<Instant>,
        under_way: u32,
        answered: u32,
    },
}

/// What a breaker says to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may pass.
    Free,
    /// It may pass, and is a trial of this epoch.
    Trial(u64),
    /// It may not.
    Refused,
}

/// A breaker that lets nothing pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shut {
    pub(super) since: Instant,
    /// Until when at least.
    pub(super) until: Option<Instant>,
}

// === impl CircuitBreaker ===

impl CircuitBreaker {
    /// How long it is open for the `openings`-th time in a row.
    fn open_time(&self, openings: u32) -> Duration {
        let doublings = openings.saturating_sub(1).min(32);
        let time = self.open_seconds.max(1).saturating_mul(1 << doublings);
        seconds(
            time.min(self.max_open_seconds.max(self.open_seconds))
                .max(1),
        )
    }

    /// Whether these counts are too bad.
    fn is_too_much(&self, in_a_row: u32, window: Option<(u32, u32)>) -> bool {
        let in_a_row = self.consecutive_failures > 0 && in_a_row >= self.consecutive_failures;
        let of_late = match (self.failure_ratio, window) {
            (Some(ratio), Some((total, failed))) => {
                total >= self.min_requests && f64::from(failed) >= ratio * f64::from(total)
            }
            _ => false,
        };
        in_a_row || of_late
    }
}

// === impl Breaker ===

impl Breaker {
    /// Whether it is closed and has nothing to forget.
    pub(super) fn is_at_rest(&self) -> bool {
        matches!(self.phase, Phase::Closed) && self.in_a_row == 0
    }

    /// Moves on to what time alone brings about.
    pub(super) fn advance(&mut self, now: Instant, settings: &CircuitBreaker) {
        match self.phase {
            Phase::Open { since, until } if now >= until => {
                self.phase = Phase::HalfOpen {
                    since,
                    last: None,
                    under_way: 0,
                    answered: 0,
                };
            }
            Phase::Rising if self.share(now, settings) >= 1.0 => self.phase = Phase::Closed,
            _ => {}
        }
    }

    /// Whether it lets nothing pass now. To be asked after [`advance`](Self::advance).
    pub(super) fn shut(&self, now: Instant, settings: &CircuitBreaker) -> Option<Shut> {
        match self.phase {
            Phase::Closed | Phase::Rising => None,
            Phase::Open { since, until } => Some(Shut {
                since,
                until: Some(until),
            }),
            Phase::HalfOpen {
                since,
                last,
                under_way,
                answered,
            } => {
                let has_room =
                    under_way.saturating_add(answered) < settings.half_open_trials.max(1);
                let until = last.map(|last| last + settings.open_time(1));
                let is_overdue = until.is_some_and(|until| now >= until);
                (!has_room && !is_overdue).then_some(Shut { since, until })
            }
        }
    }

    /// Asks for a call. A trial has to be ended by [`trial_ended`](Self::trial_ended), or be given back.
    pub(super) fn admit(&mut self, now: Instant, settings: &CircuitBreaker) -> Admission {
        self.advance(now, settings);
        if self.shut(now, settings).is_some() {
            return Admission::Refused;
        }
        match &mut self.phase {
            Phase::HalfOpen {
                last, under_way, ..
            } => {
                *last = Some(now);
                *under_way = under_way.saturating_add(1);
                Admission::Trial(self.epoch)
            }
            _ => Admission::Free,
        }
    }

    /// A trial of this epoch was answered, or has failed.
    pub(super) fn trial_ended(
        &mut self,
        epoch: u64,
        now: Instant,
        is_failure: bool,
        settings: &CircuitBreaker,
    ) -> Option<Turn> {
        if epoch != self.epoch {
            return None;
        }
        let Phase::HalfOpen {
            under_way,
            answered,
            ..
        } = &mut self.phase
        else {
            return None;
        };
        if is_failure {
            return Some(self.open(now, settings));
        }
        *under_way = under_way.saturating_sub(1);
        *answered = answered.saturating_add(1);
        let is_enough = *answered >= settings.half_open_trials.max(1);
        is_enough.then(|| self.close(now, settings))
    }

    /// A trial of this epoch has ended without a verdict.
    pub(super) fn trial_given_back(&mut self, epoch: u64) {
        if let Phase::HalfOpen { under_way, .. } = &mut self.phase
            && epoch == self.epoch
        {
            *under_way = under_way.saturating_sub(1);
        }
    }

    /// A call that had `began` has ended.
    pub(super) fn record(
        &mut self,
        began: Instant,
        now: Instant,
        is_failure: bool,
        settings: &CircuitBreaker,
    ) -> Option<Turn> {
        let is_closed = matches!(self.phase, Phase::Closed | Phase::Rising);
        if !is_closed || self.opened.is_some_and(|opened| began < opened) {
            return None;
        }
        self.in_a_row = match is_failure {
            true => self.in_a_row.saturating_add(1),
            false => 0,
        };
        let counts = settings.failure_ratio.is_some().then(|| {
            let length = seconds(settings.window_seconds.max(1));
            let window = self.window.take().filter(|last| last.has_length(length));
            let window = self
                .window
                .insert(window.unwrap_or_else(|| Window::new(now, length)));
            let counts = window.record(now, is_failure);
            (counts.total, counts.failed)
        });
        let is_too_much = is_failure && settings.is_too_much(self.in_a_row, counts);
        is_too_much.then(|| self.open(now, settings))
    }

    /// The share of its weight that the target has.
    pub(super) fn share(&self, now: Instant, settings: &CircuitBreaker) -> f32 {
        let whole = seconds(settings.slow_start_seconds);
        match (self.phase, self.closed) {
            (Phase::Rising, Some(closed)) if !whole.is_zero() => {
                let passed = now.saturating_duration_since(closed);
                let share = passed.as_secs_f32() / whole.as_secs_f32();
                share.clamp(LEAST_SHARE, 1.0)
            }
            _ => 1.0,
        }
    }

    /// Forgets everything but which trials are its own.
    pub(super) fn reset(&mut self) {
        *self = Self {
            epoch: self.epoch + 1,
            ..Self::default()
        };
    }

    fn open(&mut self, now: Instant, settings: &CircuitBreaker) -> Turn {
        let since = match self.phase {
            Phase::Open { since, .. } | Phase::HalfOpen { since, .. } => since,
            Phase::Closed | Phase::Rising => now,
        };
        self.openings = self.openings.saturating_add(1);
        self.epoch += 1;
        self.opened = Some(now);
        self.in_a_row = 0;
        self.window = None;
        let time = settings.open_time(self.openings);
        self.phase = Phase::Open {
            since,
            until: now + time,
        };
        Turn::BreakerOpened { time }
    }

    fn close(&mut self, now: Instant, settings: &CircuitBreaker) -> Turn {
        self.openings = 0;
        self.closed = Some(now);
        self.phase = match settings.slow_start_seconds {
            0 => Phase::Closed,
            _ => Phase::Rising,
        };
        Turn::BreakerClosed
    }
}
