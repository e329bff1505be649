//! By lot.

use crate::balance::{
    Facts, Member, Order, Picker, Random, Strategy, View, lots::Lots, weights::Weights,
};

/// Drawn by weight, one after the other. Needs no memory, so that many gateways together spread as evenly as one.
pub(super) struct ByLot;

struct Drawing(Weights);

// === impl ByLot ===

impl Strategy for ByLot {
    fn name(&self) -> &'static str {
        "random"
    }

    fn picker(&self, members: &[Member]) -> Box<dyn Picker> {
        Box::new(Drawing(Weights::of(members)))
    }
}

// === impl Drawing ===

impl Picker for Drawing {
    fn order(&self, _: &Facts<'_>, views: &[View], random: &mut Random, order: &mut Order) {
        let mut lots = Lots::new(self.0.shares(views));
        while let Some(index) = lots.draw(random) {
            order.push(index);
        }
    }
}
