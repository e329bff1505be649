mod adaptive;
mod breaker;
mod cooldown;
mod credential;
mod properties;
mod slots;
mod target;
mod turn;

use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::time::Instant;

use super::*;
use crate::error::{Error, ErrorKind, UpstreamRefusal};

/// A target whose time goes by as the test says, in seconds.
struct Bench {
    start: Instant,
    state: Arc<TargetState>,
    settings: HealthSettings,
}

impl Bench {
    fn new(settings: HealthSettings) -> Self {
        Self {
            start: Instant::now(),
            state: Arc::new(TargetState::new()),
            settings,
        }
    }

    /// One with this breaker, and without a cooldown.
    fn with_breaker(breaker: CircuitBreaker) -> Self {
        let cooldown = Cooldown {
            enabled: false,
            ..Cooldown::default()
        };
        Self::new(HealthSettings {
            cooldown,
            breaker: Some(breaker),
            ..HealthSettings::default()
        })
    }

    fn at(&self, seconds: f64) -> Instant {
        self.start + Duration::from_secs_f64(seconds)
    }

    /// A call that ends where it begins.
    fn call(&self, seconds: f64, verdict: Verdict) {
        let now = self.at(seconds);
        self.state.begin(now).ended(now, verdict, &self.settings);
    }

    /// A call that may be refused.
    fn admit(&self, seconds: f64) -> Option<InFlight> {
        self.state.admit(self.at(seconds), &self.settings)
    }

    /// How many of nine calls are admitted that come together.
    fn room(&self, seconds: f64) -> usize {
        let flights: Vec<_> = (0..9).filter_map(|_| self.admit(seconds)).collect();
        flights.len()
    }

    fn ended(&self, flight: InFlight, seconds: f64, verdict: Verdict) {
        flight.ended(self.at(seconds), verdict, &self.settings);
    }

    fn fitness(&self, seconds: f64) -> Fitness {
        self.state.fitness(self.at(seconds), &self.settings)
    }

    /// In a word, with the seconds of its times: `fit`, `cooling(reason since..until)`, `unfit(…)`.
    fn tell(&self, seconds: f64) -> String {
        self.word(self.fitness(seconds))
    }

    fn word(&self, fitness: Fitness) -> String {
        let seconds = |at: Option<Instant>| {
            at.map_or("?".to_owned(), |at| {
                format!("{}", at.saturating_duration_since(self.start).as_secs_f64())
            })
        };
        let word = match fitness {
            Fitness::Fit => return "fit".to_owned(),
            Fitness::Cooling { .. } => "cooling",
            Fitness::Unfit { .. } => "unfit",
        };
        let reason = fitness.reason().unwrap();
        let (since, until) = (seconds(fitness.since()), seconds(fitness.until()));
        format!("{word}({reason} {since}..{until})")
    }
}

fn status(status: u16) -> Verdict {
    after(status, None)
}

/// A refusal with this status, and when to come back.
fn after(status: u16, retry_after: Option<u64>) -> Verdict {
    let refusal = UpstreamRefusal {
        status: Some(StatusCode::from_u16(status).unwrap()),
        code: None,
    };
    let mut error = Error::new(ErrorKind::Upstream, "no").with_upstream(refusal);
    if let Some(seconds) = retry_after {
        error = error.with_retry_after(Duration::from_secs(seconds));
    }
    Verdict::from(&error)
}

fn failed(kind: ErrorKind) -> Verdict {
    Verdict::from(&Error::new(kind, ""))
}

/// What fails a call whatever the settings.
fn broken() -> Verdict {
    failed(ErrorKind::Transport)
}
