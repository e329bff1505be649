//! `soak`: the memory of one subject over many small calls and a burst of large ones.

use crate::bench::progress;
use crate::crew::Crew;
use crate::process::{Memory, Process};
use crate::report::mib;
use crate::rig::{self, Rig};
use crate::scenario::Scenario;
use crate::subject::{Kind, Subject};
use anyhow::{Context, Result, ensure};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// The growth, in KiB, between the tenth part of the small calls and their end that still counts as none.
const GROWTH_LIMIT: u64 = 1 << 10;

/// How near to idle, in KiB, the memory must come back after the burst.
const NEAR_IDLE: u64 = 8 << 10;

/// What the subject goes through.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    rig: rig::Options,
    /// The subject
    #[arg(long, default_value = "aisix")]
    subject: Kind,
    /// How many chats of 1 KB
    #[arg(long, default_value_t = 200_000)]
    calls: usize,
    /// How many chats of 100 KB after them
    #[arg(long, default_value_t = 5_000)]
    burst: usize,
    /// Connections
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
    /// Seconds of rest before the memory is read for the last time
    #[arg(long, default_value_t = 10)]
    rest: u64,
    /// Exit with code 1 when the memory grows or does not come back near idle
    #[arg(long)]
    enforce: bool,
}

/// The memory of the subject at each point, in the order they are reached.
struct Course {
    idle: Memory,
    warm: Memory,
    after: Memory,
    burst: Memory,
    rested: Memory,
}

/// Runs the calls and prints the memory before, between and after them.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let rig = Rig::start(options.rig).await?;
    let subject = rig.subject(options.subject).await?;
    let size = options.concurrency.into();
    let rest = Duration::from_secs(options.rest);
    let course = Course::take(&subject, options.calls, options.burst, size, rest).await?;
    let name = subject.kind.name();
    std::io::stdout().write_all(course.markdown(name).as_bytes())?;
    let bad = options.enforce && !course.good();
    Ok(ExitCode::from(u8::from(bad)))
}

impl Course {
    async fn take(
        subject: &Subject,
        calls: usize,
        burst: usize,
        size: usize,
        rest: Duration,
    ) -> Result<Self> {
        let process = subject.process.as_ref();
        let process = process.context("this subject has no process of its own")?;
        ensure!(calls >= 10, "at least 10 calls are needed");
        let small = Scenario::Small.call(subject.address);
        let large = Scenario::Large.call(subject.address);
        let mut crew = Crew::open(subject.address, size).await?;
        let mut parts = Vec::new();
        for part in 0..10 {
            // The parts add up to the whole whatever the remainder.
            let count = calls * (part + 1) / 10 - calls * part / 10;
            crew.work(&small, count).await?;
            parts.push(read(process, "small calls")?);
        }
        crew.work(&large, burst).await?;
        let burst = read(process, "burst")?;
        drop(crew);
        tokio::time::sleep(rest).await;
        Ok(Self {
            idle: subject.idle.context("its idle memory is not known")?,
            warm: *parts.first().context("no small calls")?,
            after: *parts.last().context("no small calls")?,
            burst,
            rested: read(process, "rest")?,
        })
    }

    fn good(&self) -> bool {
        self.after.resident <= self.warm.resident + GROWTH_LIMIT
            && self.rested.resident <= self.idle.resident + NEAR_IDLE
    }

    fn markdown(&self, subject: &str) -> String {
        let rows = [
            ("idle, before the first call", self.idle.resident),
            ("after a tenth of the small calls", self.warm.resident),
            ("after all small calls", self.after.resident),
            ("peak of the small calls", self.after.peak),
            ("after the burst of large calls", self.burst.resident),
            ("peak of everything", self.rested.peak),
            ("after the rest", self.rested.resident),
        ];
        let rows = rows.map(|(point, kib)| format!("| {point} | {} |\n", mib(kib)));
        format!("| {subject} | RSS, MiB |\n|---|---:|\n{}", rows.concat())
    }
}

fn read(process: &Process, point: &str) -> Result<Memory> {
    let memory = process.memory()?;
    progress(format_args!("{point}: {} MiB", mib(memory.resident)));
    Ok(memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(after: u64, rested: u64) -> Course {
        let memory = |resident| Memory {
            resident,
            peak: 90_000,
        };
        Course {
            idle: memory(10_000),
            warm: memory(12_000),
            after: memory(after),
            burst: memory(80_000),
            rested: memory(rested),
        }
    }

    #[test]
    fn growth_and_memory_that_stays_are_bad() {
        assert!(course(12_900, 14_000).good());
        assert!(!course(14_000, 14_000).good());
        assert!(!course(12_000, 40_000).good());
    }

    #[test]
    fn the_table_is_in_mib() {
        let table = course(12_288, 14_000).markdown("bare");
        assert!(table.contains("| after all small calls | 12.0 |\n"));
    }
}
