//! Who has the fewest calls.

use crate::balance::{Facts, Member, Order, Picker, Random, Strategy, View, weights::Weights};

/// Fewest calls in flight for its weight, with the one to come, so that of idle targets the heavy ones come first.
pub(super) struct LeastBusy;

struct Busy(Weights);

// === impl LeastBusy ===

impl Strategy for LeastBusy {
    fn name(&self) -> &'static str {
        "least_busy"
    }

    fn picker(&self, members: &[Member]) -> Box<dyn Picker> {
        Box::new(Busy(Weights::of(members)))
    }
}

// === impl Busy ===

impl Picker for Busy {
    fn order(&self, _: &Facts<'_>, views: &[View], _: &mut Random, order: &mut Order) {
        order.rank(views, |index, view| {
            self.0.load(index, view, view.in_flight.saturating_add(1))
        });
    }
}
