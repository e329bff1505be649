//! The same target for the same key.

mod hash;
mod ring;

pub(crate) use self::hash::hash;
pub(in crate::balance) use self::ring::Ring;
use crate::balance::{Facts, Mask, Member, Order, Picker, Random, Strategy, View};

/// By the key of the request, on a [`Ring`]: the same key has the same order on every node, and when a target comes or goes only
/// keys that it serves move.
pub(super) struct ConsistentHash;

// === impl ConsistentHash ===

impl Strategy for ConsistentHash {
    fn name(&self) -> &'static str {
        "consistent_hash"
    }

    fn picker(&self, members: &[Member]) -> Box<dyn Picker> {
        Box::new(Ring::new(members))
    }
}

// === impl Ring ===

impl Picker for Ring {
    fn order(&self, facts: &Facts<'_>, views: &[View], _: &mut Random, order: &mut Order) {
        let eligible = views.iter().enumerate().filter(|(_, view)| view.eligible);
        let mut wanted: Mask = eligible.map(|(index, _)| index).collect();
        if wanted.is_empty() {
            return;
        }
        for index in self.walk(facts.key) {
            if wanted.remove(index) {
                order.push(index);
                if wanted.is_empty() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
