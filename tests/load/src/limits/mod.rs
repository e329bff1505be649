//! `limits`: how exact limits are that several gateways share in Redis, and what they cost.
//!
//! Gateways, each a process of its own, share one Redis and one caller. In each window the caller offers ten times its limit, to all
//! of them at the same time. Told is how much they admit together, and the worst overshoot:
//!
//! - `rpm`, `tpm`: each round is a new caller with a window of its own, and lies in one minute of the clock.
//! - `rps`: windows follow one another. All calls of one are made between its beginning and its end; one in which they were not
//!   is left out, and counted.
//!
//! Then one gateway that counts in Redis and one that counts in memory are called in turn, one call at a time.

mod cost;
mod fleet;
mod overshoot;

use crate::rig::{self, Rig};
use crate::table::Table;
use anyhow::Result;
use fleet::Fleet;
use std::process::ExitCode;

/// What is measured, and how much of it.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    rig: rig::Options,
    /// The Redis program
    #[arg(long, default_value = "redis-server")]
    redis: std::path::PathBuf,
    /// How many gateways share a limit
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    gateways: u16,
    /// How many windows of each kind there are
    #[arg(long, default_value_t = 20)]
    windows: usize,
    /// How often the latency is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Calls of each gateway in one round
    #[arg(long, default_value_t = 2_000)]
    calls: usize,
}

/// Measures, and prints the table.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let rig = Rig::start(options.rig).await?;
    let fleet = Fleet::start(
        &rig,
        &options.redis,
        options.gateways.into(),
        options.windows,
    )
    .await?;
    let mut table = Table::new(&format!(
        "{} gateways, {} windows; latency: {} rounds of {} calls",
        options.gateways, options.windows, options.rounds, options.calls
    ));
    overshoot::measure(&mut table, &fleet, options.windows).await?;
    cost::measure(&mut table, &fleet, options.rounds, options.calls).await?;
    table.print()?;
    Ok(ExitCode::SUCCESS)
}
