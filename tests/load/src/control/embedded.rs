//! `control embedded`: many API keys through the Admin API into the embedded store.

use super::boot::boot;
use super::documents::{api_key, credential};
use super::node::{ADMIN_KEY, Node, Source, expect};
use super::plain;
use crate::client::Connection;
use crate::report::mib;
use crate::rig::{self, Rig};
use crate::stats::micros;
use crate::table::Table;
use anyhow::{Result, anyhow};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How much is written, and by how many.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    rig: rig::Options,
    /// How many API keys
    #[arg(long, default_value_t = 100_000)]
    keys: usize,
    /// Connections that write
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=60))]
    connections: u16,
    /// How many changes are made after the boot, one after the other
    #[arg(long, default_value_t = 1_000)]
    changes: usize,
    /// How often the gateway is booted
    #[arg(long, default_value_t = 3)]
    boots: usize,
    /// Seconds of rest before the memory is read for the last time
    #[arg(long, default_value_t = 15)]
    rest: u64,
}

/// A resource.
const KEYS: &str = "/aisix/admin/api_keys";

/// Measures and prints the table.
pub(super) async fn run(options: Options) -> Result<()> {
    let (keys, connections) = (options.keys, options.connections.into());
    let rig = Rig::start(options.rig).await?;
    let folder = rig.folder().join("data");
    let source = Source::Folder(folder.clone());
    let mut table = Table::new(&format!(
        "{keys} API keys through the Admin API on {connections} connections"
    ));
    let mut node = Node::start(&rig, &source).await?;
    let before = node.process.usage()?;
    let start = Instant::now();
    let samples = write(node.admin, keys, connections, 0).await?;
    let elapsed = start.elapsed();
    let spent = micros(node.process.usage()?.since(&before)) / keys as f64;
    table.once("all written", format!("{:.1} s", elapsed.as_secs_f64()));
    table.percentiles("one write", &samples);
    table.once("CPU per write", format!("{spent:.0} µs"));
    let size = std::fs::metadata(folder.join("store.redb"))?.len();
    table.once("file", format!("{} MiB", mib(size >> 10)));
    let memory = node.process.memory()?.resident;
    table.once("RSS after it", format!("{} MiB", mib(memory)));
    node.process.stop().await?;

    let node = boot(&mut table, &rig, &source, (options.boots, options.rest)).await?;
    // The first write reads everything once, for names and references.
    let first = write(node.admin, 1, 1, 1).await?;
    table.once(
        "first change after the boot",
        format!("{:.1} ms", first[0].as_secs_f64() * 1e3),
    );
    let before = node.process.usage()?;
    let samples = write(node.admin, options.changes, 1, 2).await?;
    let spent = micros(node.process.usage()?.since(&before)) / options.changes as f64;
    table.percentiles("one change, one after the other", &samples);
    table.once("CPU per such change", format!("{spent:.0} µs"));
    table.print()
}

/// Writes API keys; `rpm` is what differs from the last time.
async fn write(
    admin: SocketAddr,
    count: usize,
    connections: usize,
    rpm: usize,
) -> Result<Vec<Duration>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        tasks.spawn(repeat(admin, next.clone(), count, rpm));
    }
    let mut samples = Vec::with_capacity(count);
    while let Some(ended) = tasks.join_next().await {
        samples.extend(ended.map_err(|error| anyhow!(error)).flatten()?);
    }
    Ok(samples)
}

async fn repeat(
    admin: SocketAddr,
    next: Arc<AtomicUsize>,
    count: usize,
    rpm: usize,
) -> Result<Vec<Duration>> {
    let mut connection = Connection::open(admin).await?;
    let mut samples = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(samples);
        }
        let name = format!("caller-{number}");
        let document = api_key(&name, &credential(number), rpm).to_string();
        let path = format!("{KEYS}/{name}");
        let request = plain::request("PUT", admin, &path, ADMIN_KEY, &document);
        let (status, sample) = connection.exchange(&request).await?;
        expect(&connection, status, if rpm == 0 { 201 } else { 200 })?;
        samples.push(sample.total);
    }
}
