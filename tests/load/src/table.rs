//! Figures in the order in which they were found.

use crate::report::Machine;
use crate::stats::median;
use anyhow::Result;
use std::io::Write;
use std::time::Duration;

/// Figures as a Markdown table.
pub(crate) struct Table {
    text: String,
}

impl Table {
    /// Starts one; the title says what was measured, and with how much.
    pub(crate) fn new(title: &str) -> Self {
        let machine = Machine::read();
        Self {
            text: format!("{title}; {machine}.\n\n| Figure | Value | Spread |\n|---|---:|---:|\n"),
        }
    }

    /// Adds a figure that was found once.
    pub(crate) fn once(&mut self, what: &str, value: impl std::fmt::Display) {
        self.text += &format!("| {what} | {value} | |\n");
    }

    /// Adds the median of a figure, with the least and the greatest value; nothing without values.
    pub(crate) fn median(&mut self, what: &str, unit: &str, values: &[f64]) {
        let Some(middle) = median(values.iter().copied()) else {
            return;
        };
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        self.text += &format!("| {what} | {middle:.1} {unit} | {least:.1}–{most:.1} |\n");
    }

    /// Adds percentiles of durations, in milliseconds; the spread is the longest.
    pub(crate) fn percentiles(&mut self, what: &str, samples: &[Duration]) {
        let at = |percent| crate::stats::percentile(samples.iter().copied(), percent);
        for percent in [50, 99] {
            let millis = at(percent).unwrap_or_default() / 1e3;
            let most = at(100).unwrap_or_default() / 1e3;
            self.text += &format!("| {what}, p{percent} | {millis:.2} ms | at most {most:.2} |\n");
        }
    }

    /// Prints it.
    pub(crate) fn print(self) -> Result<()> {
        Ok(std::io::stdout().write_all(self.text.as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_their_spread() {
        let mut table = Table::new("3 rounds");
        table.median("cost", "µs", &[3.0, 1.0, 2.0]);
        table.median("nothing", "µs", &[]);
        table.percentiles("lag", &[1, 2, 3].map(Duration::from_millis));
        let rows: Vec<_> = table.text.lines().skip(4).collect();
        let expected = [
            "| cost | 2.0 µs | 1.0–3.0 |",
            "| lag, p50 | 2.00 ms | at most 3.00 |",
            "| lag, p99 | 3.00 ms | at most 3.00 |",
        ];
        assert_eq!(rows, expected);
    }
}
