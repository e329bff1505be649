//! What part of the calls each target gets.

use super::house::{House, TARGETS, WEIGHTS};
use crate::table::Table;
use anyhow::{Result, ensure};

/// Connections.
const AT_A_TIME: usize = 8;

/// Asks a group of each strategy.
pub(super) async fn measure(table: &mut Table, house: &House, calls: usize) -> Result<()> {
    for strategy in ["round_robin", "random", "consistent_hash"] {
        let before = house.taken().await?;
        let load = house.load(strategy, calls, AT_A_TIME).await?;
        ensure!(load.failed == 0, "{} calls failed", load.failed);
        let taken = house.taken().await?;
        let whole: u32 = WEIGHTS.iter().sum();
        for (place, target) in TARGETS.iter().enumerate() {
            let share = (taken[place] - before[place]) as f64 / calls as f64;
            let wanted = f64::from(WEIGHTS[place]) / f64::from(whole);
            let what = format!(
                "{strategy}, share of {target}, by weight {:.0} %",
                wanted * 100.0
            );
            table.once(&what, format_args!("{:.2} %", share * 100.0));
        }
    }
    Ok(())
}
