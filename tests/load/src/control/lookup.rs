//! CPU per call with few and with many keys.

use super::documents::chat;
use super::etcd::Etcd;
use super::node::{Node, Source};
use super::scale::fill_besides;
use crate::crew::Crew;
use crate::rig::Rig;
use crate::stats::micros;
use crate::table::Table;
use anyhow::Result;

/// How many connections make calls.
const CONNECTIONS: usize = 8;

/// The prefixes of gateways with fewer keys, and how many times fewer.
const FEWER: [(&str, usize); 2] = [("/tenth", 10), ("/thousandth", 1_000)];

/// Measures gateways with fewer keys beside the one with all.
pub(super) async fn measure(
    table: &mut Table,
    rig: &Rig,
    etcd: &Etcd,
    (node, keys): (Node, usize),
    (calls, rounds): (usize, usize),
) -> Result<()> {
    let mut nodes = vec![(node, keys)];
    for (prefix, times) in FEWER {
        let fewer = (keys / times).max(1);
        fill_besides(etcd, rig, prefix, fewer).await?;
        let node = Node::start(rig, &Source::Etcd(etcd.address, prefix)).await?;
        nodes.push((node, fewer));
    }
    let mut found = vec![Vec::new(); nodes.len()];
    for _ in 0..rounds {
        for ((node, keys), found) in nodes.iter().zip(&mut found) {
            found.push(cost(node, *keys, calls).await?);
        }
    }
    for ((_, keys), found) in nodes.iter().zip(&found) {
        let what = format!("CPU per call, callers take turns among {keys}");
        table.median(&what, "µs", found);
    }
    Ok(())
}

/// The CPU time of one call in microseconds.
async fn cost(node: &Node, keys: usize, calls: usize) -> Result<f64> {
    let call = chat(node.address, keys);
    let mut crew = Crew::open(node.address, CONNECTIONS).await?;
    crew.work(&call, calls.div_ceil(10).max(CONNECTIONS))
        .await?;
    let before = node.process.usage()?;
    crew.work(&call, calls).await?;
    Ok(micros(node.process.usage()?.since(&before)) / calls as f64)
}
