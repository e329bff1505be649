//! What all ways of counting have in common.

use std::time::Duration;

use super::settings::Rate;

/// A way of counting the calls of one subject. Times are since all counting began.
pub(super) trait Count: Default + Send + 'static {
    /// What is left.
    fn left(&mut self, rate: Rate, now: Duration) -> Left;

    /// Counts a call, if one is left.
    fn take(&mut self, rate: Rate, now: Duration);

    /// When it can be forgotten.
    fn ends(&self) -> Duration;
}

/// What is left to a subject.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    /// How many calls may still come.
    pub(super) calls: u32,
    /// When none may: how long until the next one may, where that is known.
    pub(super) wait: Option<Duration>,
    /// How long until all calls are left again, if none comes.
    pub(super) reset: Duration,
}
