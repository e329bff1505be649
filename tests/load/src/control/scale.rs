//! `control scale`: many API keys and models in etcd.

use super::boot::boot;
use super::documents::{PROBE, all, api_key, caller, model, probe, provider_key};
use super::etcd::{Etcd, Writer};
use super::node::{Node, Source};
use super::{latency, lookup};
use crate::rig::{self, Rig};
use crate::stats::micros;
use crate::table::Table;
use anyhow::Result;
use serde_json::Value;
use std::time::Duration;

/// How much there is, and how often it is measured.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    rig: rig::Options,
    /// How many API keys
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    keys: u32,
    /// How many models, all of one provider key
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    models: u32,
    /// How many changes the cost of one is told by
    #[arg(long, default_value_t = 1_000)]
    changes: usize,
    /// How many changes come in a second while calls are made
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    rate: u16,
    /// How many calls a window has
    #[arg(long, default_value_t = 20_000)]
    calls: usize,
    /// How often every window is measured; the figures are the medians
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How often the gateway is booted
    #[arg(long, default_value_t = 3)]
    boots: usize,
    /// Seconds of rest before the memory is read for the last time
    #[arg(long, default_value_t = 15)]
    rest: u64,
}

/// What gateways follow.
pub(super) const PREFIX: &str = "/aisix";

/// Measures and prints the table.
pub(super) async fn run(options: Options) -> Result<()> {
    let (keys, models) = (options.keys as usize, options.models as usize);
    let rig = Rig::start(options.rig).await?;
    let etcd = Etcd::start(rig.load_core(), rig.folder()).await?;
    let mut writer = etcd.writer(PREFIX).await?;
    writer.fill(all(rig.upstream(), keys, models)).await?;

    let rounds = options.rounds;
    let title = format!("{keys} API keys and {models} models in etcd, {rounds} rounds");
    let mut table = Table::new(&title);
    let source = Source::Etcd(etcd.address, PREFIX);
    let node = boot(&mut table, &rig, &source, (options.boots, options.rest)).await?;
    let calls = (options.calls, rounds);
    latency::measure(&mut table, &etcd, &node, keys, (options.rate, calls)).await?;
    changes(
        &mut table,
        &rig,
        &node,
        &mut writer,
        &options.changes,
        keys,
        models,
    )
    .await?;
    lookup::measure(&mut table, &rig, &etcd, (node, keys), calls).await?;
    table.print()
}

/// What changes cost: CPU of the gateway from the first one until all are served.
async fn changes(
    table: &mut Table,
    rig: &Rig,
    node: &Node,
    writer: &mut Writer,
    count: &usize,
    keys: usize,
    models: usize,
) -> Result<()> {
    let upstream = rig.upstream();
    let of_keys = (1..=*count).map(|n| caller(n % keys, n));
    let spent = cost(node, writer, of_keys, 1).await? / *count as f64;
    table.once("CPU per change of an API key", format!("{spent:.0} µs"));
    let of_models = (1..=*count).map(|n| model(n % models, n));
    let spent = cost(node, writer, of_models, 2).await? / *count as f64;
    table.once("CPU per change of a model", format!("{spent:.0} µs"));
    let of_all = (1..=5).map(|n| provider_key(upstream, &format!("mock-{n}")));
    let spent = cost(node, writer, of_all, 3).await? / 5e3;
    table.once(
        "CPU per change of the provider key of all models",
        format!("{spent:.1} ms"),
    );
    Ok(())
}

/// Makes changes, and gives the CPU time in microseconds until all are served.
async fn cost(
    node: &Node,
    writer: &mut Writer,
    changes: impl Iterator<Item = (String, Value)>,
    last: usize,
) -> Result<f64> {
    let before = node.process.usage()?;
    for change in changes {
        writer.put(change).await?;
    }
    // Changes are served in order: with this one all are.
    let credential = probe(last);
    let end = (PROBE.to_owned(), api_key("probe", &credential, 0));
    writer.put(end).await?;
    node.serves(&credential, Duration::from_millis(5)).await?;
    Ok(micros(node.process.usage()?.since(&before)))
}

/// The first callers of the same kind of document, below another prefix.
pub(super) async fn fill_besides(etcd: &Etcd, rig: &Rig, prefix: &str, keys: usize) -> Result<()> {
    let mut writer = etcd.writer(prefix).await?;
    writer.fill(all(rig.upstream(), keys, 1)).await
}
