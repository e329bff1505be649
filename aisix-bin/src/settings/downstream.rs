//! What holds for every caller.

use std::time::Duration;

use super::{block::Block, value::Secs};

/// `downstream`: what holds for every caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Downstream {
    /// `downstream.idle_timeout_secs`: after how long a connection without requests is closed, in
    /// seconds. Default: 0, never.
    pub(crate) idle_timeout: Option<Duration>,
    /// `downstream.sse_keepalive_interval_secs`: after how much silence a stream is sent a comment,
    /// in seconds; 0 is never. Default: 15.
    pub(crate) sse_keepalive_interval: Option<Duration>,
}

// === impl Downstream ===

impl Downstream {
    pub(super) fn read(mut block: Block<'_>) -> Self {
        let Secs(idle_timeout) = block.get("idle_timeout_secs", Secs(None));
        let fifteen = Secs(Some(Duration::from_secs(15)));
        let Secs(sse_keepalive_interval) = block.get("sse_keepalive_interval_secs", fifteen);
        block.finish();
        Self {
            idle_timeout,
            sse_keepalive_interval,
        }
    }
}
