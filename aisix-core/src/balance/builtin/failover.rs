//! One target, and others for when it fails.

use crate::balance::{Facts, Member, Order, Picker, Random, Strategy, View};

/// As declared.
pub(super) struct Failover;

// === impl Failover ===

impl Strategy for Failover {
    fn name(&self) -> &'static str {
        "failover"
    }

    fn picker(&self, _: &[Member]) -> Box<dyn Picker> {
        Box::new(Self)
    }
}

impl Picker for Failover {
    fn order(&self, _: &Facts<'_>, views: &[View], _: &mut Random, order: &mut Order) {
        order.rotate(views, 0);
    }
}
