//! A bound on every wait, so that a missing event is a failed test and not a hanging one.

use std::{future::Future, time::Duration};

const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `event`, and panics naming `what` when it has not come within 20 seconds.
pub async fn within<F: Future>(what: &str, event: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, event).await {
        Ok(output) => output,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}
