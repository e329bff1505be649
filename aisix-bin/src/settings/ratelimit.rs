//! Where limits are counted.

use std::time::Duration;

use super::{block::Block, redis::Redis};

/// `ratelimit`: where limits are counted.
#[derive(Clone, Debug)]
pub(crate) struct Ratelimit {
    /// `ratelimit.redis`: what processes share their counts in, with `ratelimit.backend: redis`.
    /// Default: none, each process counts in its memory.
    pub(crate) redis: Option<Redis>,
    /// `ratelimit.concurrency_ttl_secs`: how long a slot is kept by a node that has vanished, in seconds.
    /// In memory, no slot outlives its node. Default: 300.
    pub(crate) concurrency_ttl: Duration,
}

// === impl Ratelimit ===

impl Ratelimit {
    pub(super) fn read(mut block: Block<'_>) -> Self {
        let backend = block.find::<String>("backend");
        let ttl = block.get("concurrency_ttl_secs", 300);
        let shared = block.block("redis");
        let redis = (!shared.is_empty()).then(|| Redis::read(shared));
        match (backend.as_deref(), &redis) {
            (Some("redis"), None) => block.error("backend", "`redis` needs `ratelimit.redis`"),
            (None | Some("memory" | "redis"), _) => {}
            _ => block.error("backend", "must be `memory` or `redis`"),
        }
        if ttl == 0 {
            block.error("concurrency_ttl_secs", "must be at least 1");
        }
        block.finish();
        Self {
            redis: redis
                .flatten()
                .filter(|_| backend.as_deref() == Some("redis")),
            concurrency_ttl: Duration::from_secs(ttl),
        }
    }
}
