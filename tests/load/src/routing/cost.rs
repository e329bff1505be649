//! What routing costs.

use super::house::{House, Load};
use crate::bench::progress;
use crate::process::Process;
use crate::stats::micros;
use crate::table::Table;
use anyhow::{Context, Result, ensure};

/// Connections.
const AT_A_TIME: usize = 8;
/// How many calls a window has, before it is scaled.
const CALLS: usize = 10_000;
/// The model that stands for itself, and those that stand for three.
const MODELS: [&str; 4] = ["a", "failover", "round_robin", "consistent_hash"];

/// Asks all of them in turn, in each round.
pub(super) async fn measure(
    table: &mut Table,
    house: &House,
    rounds: usize,
    scale: f64,
) -> Result<()> {
    let calls = ((CALLS as f64 * scale) as usize).max(AT_A_TIME);
    let mut found = MODELS.map(|_| Vec::new());
    for round in 1..=rounds {
        for (model, found) in MODELS.into_iter().zip(&mut found) {
            let cpu = once(house, model, calls).await?;
            progress(format_args!("round {round}, {model}: {cpu:.1} µs"));
            found.push(cpu);
        }
    }
    table.median(
        "CPU per call of a model that stands for itself",
        "µs",
        &found[0],
    );
    for (model, cpu) in MODELS.into_iter().zip(&found).skip(1) {
        table.median(&format!("CPU per call, {model} of three"), "µs", cpu);
        let more = cpu
            .iter()
            .zip(&found[0])
            .map(|(cpu, alone)| (cpu / alone - 1.0) * 100.0);
        let more: Vec<_> = more.collect();
        table.median(&format!("{model} of three, more than that"), "%", &more);
    }
    Ok(())
}

async fn once(house: &House, model: &str, calls: usize) -> Result<f64> {
    let usage = || {
        house
            .gateway
            .process
            .as_ref()
            .map(Process::usage)
            .transpose()
    };
    house.load(model, calls.div_ceil(20), AT_A_TIME).await?;
    let before = usage()?;
    let Load { failed, .. } = house.load(model, calls, AT_A_TIME).await?;
    ensure!(failed == 0, "{failed} calls failed");
    let spent = usage()?.zip(before).map(|(now, before)| now.since(&before));
    Ok(micros(spent.context("a gateway has a process")?) / calls as f64)
}
