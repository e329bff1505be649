//! What the attempts of a request say.

use std::{sync::Arc, time::Duration};

use aisix_core::{
    call::{AttemptKind, AttemptRecord},
    config::resource::Cost,
    models::{Model, Target},
    wire::Usage,
};

use super::memory::address;

/// What the attempts of a request say.
#[derive(Default)]
pub(super) struct Attempts {
    /// The address of the last one's target, or 0.
    pub(super) target: usize,
    /// How long the last one took.
    pub(super) latency: Option<Duration>,
    /// What the last one used.
    pub(super) spent: Option<Spent>,
    /// What others used before, and where: panels do, and streams that were continued elsewhere.
    pub(super) spent_before: Vec<(Arc<Target>, Spent)>,
    /// Who took over from others.
    pub(super) fallbacks: Vec<Fallback>,
    /// Who was asked beside others, and what came of it.
    pub(super) hedges: Vec<(Arc<Model>, &'static str)>,
}

/// What an attempt used.
#[derive(Clone, Copy)]
pub(super) struct Spent {
    pub(super) usage: Usage,
    /// What that costs at the model that was tried.
    pub(super) price: Option<Cost>,
}

/// One who took over.
pub(super) struct Fallback {
    pub(super) model: Arc<Model>,
    /// Whether it served; `None` if nobody waited for it.
    pub(super) has_served: Option<bool>,
}

// === impl Attempts ===

impl Attempts {
    pub(super) fn of(attempts: &[AttemptRecord]) -> Self {
        let Some((last, before)) = attempts.split_last() else {
            return Self::default();
        };
        let spent_before = before.iter().filter_map(|attempt| {
            let spent = Spent::of(attempt)?;
            Some((attempt.target.clone(), spent))
        });
        Self {
            target: address(&last.target),
            latency: Some(last.latency),
            spent: Spent::of(last),
            spent_before: spent_before.collect(),
            fallbacks: fallbacks(attempts),
            hedges: hedges(attempts, last),
        }
    }
}

fn fallbacks(attempts: &[AttemptRecord]) -> Vec<Fallback> {
    let mut fallbacks: Vec<Fallback> = Vec::new();
    let mut is_elsewhere = false;
    for attempt in attempts {
        let has_served = (!attempt.abandoned).then_some(attempt.error.is_none());
        match (attempt.kind, fallbacks.last_mut()) {
            (AttemptKind::Fallback, _) => {
                is_elsewhere = true;
                fallbacks.push(Fallback {
                    model: attempt.model.clone(),
                    has_served,
                });
            }
            (AttemptKind::Retry, Some(fallback)) if is_elsewhere => {
                fallback.has_served = has_served;
            }
            // It takes over from nobody.
            (AttemptKind::Hedge, _) => {}
            _ => is_elsewhere = false,
        }
    }
    fallbacks
}

fn hedges(attempts: &[AttemptRecord], last: &AttemptRecord) -> Vec<(Arc<Model>, &'static str)> {
    let hedges = attempts
        .iter()
        .filter(|attempt| attempt.kind == AttemptKind::Hedge);
    let hedges = hedges.filter_map(|hedge| {
        let outcome = match hedge.error {
            Some(_) => "failed",
            None if !hedge.abandoned => "served",
            None if !last.abandoned => "lost",
            // The client has left.
            None => return None,
        };
        Some((hedge.model.clone(), outcome))
    });
    hedges.collect()
}

// === impl Spent ===

impl Spent {
    fn of(attempt: &AttemptRecord) -> Option<Self> {
        Some(Self {
            usage: attempt.usage?,
            price: attempt.model.cost(),
        })
    }

    /// In dollars.
    pub(super) fn cost(&self) -> Option<f64> {
        let Self { usage, price } = self;
        let (input, output) = (usage.input_total() as f64, usage.output_total() as f64);
        let per_1k = price.map(|it| input * it.input_per_1k + output * it.output_per_1k);
        per_1k.map(|cost| cost / 1e3)
    }
}
