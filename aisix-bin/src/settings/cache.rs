//! Where caches can keep answers.

use super::{block::Block, redis::Redis};

/// `cache`: where caches can keep answers besides memory.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    /// `cache.redis`: the Redis of caches with `backend: redis`. Default: none, such caches are disabled.
    pub(crate) redis: Option<Redis>,
}

// === impl Cache ===

impl Cache {
    /// `backend` says nothing any more, because each cache has its own.
    pub(super) fn read(mut block: Block<'_>) -> Self {
        let backend = block.find::<String>("backend");
        let shared = block.block("redis");
        let redis = (!shared.is_empty()).then(|| Redis::read(shared));
        match (backend.as_deref(), &redis) {
            (Some("redis"), None) => block.error("backend", "`redis` needs `cache.redis`"),
            (None | Some("memory" | "redis"), _) => {}
            _ => block.error("backend", "must be `memory` or `redis`"),
        }
        block.finish();
        Self {
            redis: redis.flatten(),
        }
    }
}
