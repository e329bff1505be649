//! The latency of calls while changes come.

use super::documents::{caller, chat};
use super::etcd::{Etcd, Writer};
use super::node::Node;
use super::scale::PREFIX;
use crate::bench::progress;
use crate::crew::Crew;
use crate::stats::percentile;
use crate::table::Table;
use anyhow::{Context, Result, anyhow};
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval};

/// The kinds of window: what they are called, and where changes are made meanwhile.
const WINDOWS: [(&str, Option<&str>); 3] = [
    ("no changes", None),
    ("changes that are not followed", Some("/elsewhere")),
    ("changes", Some(PREFIX)),
];

/// Makes calls one at a time, while changes come, come elsewhere, or do not come; `rate` is how many in a second.
pub(super) async fn measure(
    table: &mut Table,
    etcd: &Etcd,
    node: &Node,
    keys: usize,
    (rate, (calls, rounds)): (u16, (usize, usize)),
) -> Result<()> {
    let call = chat(node.address, keys);
    let mut crew = Crew::open(node.address, 1).await?;
    crew.work(&call, calls.div_ceil(5)).await?;
    let mut found: [[Vec<f64>; 3]; WINDOWS.len()] = Default::default();
    for round in 1..=rounds {
        for (found, (name, prefix)) in found.iter_mut().zip(WINDOWS) {
            let changing = match prefix {
                Some(prefix) => {
                    let writer = etcd.writer(prefix).await?;
                    Some(tokio::spawn(write(writer, keys, rate)))
                }
                None => None,
            };
            let start = Instant::now();
            let ended = crew.work(&call, calls).await;
            let made = start.elapsed();
            if let Some(changing) = changing {
                // It only ends by itself when it cannot go on.
                match changing.is_finished() {
                    true => changing.await.map_err(|error| anyhow!(error))??,
                    false => changing.abort(),
                }
            }
            let samples = ended?.samples;
            let at = |percent| percentile(samples.iter().map(|sample| sample.total), percent);
            let values = [50, 99, 100].map(at);
            for (found, value) in found.iter_mut().zip(values) {
                found.push(value.context("no samples")?);
            }
            progress(format_args!(
                "round {round}, {name}: {values:.0?} µs in {made:.1?}"
            ));
        }
    }
    for (at, percentile) in ["p50", "p99", "longest"].into_iter().enumerate() {
        for (found, (name, _)) in found.iter().zip(WINDOWS) {
            let changes = name.replace("changes", &format!("{rate} changes/s"));
            let name = if name == "no changes" { name } else { &changes };
            table.median(&format!("{percentile} of calls, {name}"), "µs", &found[at]);
        }
    }
    Ok(())
}

/// Makes changes for as long as it is let.
async fn write(mut writer: Writer, keys: usize, rate: u16) -> Result<()> {
    let mut ticks = interval(Duration::from_secs(1) / u32::from(rate));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for number in 1.. {
        ticks.tick().await;
        // Far apart, so that they do not share what a change of the next one touches too.
        writer.put(caller(number * 7_919 % keys, number)).await?;
    }
    Ok(())
}
