//! What a run found: medians per scenario and subject, memory, and what went wrong.

mod aims;
mod table;

use crate::process::Memory;
use crate::scenario::Scenario;
use crate::stats::median;
use crate::subject::{Kind, Subject};
use crate::window::{Size, Window};
use serde::Serialize;
use std::fmt;

pub(crate) use table::mib;

/// One measured window.
#[derive(Debug)]
pub(crate) struct Record {
    /// Counted from 1.
    pub(crate) round: usize,
    /// The kind of call.
    pub(crate) scenario: Scenario,
    /// Who was measured.
    pub(crate) subject: Kind,
    /// The figures, or why the window is void.
    pub(crate) window: Result<Window, String>,
}

/// A subject that could not start.
#[derive(Debug, Serialize)]
pub(crate) struct Skipped {
    /// Which.
    pub(crate) subject: Kind,
    /// Why.
    pub(crate) reason: String,
}

/// A subject's memory.
#[derive(Debug, Serialize)]
pub(crate) struct Resident {
    subject: Kind,
    idle_kib: u64,
    peak_kib: u64,
    rested_kib: u64,
}

/// The medians of one scenario and subject; times in microseconds.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Figures {
    scenario: Scenario,
    subject: Kind,
    /// How many windows the medians are of.
    windows: usize,
    cpu_us: Option<f64>,
    /// CPU as a multiple of the bare proxy's.
    cpu_ratio: Option<f64>,
    calls_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    first_us: f64,
    /// Above `direct`; `None` for itself and without it.
    added_p50_us: Option<f64>,
    added_p99_us: Option<f64>,
    added_first_us: Option<f64>,
}

/// What a translated kind of call costs the gateway beside the one that says the same and is passed on.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Translation {
    scenario: Scenario,
    cpu_us: f64,
    verbatim_us: f64,
    ratio: f64,
    /// The difference per event of a stream.
    per_event_us: Option<f64>,
}

/// A whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Machine,
    size: Size,
    rounds: usize,
    skipped: Vec<Skipped>,
    voided: Vec<String>,
    figures: Vec<Figures>,
    translations: Vec<Translation>,
    resident: Vec<Resident>,
    /// The aims that are missed, or cannot be judged.
    missed: Vec<String>,
}

/// Where it ran.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    kernel: String,
    /// Processes waiting to run, averaged over the last minute, at the end of the run.
    load: String,
}

impl Report {
    /// Sums up a run.
    pub(crate) fn new(
        size: Size,
        rounds: usize,
        skipped: Vec<Skipped>,
        records: &[Record],
        resident: Vec<Resident>,
    ) -> Self {
        let figures = figures(records);
        let translations = figures
            .iter()
            .filter_map(|own| Translation::of(own, &figures));
        let translations: Vec<_> = translations.collect();
        let void = |r: &&Record| r.window.is_err();
        Self {
            machine: Machine::read(),
            size,
            rounds,
            skipped,
            voided: records
                .iter()
                .filter(void)
                .map(ToString::to_string)
                .collect(),
            missed: aims::missed(&figures, &translations, &resident),
            figures,
            translations,
            resident,
        }
    }

    /// Whether every aim is met and nothing was left out.
    pub(crate) fn good(&self) -> bool {
        self.skipped.is_empty() && self.voided.is_empty() && self.missed.is_empty()
    }
}

impl Translation {
    /// Compares the gateway's figures with its own of the other kind of call.
    fn of(own: &Figures, all: &[Figures]) -> Option<Self> {
        /// The events of each stream.
        const EVENTS: f64 = 200.0;
        let verbatim = own.scenario.verbatim()?;
        let is = |f: &&Figures| f.subject == Kind::Aisix && f.scenario == verbatim;
        let cpu_us = own.cpu_us.filter(|_| own.subject == Kind::Aisix)?;
        let verbatim_us = all.iter().find(is)?.cpu_us?;
        let stream = own.scenario.is_stream();
        Some(Self {
            scenario: own.scenario,
            cpu_us,
            verbatim_us,
            ratio: cpu_us / verbatim_us,
            per_event_us: stream.then_some((cpu_us - verbatim_us) / EVENTS),
        })
    }
}

impl Resident {
    /// Reads the memory of a subject at rest; `None` without a process of its own, or when it has ended.
    pub(crate) fn of(subject: &Subject) -> Option<Self> {
        let now: Memory = subject.process.as_ref()?.memory().ok()?;
        Some(Self {
            subject: subject.kind,
            idle_kib: subject.idle?.resident,
            peak_kib: now.peak,
            rested_kib: now.resident,
        })
    }
}

impl Machine {
    pub(crate) fn read() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let model = processors
            .lines()
            .find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| Some(line.split_once(':')?.1.trim()));
        let load = read("/proc/loadavg");
        Self {
            processor: model.unwrap_or("unknown processor").to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: load.split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (processor, kernel, load) = (&self.processor, &self.kernel, &self.load);
        write!(f, "{processor}, Linux {kernel}, load {load}")
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (round, scenario, subject) = (self.round, self.scenario.title(), self.subject.name());
        write!(f, "round {round}, {scenario}, {subject}: ")?;
        match &self.window {
            Ok(window) => {
                if let Some(cpu) = window.cpu {
                    write!(f, "{cpu:.1} µs CPU, ")?;
                }
                write!(f, "p50 {:.0} µs, {:.0} calls/s", window.p50, window.rate)
            }
            Err(reason) => write!(f, "void: {reason}"),
        }
    }
}

/// The medians, in the order in which scenarios and subjects were first measured.
fn figures(records: &[Record]) -> Vec<Figures> {
    let mut all: Vec<Figures> = Vec::new();
    for record in records {
        let (scenario, subject) = (record.scenario, record.subject);
        let known = |f: &Figures| (f.scenario, f.subject) == (scenario, subject);
        if all.iter().any(known) {
            continue;
        }
        all.extend(Figures::of(records, scenario, subject));
    }
    all
}

impl Figures {
    /// The medians of one scenario and subject; `None` when all its windows are void.
    fn of(records: &[Record], scenario: Scenario, subject: Kind) -> Option<Self> {
        let of = |kind, value: fn(&Window) -> Option<f64>| {
            let own = |r: &&Record| r.scenario == scenario && r.subject == kind;
            let windows = records.iter().filter(own).flat_map(|r| &r.window);
            median(windows.filter_map(value))
        };
        let added = |value| {
            let direct = of(Kind::Direct, value).filter(|_| subject != Kind::Direct)?;
            Some(of(subject, value)? - direct)
        };
        let p50 = |w: &Window| Some(w.p50);
        let p99 = |w: &Window| Some(w.p99);
        let first = |w: &Window| Some(w.first);
        let cpu = of(subject, |w| w.cpu);
        let own = |r: &&Record| r.scenario == scenario && r.subject == subject && r.window.is_ok();
        Some(Self {
            scenario,
            subject,
            windows: records.iter().filter(own).count(),
            cpu_us: cpu,
            cpu_ratio: cpu.zip(of(Kind::Bare, |w| w.cpu)).map(|(a, b)| a / b),
            calls_per_second: of(subject, |w| Some(w.rate))?,
            p50_us: of(subject, p50)?,
            p99_us: of(subject, p99)?,
            first_us: of(subject, first)?,
            added_p50_us: added(p50),
            added_p99_us: added(p99),
            added_first_us: added(first),
        })
    }
}

#[cfg(test)]
mod tests;
