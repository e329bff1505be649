//! What the log says of a target's health.

use crate::{balance::health::Turn, models::UpstreamKey};

/// Says that a target's health has changed. `name` is what people call the target, such as the name of its model.
pub(crate) fn log(name: &str, key: &UpstreamKey, turn: Turn) {
    match turn {
        Turn::Cooling { reason, time } => {
            let seconds = time.as_secs();
            tracing::warn!(model = name, %reason, seconds, "model cools down");
        }
        Turn::CredentialRefused { time } => {
            let (provider_key, seconds) = (key.name(), time.as_secs());
            tracing::warn!(
                model = name,
                %provider_key,
                seconds,
                "credential was refused: all models that use it cool down"
            );
        }
        Turn::BreakerOpened { time } => {
            let seconds = time.as_secs();
            tracing::warn!(model = name, seconds, "circuit breaker has opened");
        }
        Turn::BreakerClosed => tracing::info!(model = name, "circuit breaker has closed"),
        Turn::CheckFailed { reason } => {
            tracing::warn!(model = name, %reason, "check in the background failed");
        }
        Turn::CheckSucceeded => {
            tracing::info!(model = name, "check in the background succeeded again");
        }
    }
}
