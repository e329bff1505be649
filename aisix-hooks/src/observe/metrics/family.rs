//! A metric's series by their labels.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;

use super::{
    cell::{Cell, Gauge},
    text,
};

/// A metric: its name, its labels, and a series for each combination of their values.
///
/// At most `max` series are kept; what comes after them is counted in one more, whose labels are all
/// `other`.
pub(super) struct Family<C> {
    name: &'static str,
    help: &'static str,
    labels: &'static [&'static str],
    max: usize,
    new: Box<dyn Fn() -> C + Send + Sync>,
    series: Mutex<BTreeMap<Arc<str>, Arc<C>>>,
}

/// Any family, to be rendered.
pub(super) trait Render: Send + Sync {
    fn render(&self, out: &mut String, minute: u64);
}

// === impl Family ===

impl<C: Cell> Family<C> {
    pub(super) fn new(
        name: &'static str,
        help: &'static str,
        labels: &'static [&'static str],
        max: usize,
        new: impl Fn() -> C + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            help,
            labels,
            max,
            new: Box::new(new),
            series: Mutex::default(),
        }
    }

    /// The series with these values, in the order of the labels. An empty value is `unknown`.
    pub(super) fn get(&self, values: &[&str]) -> Arc<C> {
        self.cell(&mut self.series.lock(), values)
    }

    fn cell(&self, series: &mut BTreeMap<Arc<str>, Arc<C>>, values: &[&str]) -> Arc<C> {
        debug_assert_eq!(values.len(), self.labels.len(), "{}", self.name);
        let mut key = text::labels(self.labels, values);
        if !series.contains_key(key.as_str()) && series.len() >= self.max {
            key = text::labels(self.labels, &vec!["other"; self.labels.len()]);
        }
        if let Some(cell) = series.get(key.as_str()) {
            return cell.clone();
        }
        let cell = Arc::new((self.new)());
        series.insert(key.into(), cell.clone());
        cell
    }
}

impl Family<Gauge> {
    /// Has these values and no others, all at once.
    pub(super) fn replace<'v, const N: usize>(
        &self,
        values: impl IntoIterator<Item = ([&'v str; N], i64)>,
    ) {
        let mut series = BTreeMap::new();
        for (labels, value) in values {
            self.cell(&mut series, &labels).set(value);
        }
        *self.series.lock() = series;
    }
}

impl<C: Cell> Render for Family<C> {
    fn render(&self, out: &mut String, minute: u64) {
        // Written without the lock: a worker may be waiting for it.
        let series: Vec<(Arc<str>, Arc<C>)> = self
            .series
            .lock()
            .iter()
            .map(|(labels, cell)| (labels.clone(), cell.clone()))
            .collect();
        if series.is_empty() {
            return;
        }
        text::head(out, self.name, self.help, C::KIND);
        for (labels, cell) in series {
            cell.write(out, self.name, &labels, minute);
        }
    }
}
