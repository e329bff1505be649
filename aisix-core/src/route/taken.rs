//! What an attempt takes, and gives back when it has ended.

use tokio::time::Instant;

use super::tell::Tell;
use crate::{
    balance::health::{InFlight, Verdict},
    call::Attempt,
    error::Error,
    limit::Held,
    models::{Seat, unavailable},
    reply::Reply,
};

/// What an attempt takes: it counts as under way, has a seat where there are only so many, and room in the limits
/// of its target. All of it is given back when the reply has ended, or when this is dropped.
pub(super) struct Taken {
    tell: Tell,
    began: Instant,
    in_flight: InFlight,
    seat: Option<Seat>,
    held: Option<Held>,
}

// === impl Taken ===

impl Taken {
    /// Takes it; the attempt begins when it has a seat. The limits of a model that stands for itself were taken with
    /// those of the call.
    ///
    /// # Errors
    ///
    /// When there is no seat, or no room, or when the target's breaker does not let it pass and its health is heeded.
    pub(super) async fn take(
        attempt: &mut Attempt,
        is_group: bool,
        heeds_health: bool,
        may_wait: bool,
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
        let held = match is_group {
            true => attempt.call.limits.take_for(attempt).await?,
            false => None,
        };
        Ok(Self {
            in_flight: in_flight.using(&target.credential),
            tell: Tell::of(attempt),
            began,
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
                if reply.is_event_stream() {
                    self.in_flight.first_token(now);
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
        let health = &self.tell.target.health;
        let turns = self.in_flight.ended(Instant::now(), verdict, health);
        self.tell.turns(turns);
        if let Some(held) = self.held {
            settle(held);
        }
    }
}
