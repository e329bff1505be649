//! What a reply has used so far.

use std::fmt;

use aisix_wire::Usage;

use super::SharedProgress;

/// Tells what a reply has used so far. A cheap clone, which outlives the reply.
#[derive(Clone)]
pub struct Meter(SharedProgress);

// === impl Meter ===

impl Meter {
    pub(super) fn new(progress: SharedProgress) -> Self {
        Self(progress)
    }

    /// The tokens; of a stream they are known at its end. `None` when the upstream has not told, or only an
    /// estimate is known.
    pub fn usage(&self) -> Option<Usage> {
        self.0.usage()
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Meter").field(&self.usage()).finish()
    }
}
