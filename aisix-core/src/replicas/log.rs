//! What the log says of a replica's health.

use super::Replica;
use crate::balance::health::Turn;

/// Says that a replica's health has changed.
pub(crate) fn log(replica: &Replica, turn: Turn) {
    let (upstream, name) = (replica.upstream(), replica.name());
    match turn {
        Turn::Cooling { reason, time } => {
            let seconds = time.as_secs();
            tracing::warn!(%upstream, replica = %name, %reason, seconds, "replica cools down");
        }
        Turn::BreakerOpened { time } => {
            let seconds = time.as_secs();
            tracing::warn!(%upstream, replica = %name, seconds, "circuit breaker has opened");
        }
        Turn::BreakerClosed => {
            tracing::info!(%upstream, replica = %name, "circuit breaker has closed");
        }
        Turn::CheckFailed { reason } => {
            tracing::warn!(%upstream, replica = %name, %reason, "replica was found unhealthy");
        }
        Turn::CheckSucceeded => {
            tracing::info!(%upstream, replica = %name, "replica was found healthy again");
        }
        // Credentials belong to provider keys.
        Turn::CredentialRefused { .. } => {}
    }
}
