//! Who is quickest.

use std::time::Duration;

use crate::balance::{Facts, Member, Order, Picker, Random, Strategy, View};

/// Quickest on average, for streams to their first token. Those of whom nothing is known come first: that is how
/// something becomes known. Weights do not matter.
pub(super) struct LeastLatency;

// === impl LeastLatency ===

impl Strategy for LeastLatency {
    fn name(&self) -> &'static str {
        "least_latency"
    }

    fn picker(&self, _: &[Member]) -> Box<dyn Picker> {
        Box::new(Self)
    }
}

impl Picker for LeastLatency {
    fn order(&self, facts: &Facts<'_>, views: &[View], _: &mut Random, order: &mut Order) {
        order.rank(views, |_, view| {
            let known = match facts.streams {
                true => view.first_token,
                false => view.latency,
            };
            known.as_ref().map_or(-1.0, Duration::as_secs_f64)
        });
    }
}
