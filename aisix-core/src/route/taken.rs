//! What an attempt takes, and gives back when it has ended.

use std::sync::{Arc, LazyLock};

use tokio::time::Instant;

use super::{choose::key, tell::Tell};
use crate::{
    balance::{
        Facts,
        health::{InFlight, TargetState, Verdict},
    },
    call::Attempt,
    config::resource::HashOn,
    error::Error,
    limit::Held,
    models::{Seat, unavailable},
    replicas::{self, Replica},
    reply::Reply,
};

/// What an attempt takes: it counts as under way, has a seat where there are only so many, and room in the limits
/// of its target. All of it is given back when the reply has ended, or when this is dropped.
pub(super) struct Taken {
    tell: Tell,
    began: Instant,
    in_flight: InFlight,
    /// The replica that it is sent to, where there are several.
    replica: Option<(Arc<Replica>, InFlight)>,
    seat: Option<Seat>,
    held: Option<Held>,
}

// === impl Taken ===

impl Taken {
    /// Takes it; the attempt begins when it has a seat, and goes to another replica than those that have `failed`, if
    /// there is one. The limits of a model that stands for itself were taken with
    /// those of the call.
    ///
    /// # Errors
    ///
    /// When there is no seat, or no room, when no replica can take it, or when the target's breaker does not let it pass and
    /// its health is heeded.
    pub(super) async fn take(
        attempt: &mut Attempt,
        is_group: bool,
        heeds_health: bool,
        may_wait: bool,
        failed: &[Arc<TargetState>],
    ) -> Result<Self, Error> {
        let target = attempt.target.clone();
        let seat = match &target.capacity {
            // Nobody queues for an explanation.
            Some(capacity) if attempt.call.exit.sends() => {
                let end = attempt.deadline.map(|(end, _)| end);
                Some(capacity.take(may_wait, end).await?)
            }
            _ => None,
        };
        let began = Instant::now();
        attempt.started = began;
        let in_flight = match heeds_health {
            true => target.state.admit(began, &target.health),
            false => Some(target.state.begin(began)),
        };
        let refused = || unavailable(attempt.call.requested_model());
        let in_flight = in_flight.ok_or_else(refused)?;
        let replica = match &target.ways {
            Some(_) => Some(
                to_replica(attempt, failed, began)
                    .ok_or_else(|| unavailable(attempt.call.requested_model()))?,
            ),
            None => None,
        };
        let held = match is_group {
            true => attempt.call.limits.take_for(attempt).await?,
            false => None,
        };
        Ok(Self {
            in_flight: in_flight.using(&target.credential),
            tell: Tell::of(attempt),
            began,
            replica,
            seat,
            held,
        })
    }

    /// Tells the target how the attempt ended, at once or with its reply.
    pub(super) fn ended(mut self, answered: Result<Reply, Error>) -> Result<Reply, Error> {
        let now = Instant::now();
        match answered {
            Ok(mut reply) => {
                self.tell.turns(self.in_flight.head_received(now));
                if let Some((replica, in_flight)) = &mut self.replica {
                    let turn = in_flight.head_received(now);
                    turn.into_iter()
                        .for_each(|turn| replicas::log(replica, turn));
                }
                if reply.is_event_stream() {
                    let replica = self.replica.as_mut().map(|(_, in_flight)| in_flight);
                    for in_flight in [Some(&mut self.in_flight), replica].into_iter().flatten() {
                        in_flight.first_token(now);
                    }
                }
                reply.on_end(move |outcome| {
                    let verdict = outcome.end.into();
                    self.give_back(verdict, Some(now), |held| held.settle(outcome.usage));
                });
                Ok(reply)
            }
            Err(error) => {
                self.give_back((&error).into(), None, Held::refused);
                Err(error)
            }
        }
    }

    fn give_back(self, verdict: Verdict, answered: Option<Instant>, settle: impl FnOnce(Held)) {
        if let Some(seat) = self.seat {
            let latency = answered.map(|at| at.saturating_duration_since(self.began));
            seat.ended(&verdict, latency);
        }
        let now = Instant::now();
        let verdict = match self.replica {
            None => verdict,
            Some((replica, in_flight)) => {
                let turns = in_flight.ended(now, verdict, &replica.health);
                turns
                    .into_iter()
                    .for_each(|turn| replicas::log(&replica, turn));
                verdict.without_replica()
            }
        };
        let health = &self.tell.target.health;
        let turns = self.in_flight.ended(now, verdict, health);
        self.tell.turns(turns);
        if let Some(held) = self.held {
            settle(held);
        }
    }
}

/// Has a replica take the attempt, if one can.
fn to_replica(
    attempt: &mut Attempt,
    failed: &[Arc<TargetState>],
    now: Instant,
) -> Option<(Arc<Replica>, InFlight)> {
    static HASH_ON: LazyLock<Vec<HashOn>> = LazyLock::new(HashOn::usual);
    let (target, in_flight) = {
        let call = &attempt.call;
        let key = key(call, &HASH_ON);
        let facts = Facts {
            key: &key,
            streams: call.streams(),
        };
        attempt.target.ways.as_ref()?.take(&facts, failed, now)?
    };
    let replica = target.replica().cloned()?;
    attempt.target = target;
    Some((replica, in_flight))
}
