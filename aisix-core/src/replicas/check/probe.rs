//! Asking one replica, again and again.

use std::time::Duration;

use ::http::StatusCode;
use tokio::time::{Instant, sleep, timeout};

use super::{http, tcp};
use crate::{
    balance::health::{Check, Mode, Reason},
    config::resource::{ActiveCheck, CheckType},
    replicas::{Replica, log, pool::Active},
    upstream::Transport,
};

/// What one question has found out: the status of a good answer, if it has one; or what is wrong.
pub(super) type Found = Result<Option<StatusCode>, Bad>;

/// What is wrong with an answer.
pub(super) struct Bad {
    pub(super) status: Option<StatusCode>,
    pub(super) reason: Reason,
}

/// Answers of the same kind in a row.
#[derive(Default)]
struct Row {
    good: u32,
    bad: u32,
}

/// Asks a replica for ever.
pub(super) async fn watch(replica: &Replica, active: &Active, transport: &dyn Transport) {
    let check = &active.check;
    // Whoever is switched off is not asked; that changes with the configuration only.
    if replica.health.mode == Mode::Disabled {
        return;
    }
    let mut row = Row::default();
    // The first question comes soon.
    let mut pause = jittered(check).saturating_sub(seconds(check.interval_seconds));
    loop {
        sleep(pause).await;
        let time = seconds(check.timeout_seconds);
        let found = timeout(time, ask(replica, active, transport)).await;
        let found = found.unwrap_or(Err(Bad::of(Reason::RequestTimeout)));
        let told = row.told(found, check);
        let turn = replica.state.background(Instant::now(), told);
        turn.into_iter().for_each(|turn| log(replica, turn));
        pause = jittered(check);
    }
}

async fn ask(replica: &Replica, active: &Active, transport: &dyn Transport) -> Found {
    match active.check.check {
        CheckType::Tcp => tcp::ask(replica).await,
        CheckType::Http => http::ask(replica, active, transport).await,
    }
}

fn seconds(seconds: u64) -> Duration {
    // No longer than a year.
    Duration::from_secs(seconds.min(366 * 86_400))
}

/// The interval and up to a tenth of it, so that nodes do not ask in step.
fn jittered(check: &ActiveCheck) -> Duration {
    seconds(check.interval_seconds).mul_f64(1.0 + fastrand::f64() / 10.0)
}

// === impl Bad ===

impl Bad {
    pub(super) fn of(reason: Reason) -> Self {
        let status = None;
        Self { status, reason }
    }
}

// === impl Row ===

impl Row {
    /// Counts an answer; says what is known now. As long as there are too few in a row, what was known before stands.
    fn told(&mut self, found: Found, check: &ActiveCheck) -> Check {
        match found {
            Ok(status) => {
                (self.good, self.bad) = (self.good.saturating_add(1), 0);
                match self.good >= check.healthy_threshold {
                    true => Check::Healthy { status },
                    false => Check::Ignored { status },
                }
            }
            Err(Bad { status, reason }) => {
                (self.good, self.bad) = (0, self.bad.saturating_add(1));
                match self.bad >= check.unhealthy_threshold {
                    true => Check::Unhealthy { status, reason },
                    false => Check::Ignored { status },
                }
            }
        }
    }
}
