//! What is to be said about everything that is served.

use std::{collections::BTreeMap, sync::Arc};

use imbl::HashMap;
use parking_lot::Mutex;

use super::{Key, Kind, reconcile::Row, status};

/// What everything that is served comes to.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    /// The hash of all documents.
    pub(super) hash: String,
    /// How many resources of each kind there are.
    pub(super) counts: Vec<(Kind, usize)>,
    /// How many of them are served in an older version.
    pub(super) stale: Vec<(Kind, usize)>,
}

/// The latest summary, by the sequence of its snapshot.
#[derive(Debug, Default)]
pub(super) struct Latest(Mutex<Option<(u64, Arc<Summary>)>>);

// === impl Summary ===

impl Summary {
    /// Costs time that grows with the number of rows.
    fn of(rows: &HashMap<Key, Arc<Row>>) -> Self {
        let (mut counts, mut stale) = (BTreeMap::new(), BTreeMap::new());
        for (key, row) in rows {
            *counts.entry(key.kind).or_default() += 1;
            if row.stale_since.is_some() {
                *stale.entry(key.kind).or_default() += 1;
            }
        }
        Self {
            hash: status::hash(rows.iter().map(|(key, row)| (key, &*row.json))),
            counts: counts.into_iter().collect(),
            stale: stale.into_iter().collect(),
        }
    }
}

// === impl Latest ===

impl Latest {
    /// The summary of these rows, of which this is the sequence. Whoever asks at the same time waits for it
    /// instead of making it too.
    pub(super) fn of(&self, sequence: u64, rows: &HashMap<Key, Arc<Row>>) -> Arc<Summary> {
        let mut latest = self.0.lock();
        match &*latest {
            Some((of, summary)) if *of == sequence => summary.clone(),
            _ => {
                let summary = Arc::new(Summary::of(rows));
                *latest = Some((sequence, summary.clone()));
                summary
            }
        }
    }
}
