//! Locks, exchanged for `shuttle`'s in this crate's own tests when interleavings are checked.

#[cfg(not(all(test, feature = "shuttle")))]
pub(super) use std::sync::{Mutex, MutexGuard, RwLock};

#[cfg(all(test, feature = "shuttle"))]
pub(super) use shuttle::sync::{Mutex, MutexGuard, RwLock};

/// Locks are never held across anything that panics, so a poisoned one is as good as new.
pub(super) fn unpoison<T>(result: Result<T, std::sync::PoisonError<T>>) -> T {
    result.unwrap_or_else(std::sync::PoisonError::into_inner)
}
