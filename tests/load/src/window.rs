//! One window: a subject under one kind of call, first busy for its cost, then one call at a time for its latency.

use crate::client::Sample;
use crate::crew::Crew;
use crate::process::Process;
use crate::scenario::Scenario;
use crate::stats::{micros, percentile};
use crate::subject::Subject;
use anyhow::{Context, Result};
use serde::Serialize;

/// How much load a window has.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Size {
    /// Connections while busy.
    pub(crate) concurrency: usize,
    /// What the scenario's numbers of calls are multiplied by.
    pub(crate) scale: f64,
}

/// The figures of one window; times in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Window {
    /// CPU time of the subject per call, while busy; `None` without a process of its own.
    pub(crate) cpu: Option<f64>,
    /// Calls per second while busy.
    pub(crate) rate: f64,
    /// Median latency at concurrency 1.
    pub(crate) p50: f64,
    /// 99th percentile of the latency at concurrency 1.
    pub(crate) p99: f64,
    /// Median time to the first byte of the body at concurrency 1.
    pub(crate) first: f64,
}

impl Size {
    fn of(self, calls: usize) -> usize {
        // A count of calls is far below what a float holds exactly.
        ((calls as f64 * self.scale) as usize).max(1)
    }
}

/// Measures one window; any failed call fails it.
pub(crate) async fn measure(
    subject: &mut Subject,
    scenario: Scenario,
    size: Size,
) -> Result<Window> {
    if let Some(process) = &mut subject.process {
        process.check()?;
    }
    let (cpu, rate) = busy(subject, scenario, size).await?;
    let call = scenario.call(subject.address);
    let calls = size.of(scenario.alone_calls());
    let mut crew = Crew::open(subject.address, 1).await?;
    crew.work(&call, warm_up(calls)).await?;
    let samples = crew.work(&call, calls).await?.samples;
    let total = |s: &Sample| s.total;
    let none = "no samples";
    Ok(Window {
        cpu,
        rate,
        p50: percentile(samples.iter().map(total), 50).context(none)?,
        p99: percentile(samples.iter().map(total), 99).context(none)?,
        first: percentile(samples.iter().map(|s| s.first), 50).context(none)?,
    })
}

/// Keeps the subject busy; gives its CPU time per call and the rate.
pub(crate) async fn busy(
    subject: &Subject,
    scenario: Scenario,
    size: Size,
) -> Result<(Option<f64>, f64)> {
    let call = scenario.call(subject.address);
    let calls = size.of(scenario.busy_calls()).max(size.concurrency);
    let mut crew = Crew::open(subject.address, size.concurrency).await?;
    crew.work(&call, warm_up(calls).max(size.concurrency))
        .await?;
    let usage = || subject.process.as_ref().map(Process::usage).transpose();
    let before = usage()?;
    let shift = crew.work(&call, calls).await?;
    let cpu = usage()?.zip(before).map(|(now, before)| now.since(&before));
    let calls = calls as f64;
    let rate = calls / shift.elapsed.as_secs_f64();
    Ok((cpu.map(|spent| micros(spent) / calls), rate))
}

/// How many calls go before those that count, for connections and caches.
fn warm_up(calls: usize) -> usize {
    calls.div_ceil(20)
}
