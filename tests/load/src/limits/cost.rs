//! What a limit in Redis costs beside one in memory.

use super::fleet::{Fleet, UNLIMITED, chat};
use crate::bench::progress;
use crate::client::{Connection, Expect};
use crate::process::Process;
use crate::stats::{micros, percentile};
use crate::subject::Subject;
use crate::table::Table;
use anyhow::{Context, Result};

/// The figures: latencies and CPU time.
const FIGURES: [&str; 3] = ["latency p50", "latency p99", "CPU per call"];

/// Calls both in turn, one call at a time.
pub(super) async fn measure(
    table: &mut Table,
    fleet: &Fleet,
    rounds: usize,
    calls: usize,
) -> Result<()> {
    let places = [("in memory", &fleet.alone), ("in Redis", &fleet.shared[0])];
    let mut found: [[Vec<f64>; 2]; FIGURES.len()] = Default::default();
    for round in 1..=rounds {
        for (place, (name, gateway)) in places.into_iter().enumerate() {
            let figures = once(gateway, calls).await?;
            progress(format_args!("round {round}, {name}: {figures:.0?} µs"));
            for (found, figure) in found.iter_mut().zip(figures) {
                found[place].push(figure);
            }
        }
    }
    for (figure, [memory, redis]) in FIGURES.into_iter().zip(found) {
        table.median(&format!("{figure}, limits in memory"), "µs", &memory);
        table.median(&format!("{figure}, limits in Redis"), "µs", &redis);
        let more: Vec<_> = redis
            .iter()
            .zip(&memory)
            .map(|(redis, memory)| redis - memory)
            .collect();
        table.median(&format!("{figure}, more in Redis"), "µs", &more);
    }
    Ok(())
}

async fn once(gateway: &Subject, calls: usize) -> Result<[f64; 3]> {
    let request = chat(gateway.address, UNLIMITED);
    let mut connection = Connection::open(gateway.address).await?;
    for _ in 0..calls.div_ceil(20) {
        connection.call(&request, Expect::Chat).await?;
    }
    let usage = || gateway.process.as_ref().map(Process::usage).transpose();
    let before = usage()?;
    let mut samples = Vec::with_capacity(calls);
    for _ in 0..calls {
        samples.push(connection.call(&request, Expect::Chat).await?.total);
    }
    let spent = usage()?.zip(before).map(|(now, before)| now.since(&before));
    let at = |percent| percentile(samples.iter().copied(), percent).context("no samples");
    let cpu = micros(spent.context("a gateway has a process")?) / calls as f64;
    Ok([at(50)?, at(99)?, cpu])
}
