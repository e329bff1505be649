//! Where limits are counted.

use super::{block::Block, later};

/// Checks the block. Limits are counted in memory, which has no settings.
pub(super) fn check(mut block: Block<'_>) {
    later::backend(&mut block);
    // How long a slot is kept by a node that has vanished; in memory, no slot outlives its node.
    if block.find::<u64>("concurrency_ttl_secs") == Some(0) {
        block.error("concurrency_ttl_secs", "must be at least 1");
    }
    block.finish();
}
