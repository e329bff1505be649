//! Checks in the background: models are asked now and then, whether or not callers do.
//!
//! A check is a chat that the gateway has by itself: a `background_model_check` says what is asked, how often, and how
//! long it may take. It goes to the model's target at once, without limits, hooks or retries, and what comes of it is
//! kept in the target's [`TargetState`](crate::balance::health::TargetState).

mod ask;
mod due;

use std::{future::pending, pin::pin, sync::Arc};

use futures_util::{
    StreamExt,
    future::{Either, select},
    stream::FuturesUnordered,
};
use tokio::time::{Instant, sleep_until};

pub(crate) use self::ask::Asker;
use self::due::Due;
use super::{Model, health};
use crate::{balance::health::Check, config::Config, observe::HealthTurn};

/// How many models are asked at a time.
const AT_A_TIME: usize = 4;

/// Checks the models of a configuration in the background. Made by
/// [`GatewayBuilder::checks`](crate::GatewayBuilder::checks).
pub struct Checks {
    pub(crate) config: Config,
    pub(crate) asker: Asker,
}

/// What came of asking a model.
struct Asked {
    model: Arc<Model>,
    began: Instant,
    check: Check,
}

// === impl Checks ===

impl Checks {
    /// Checks each model that says so, in its own interval; the first time after a part of it by lot, so that not all are
    /// asked at once. Four are asked at a time, others wait.
    ///
    /// Changes of the configuration are heeded at once. Nothing is done while no model is to be checked. It never ends; dropped,
    /// it stops at once, and what it has found out stays. Run one of them for each process.
    pub async fn run(self) {
        let mut due = Due::default();
        let mut running = FuturesUnordered::new();
        loop {
            let snapshot = self.config.current();
            let sequence = snapshot.sequence();
            due.follow(&snapshot, Instant::now());
            drop(snapshot);
            while running.len() < AT_A_TIME
                && let Some(model) = due.take(Instant::now())
            {
                running.push(self.ask(model));
            }
            let next = due.next().filter(|_| running.len() < AT_A_TIME);
            let mut turn = pin!(async {
                match next {
                    Some(next) => sleep_until(next).await,
                    None => pending().await,
                }
            });
            let asked = async {
                match running.next().await {
                    Some(asked) => asked,
                    None => pending().await,
                }
            };
            let changed = pin!(self.config.changed_since(sequence));
            let others = select(changed, turn.as_mut());
            if let Either::Left((asked, _)) = select(pin!(asked), others).await {
                self.note(&mut due, &asked);
            }
        }
    }

    async fn ask(&self, model: Arc<Model>) -> Asked {
        let began = Instant::now();
        let check = self.asker.ask(&self.config.current(), &model).await;
        Asked {
            model,
            began,
            check,
        }
    }

    /// Keeps what came of it, unless nobody wants to know any more.
    fn note(&self, due: &mut Due, asked: &Asked) {
        let Asked {
            model,
            began,
            check,
        } = asked;
        let Some(target) = model.target().filter(|_| due.asked(model.id(), *began)) else {
            return;
        };
        if let Some(turn) = target.state.background(Instant::now(), *check) {
            health::log(model.name(), target.key(), turn);
            self.asker.trail().note_health(&HealthTurn {
                model,
                target,
                turn,
            });
        }
    }
}

impl std::fmt::Debug for Checks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Checks")
    }
}
