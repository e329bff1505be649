//! From the start of a gateway to its first call, and the memory it takes.

use super::node::{Node, Source};
use crate::report::mib;
use crate::rig::Rig;
use crate::table::Table;
use anyhow::Result;
use std::time::Duration;

/// Boots a gateway a number of times and leaves the last one running, after a rest of so many seconds.
pub(super) async fn boot(
    table: &mut Table,
    rig: &Rig,
    source: &Source,
    (boots, rest): (usize, u64),
) -> Result<Node> {
    let mut node = Node::start(rig, source).await?;
    let mut times = vec![node.boot.as_secs_f64() * 1e3];
    for _ in 1..boots {
        node.process.stop().await?;
        node = Node::start(rig, source).await?;
        times.push(node.boot.as_secs_f64() * 1e3);
    }
    table.median("boot to ready", "ms", &times);
    let memory = node.process.memory()?;
    table.once("RSS when ready", format!("{} MiB", mib(memory.resident)));
    table.once("RSS, peak of the boot", format!("{} MiB", mib(memory.peak)));
    tokio::time::sleep(Duration::from_secs(rest)).await;
    let memory = node.process.memory()?;
    let after = format!("RSS {rest} s later");
    table.once(&after, format!("{} MiB", mib(memory.resident)));
    Ok(node)
}
