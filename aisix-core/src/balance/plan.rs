//! What a group is told of its targets, and what it answers.

use tokio::time::Instant;

use super::{
    Order, View,
    health::{self, HealthSettings, TargetState},
};

/// How much can be expected of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fitness {
    /// It serves.
    #[default]
    Fit,
    /// It has failed lately and is given time. Tried when nobody is fit, or those who are have failed.
    Cooling,
    /// It is known to be out of order. Tried only when the group is told to try anyway.
    Unfit,
}

impl From<health::Fitness> for Fitness {
    fn from(fitness: health::Fitness) -> Self {
        match fitness {
            health::Fitness::Fit => Self::Fit,
            health::Fitness::Cooling { .. } => Self::Cooling,
            health::Fitness::Unfit { .. } => Self::Unfit,
        }
    }
}

/// How a target stands for one request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    /// Whether it must not serve this request, whatever its health: other tags were asked for, the client's
    /// address is not allowed, or it is switched off.
    pub excluded: bool,
    /// What can be expected of it.
    pub fitness: Fitness,
    /// What strategies see of it. The group decides by the above whether it is eligible; one that is not eligible here stays so.
    pub view: View,
}

impl Standing {
    /// How a target stands of which this is remembered.
    pub(crate) fn of(state: &TargetState, health: &HealthSettings, now: Instant) -> Self {
        Self {
            // Even when everything is tried, nothing is sent where somebody has switched it off.
            excluded: health.mode.excludes().is_some(),
            fitness: state.fitness(now, health).into(),
            view: View {
                eligible: true,
                in_flight: state.in_flight(),
                latency: state.latency(),
                first_token: state.first_token(),
                slow_start: state.share(now, health),
            },
        }
    }
}

/// Who is to be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// These, until one answers: best first, never empty. Indices are positions in the list that the group was made of.
    Try(Order),
    /// Nobody can serve the request.
    Nobody,
}
