//! `routing`: what models with several targets do under load, and what they cost.
//!
//! One gateway, and three mock upstreams, each with a target. Told is:
//!
//! - the share of each target of calls that are made, by strategy, as the upstreams count them;
//! - how many callers see a failure when an upstream dies while they ask, and when one of three fails each tenth call beside one
//!   that takes seconds;
//! - how long calls take when one of three stalls, beside the same when all are well;
//! - CPU time of the gateway per call of a model that stands for others, beside one that stands for itself.

mod cost;
mod faults;
mod house;
mod shares;

use crate::rig::{self, Rig};
use crate::table::Table;
use anyhow::Result;
use house::House;
use std::process::ExitCode;

/// What is measured, and how much of it.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    rig: rig::Options,
    /// How many calls a share is told of; faults are told of a fifth of that
    #[arg(long, default_value_t = 10_000)]
    calls: usize,
    /// How often the cost is measured
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// What the number of calls in a window of the cost is multiplied by
    #[arg(long, default_value_t = 0.5)]
    scale: f64,
}

/// Measures, and prints the table.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let rig = Rig::start(options.rig).await?;
    let mut house = House::start(&rig).await?;
    let mut table = Table::new(&format!(
        "{} calls; cost: {} rounds, scale {}",
        options.calls, options.rounds, options.scale
    ));
    shares::measure(&mut table, &house, options.calls).await?;
    cost::measure(&mut table, &house, options.rounds, options.scale).await?;
    faults::measure(&mut table, &mut house, options.calls / 5).await?;
    table.print()?;
    Ok(ExitCode::SUCCESS)
}
