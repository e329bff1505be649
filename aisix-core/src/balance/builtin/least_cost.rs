//! Who is cheapest.

use crate::balance::{Facts, Member, Order, Picker, Random, Strategy, View};

/// Cheapest; those whose cost is not known last. Weights do not matter.
pub(super) struct LeastCost;

struct Costs(Box<[Option<f64>]>);

// === impl LeastCost ===

impl Strategy for LeastCost {
    fn name(&self) -> &'static str {
        "least_cost"
    }

    fn picker(&self, members: &[Member]) -> Box<dyn Picker> {
        Box::new(Costs(members.iter().map(|member| member.cost).collect()))
    }
}

// === impl Costs ===

impl Picker for Costs {
    fn order(&self, _: &Facts<'_>, views: &[View], _: &mut Random, order: &mut Order) {
        order.rank(views, |index, _| {
            let cost = self.0.get(index).copied().flatten();
            cost.unwrap_or(f64::INFINITY)
        });
    }
}
