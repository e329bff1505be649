//! A bound on every wait, so that a missing event is a failed test and not a hanging one.

use std::{
    future::Future,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for `event`, and panics naming `what` when it has not come within 20 seconds.
pub async fn within<F: Future>(what: &str, event: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, event).await {
        Ok(output) => output,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}

/// The same for what takes its time by itself, such as noticing that nobody answers: within a minute.
pub async fn patiently<F: Future>(what: &str, event: F) -> F::Output {
    let patience = 3 * PATIENCE;
    match tokio::time::timeout(patience, event).await {
        Ok(output) => output,
        Err(_) => panic!("waited {patience:?} in vain for {what}"),
    }
}

/// The whole seconds that are left in this minute of the clock, 1 to 60.
#[must_use]
pub fn left_in_minute() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    60 - now.expect("the clock is right").as_secs() % 60
}

/// Waits, if need be, until a minute of the clock has at least 10 seconds left, so that what follows
/// falls into one window of a limit.
pub async fn room_in_minute() {
    let left = left_in_minute();
    if left < 10 {
        tokio::time::sleep(Duration::from_secs(left)).await;
    }
}
