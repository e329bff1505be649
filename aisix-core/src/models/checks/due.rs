//! When which model is asked.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::Model;
use crate::{
    balance::health::Mode,
    config::{Snapshot, resource::BackgroundCheck},
};

/// When which model is asked, by its id.
#[derive(Default)]
pub(super) struct Due {
    sequence: Option<u64>,
    models: HashMap<Arc<str>, Entry>,
}

struct Entry {
    model: Arc<Model>,
    check: Arc<BackgroundCheck>,
    at: Instant,
    is_asked: bool,
}

// === impl Due ===

impl Due {
    /// Takes those that a snapshot wants to be checked, and no others.
    pub(super) fn follow(&mut self, snapshot: &Snapshot, now: Instant) {
        if self.sequence.replace(snapshot.sequence()) == Some(snapshot.sequence()) {
            return;
        }
        let mut old = std::mem::take(&mut self.models);
        for model in snapshot.models() {
            let Some(check) = checked(model) else {
                continue;
            };
            let old = old.remove(model.id());
            let by_lot = interval(check).mul_f64(fastrand::f64());
            let (at, is_asked) = match &old {
                Some(old) if old.check == *check => (old.at, old.is_asked),
                Some(old) => (old.at.min(now + by_lot), old.is_asked),
                None => (now + by_lot, false),
            };
            let entry = Entry {
                model: model.clone(),
                check: check.clone(),
                at,
                is_asked,
            };
            self.models.insert(model.id().clone(), entry);
        }
    }

    /// When the next one is to be asked.
    pub(super) fn next(&self) -> Option<Instant> {
        let waiting = self.models.values().filter(|entry| !entry.is_asked);
        waiting.map(|entry| entry.at).min()
    }

    /// The one that has waited for longest, if any is to be asked now.
    pub(super) fn take(&mut self, now: Instant) -> Option<Arc<Model>> {
        let waiting = self.models.values_mut();
        let waiting = waiting.filter(|entry| !entry.is_asked && entry.at <= now);
        let entry = waiting.min_by_key(|entry| entry.at)?;
        entry.is_asked = true;
        Some(entry.model.clone())
    }

    /// A model was asked. Says whether it is still to be checked.
    pub(super) fn asked(&mut self, id: &str, began: Instant) -> bool {
        let Some(entry) = self.models.get_mut(id) else {
            return false;
        };
        entry.is_asked = false;
        entry.at = began + interval(&entry.check);
        true
    }
}

/// What a model is to be asked, if it can be.
fn checked(model: &Model) -> Option<&Arc<BackgroundCheck>> {
    let target = model.target()?;
    // What a pattern stands for, only a caller can say.
    let is_known = !target.model_name.is_empty() && !target.model_name.contains('*');
    let is_on = target.health.mode != Mode::Disabled && target.endpoint.is_ok();
    target.check.as_ref().filter(|_| is_known && is_on)
}

/// A year at most, so that no clock ends.
fn interval(check: &BackgroundCheck) -> Duration {
    const YEAR: u64 = 365 * 24 * 3_600;
    Duration::from_secs(check.interval_seconds.clamp(1, YEAR))
}
