//! How the process ends.

use std::time::Duration;

use super::block::Block;

/// `shutdown`: how the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shutdown {
    /// `shutdown.min_drain_secs`: how long the process goes on serving while it says that it is not
    /// ready, in seconds. Default: 30.
    pub(crate) min_drain: Duration,
}

// === impl Shutdown ===

impl Shutdown {
    pub(super) fn read(mut block: Block<'_>) -> Self {
        let min_drain = Duration::from_secs(block.get("min_drain_secs", 30));
        block.finish();
        Self { min_drain }
    }
}
