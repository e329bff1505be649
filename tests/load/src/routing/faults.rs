//! What callers see of targets that stall, fail and die.

use super::house::{House, Load};
use crate::bench::progress;
use crate::table::Table;
use anyhow::Result;
use std::time::Duration;

/// Connections.
const AT_A_TIME: usize = 8;
/// How long the upstream that dies is asked before it does.
const LIFE: Duration = Duration::from_millis(20);

/// Asks groups with such targets; one of the upstreams is dead afterwards.
pub(super) async fn measure(table: &mut Table, house: &mut House, calls: usize) -> Result<()> {
    let models = [
        ("all well", "round_robin"),
        (
            "one of three answers after 500 ms, round_robin",
            "one stalls",
        ),
        (
            "one of three answers after 500 ms, least_busy",
            "one stalls, least_busy",
        ),
        (
            "one of three answers after 5 s and one fails each tenth call, least_busy",
            "one is slow and one fails",
        ),
    ];
    for (title, model) in models {
        let load = house.load(model, calls, AT_A_TIME).await?;
        tell(table, title, calls, &load);
    }
    let mut dying = house.give_up(1);
    let die = async {
        tokio::time::sleep(LIFE).await;
        dying.stop().await
    };
    let (load, died) = tokio::join!(house.load("round_robin", calls, AT_A_TIME), die);
    died?;
    let load = load?;
    tell(table, "one of three dies, round_robin", calls, &load);
    Ok(())
}

fn tell(table: &mut Table, title: &str, calls: usize, load: &Load) {
    progress(format_args!("{title}: {} failed", load.failed));
    table.once(&format!("{title}: failed of {calls} calls"), load.failed);
    table.percentiles(title, &load.times);
}
