//! The better of two.

use crate::balance::{
    Facts, Member, Order, Picker, Random, Strategy, View, lots::Lots, weights::Weights,
};

/// Of two that are drawn by weight, the one with fewer calls in flight for its weight, and of equals the one that was drawn
/// first; then the others, fewest first.
///
/// Almost as even as asking for the least busy one, without everybody running to the same target when many decide on
/// the same knowledge: M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (1996).
pub(super) struct PowerOfTwo;

struct Choice(Weights);

// === impl PowerOfTwo ===

impl Strategy for PowerOfTwo {
    fn name(&self) -> &'static str {
        "power_of_two"
    }

    fn picker(&self, members: &[Member]) -> Box<dyn Picker> {
        Box::new(Choice(Weights::of(members)))
    }
}

// === impl Choice ===

impl Picker for Choice {
    fn order(&self, _: &Facts<'_>, views: &[View], random: &mut Random, order: &mut Order) {
        let load = |index: usize, view: &View| self.0.load(index, view, view.in_flight);
        let mut lots = Lots::new(self.0.shares(views));
        let Some(first) = lots.draw(random) else {
            return;
        };
        let better = lots
            .draw(random)
            .filter(|second| load(*second, &views[*second]) < load(first, &views[first]));
        order.push(better.unwrap_or(first));
        order.rank(views, load);
    }
}
