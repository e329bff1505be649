//! A report as Markdown.

use super::{Figures, Report, Resident, Translation};
use crate::subject::Kind;

/// KiB as MiB with one decimal.
pub(crate) fn mib(kib: u64) -> String {
    format!("{:.1}", kib as f64 / 1024.0)
}

impl Report {
    /// The tables, and what went wrong below them.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!(
            "{} rounds, concurrency {} for CPU and 1 for latency, scale {}; {}.\n\n",
            self.rounds, self.size.concurrency, self.size.scale, self.machine
        );
        text += "| Scenario | Subject | CPU µs/call | × bare | Aim | p50 µs | p99 µs | added p50 | added p99 | first µs | added first | Windows |\n";
        text += "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
        text.extend(self.figures.iter().map(Figures::row));
        if !self.translations.is_empty() {
            text += "\n| Translated | CPU µs/call | verbatim | × | more per event |\n|---|---:|---:|---:|---:|\n";
            text.extend(self.translations.iter().map(Translation::row));
        }
        text += "\n| RSS, MiB | idle | peak | rested |\n|---|---:|---:|---:|\n";
        text.extend(self.resident.iter().map(Resident::row));
        let skipped = self.skipped.iter();
        let skipped = skipped.map(|s| format!("{}: {}", s.subject.name(), s.reason));
        section(&mut text, "Skipped", skipped);
        section(&mut text, "Voided windows", self.voided.iter().cloned());
        section(&mut text, "Missed aims", self.missed.iter().cloned());
        text
    }
}

impl Figures {
    fn row(&self) -> String {
        let is_stream = self.scenario.is_stream();
        let aim = self.scenario.aim().filter(|_| self.subject == Kind::Aisix);
        let cells = [
            self.scenario.title().to_owned(),
            self.subject.name().to_owned(),
            cell(self.cpu_us, 1),
            cell(self.cpu_ratio, 2),
            cell(aim, 1),
            cell(Some(self.p50_us), 0),
            cell(Some(self.p99_us), 0),
            cell(self.added_p50_us, 0),
            cell(self.added_p99_us, 0),
            cell(is_stream.then_some(self.first_us), 0),
            cell(self.added_first_us.filter(|_| is_stream), 0),
            self.windows.to_string(),
        ];
        line(&cells)
    }
}

impl Translation {
    fn row(&self) -> String {
        line(&[
            self.scenario.title().to_owned(),
            cell(Some(self.cpu_us), 1),
            cell(Some(self.verbatim_us), 1),
            cell(Some(self.ratio), 2),
            cell(self.per_event_us, 2),
        ])
    }
}

impl Resident {
    fn row(&self) -> String {
        line(&[
            self.subject.name().to_owned(),
            mib(self.idle_kib),
            mib(self.peak_kib),
            mib(self.rested_kib),
        ])
    }
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn cell(value: Option<f64>, decimals: usize) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.decimals$}"))
}

fn section(text: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    let mut lines = lines.map(|line| format!("- {line}\n")).peekable();
    if lines.peek().is_some() {
        text.push_str(&format!("\n{title}:\n"));
        text.extend(lines);
    }
}
