//! `control propagation`: changes in etcd until three gateways serve them.

use super::documents::{PROBE, all, api_key, probe};
use super::etcd::{Etcd, Writer};
use super::node::{Node, Probe, Source};
use crate::rig::{self, Rig};
use crate::table::Table;
use anyhow::{Result, anyhow};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How many changes, beside how much.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    rig: rig::Options,
    /// How many changes, one after the other
    #[arg(long, default_value_t = 1_000)]
    changes: usize,
    /// How many gateways
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// How many API keys there are besides
    #[arg(long, default_value_t = 100)]
    keys: usize,
    /// How long it is waited between two questions whether a change is effective
    #[arg(long, default_value_t = 1)]
    grain_ms: u64,
}

/// How long one change took.
struct Lag {
    /// Until etcd acknowledged it.
    put: Duration,
    /// From there until each gateway served it, in order of the gateways; zero if it was sooner.
    nodes: Vec<Duration>,
}

/// Measures and prints the table.
pub(super) async fn run(options: Options) -> Result<()> {
    let grain = Duration::from_millis(options.grain_ms);
    let rig = Rig::start(options.rig).await?;
    let etcd = Etcd::start(rig.load_core(), rig.folder()).await?;
    let mut writer = etcd.writer("/aisix").await?;
    writer.fill(all(rig.upstream(), options.keys, 1)).await?;
    let mut nodes = Vec::new();
    let mut probes = Vec::new();
    for _ in 0..options.nodes {
        let node = Node::start(&rig, &Source::Etcd(etcd.address, "/aisix")).await?;
        probes.push(Probe::open(node.address).await?);
        nodes.push(node);
    }
    let mut lags = Vec::with_capacity(options.changes);
    for number in 1..=options.changes {
        lags.push(change(&mut writer, &mut probes, number, grain).await?);
    }
    print(&options_title(options.changes, options.keys, grain), &lags)
}

fn options_title(changes: usize, keys: usize, grain: Duration) -> String {
    format!("{changes} changes beside {keys} API keys, asked every {grain:?}")
}

/// Makes one change, and waits until all gateways serve it.
async fn change(
    writer: &mut Writer,
    probes: &mut Vec<Probe>,
    number: usize,
    grain: Duration,
) -> Result<Lag> {
    let mut tasks = JoinSet::new();
    for (index, mut probe_) in probes.drain(..).enumerate() {
        let credential = probe(number);
        tasks.spawn(async move {
            let seen = probe_.until(&credential, grain).await?;
            anyhow::Ok((index, seen, probe_))
        });
    }
    let start = Instant::now();
    let document = api_key("probe", &probe(number), 0);
    writer.put((PROBE.to_owned(), document)).await?;
    let told = Instant::now();
    let mut ended = Vec::new();
    while let Some(one) = tasks.join_next().await {
        ended.push(one.map_err(|error| anyhow!(error)).flatten()?);
    }
    ended.sort_unstable_by_key(|(index, ..)| *index);
    let mut nodes = Vec::new();
    for (_, seen, probe_) in ended {
        nodes.push(seen.saturating_duration_since(told));
        probes.push(probe_);
    }
    let put = told - start;
    Ok(Lag { put, nodes })
}

fn print(title: &str, lags: &[Lag]) -> Result<()> {
    let mut table = Table::new(title);
    let puts: Vec<_> = lags.iter().map(|lag| lag.put).collect();
    table.percentiles("etcd acknowledges", &puts);
    let first: Vec<_> = lags.iter().flat_map(|lag| lag.nodes.iter().min()).collect();
    let first: Vec<_> = first.into_iter().copied().collect();
    table.percentiles("after that, effective on the first gateway", &first);
    let all: Vec<_> = lags.iter().flat_map(|lag| lag.nodes.iter().max()).collect();
    let all: Vec<_> = all.into_iter().copied().collect();
    table.percentiles("after that, effective on all gateways", &all);
    table.print()
}
