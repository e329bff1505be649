//! `run`: all subjects in all scenarios, in interleaved rounds.

use crate::report::{Record, Report, Resident, Skipped};
use crate::rig::{self, Rig};
use crate::scenario::Scenario;
use crate::subject::{Kind, Subject};
use crate::window::{self, Size};
use anyhow::{Context, Result};
use clap::ValueEnum;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// What is measured, and how much of it.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    rig: rig::Options,
    /// How often every window is measured; the figures are the medians
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// What the number of calls in a window is multiplied by
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Connections while the CPU time is measured
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
    /// The subjects [default: all]
    #[arg(long, value_delimiter = ',')]
    subjects: Vec<Kind>,
    /// The scenarios [default: all]
    #[arg(long, value_delimiter = ',')]
    scenarios: Vec<Scenario>,
    /// Seconds of rest before the memory is read for the last time
    #[arg(long, default_value_t = 10)]
    rest: u64,
    /// Where the figures go as JSON
    #[arg(long, default_value = "target/aisix-load.json")]
    json: PathBuf,
    /// Exit with code 1 when an aim is missed, a window voided or a subject skipped
    #[arg(long)]
    enforce: bool,
}

/// Measures, prints the Markdown and writes the JSON.
pub(crate) async fn run(options: Options) -> Result<ExitCode> {
    let size = Size {
        concurrency: options.concurrency.into(),
        scale: options.scale,
    };
    let scenarios = or_all(options.scenarios);
    let rig = Rig::start(options.rig).await?;
    let (mut subjects, skipped) = start(&rig, &or_all(options.subjects)).await;
    let mut records = Vec::new();
    for round in 1..=options.rounds {
        for &scenario in &scenarios {
            for subject in &mut subjects {
                let window = window::measure(subject, scenario, size).await;
                let record = Record {
                    round,
                    scenario,
                    subject: subject.kind,
                    window: window.map_err(|e| format!("{e:#}")),
                };
                progress(format_args!("{record}"));
                records.push(record);
            }
        }
    }
    tokio::time::sleep(Duration::from_secs(options.rest)).await;
    let resident = subjects.iter().filter_map(Resident::of).collect();
    let report = Report::new(size, options.rounds, skipped, &records, resident);
    if let Some(folder) = options.json.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&options.json, serde_json::to_vec_pretty(&report)?)
        .with_context(|| options.json.display().to_string())?;
    std::io::stdout().write_all(report.markdown().as_bytes())?;
    Ok(ExitCode::from(u8::from(options.enforce && !report.good())))
}

/// Starts the subjects; those that cannot start are reported and left out.
async fn start(rig: &Rig, kinds: &[Kind]) -> (Vec<Subject>, Vec<Skipped>) {
    let mut subjects = Vec::new();
    let mut skipped = Vec::new();
    for &kind in kinds {
        match rig.subject(kind).await {
            Ok(subject) => subjects.push(subject),
            Err(error) => {
                let reason = format!("{error:#}");
                progress(format_args!("error: {} is skipped: {reason}", kind.name()));
                skipped.push(Skipped {
                    subject: kind,
                    reason,
                });
            }
        }
    }
    (subjects, skipped)
}

fn or_all<T: ValueEnum>(chosen: Vec<T>) -> Vec<T> {
    match chosen.is_empty() {
        true => T::value_variants().to_vec(),
        false => chosen,
    }
}

/// Says on stderr what has been done; a closed stderr is no reason to stop.
pub(crate) fn progress(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
