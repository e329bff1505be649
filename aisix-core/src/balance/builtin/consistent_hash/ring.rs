//! The ring.

use super::hash::hash;
use crate::balance::Member;

/// Points of a target for each unit of its weight.
const POINTS: u32 = 160;
/// Units of all targets together, where that is possible with one for each.
const MAX_UNITS: u64 = 64;

/// Points on a circle of 2⁶⁴, many for each target. A key belongs to the first point at or after its own: D. Karger et
/// al., "Consistent Hashing and Random Trees" (1997).
///
/// Where points stand is a contract: gateways that share traffic must agree on it, and so must versions. A target has 160
/// points for each unit of its weight, at `hash(name ‖ 0x00 ‖ number as u32, little-endian)`; a key stands at `hash(key)`. Units
/// are the weights (0 counts as 1) divided by their greatest common divisor; if they come to more than 64 together, they are scaled
/// down to that, rounded down, but to no less than 1 each.
pub(in crate::balance) struct Ring {
    /// Ascending; the second is the index of a member.
    points: Box<[(u64, u32)]>,
}

// === impl Ring ===

impl Ring {
    pub(in crate::balance) fn new(members: &[Member]) -> Self {
        let mut points: Vec<(u64, u32)> = (0..)
            .zip(members)
            .zip(units(members))
            .flat_map(|((index, member), units)| {
                let name = member.name.as_bytes();
                let numbers = 0..POINTS.saturating_mul(units);
                numbers.map(move |n| (hash(&[name, &[0], &n.to_le_bytes()]), index))
            })
            .collect();
        points.sort_unstable();
        Self {
            points: points.into(),
        }
    }

    /// The owners of the points from a key's place on, once around.
    pub(super) fn walk(&self, key: &str) -> impl Iterator<Item = usize> {
        self.walk_from(hash(&[key.as_bytes()]))
    }

    /// The owners of the points from a place on, once around.
    pub(in crate::balance) fn walk_from(&self, place: u64) -> impl Iterator<Item = usize> {
        let first = self.points.partition_point(|(point, _)| *point < place);
        let (before, after) = self.points.split_at(first);
        let owners = after.iter().chain(before);
        owners.map(|(_, index)| usize::try_from(*index).unwrap_or(usize::MAX))
    }
}

/// The weights in as few units as their proportions need, 64 together if they can.
pub(super) fn units(members: &[Member]) -> Vec<u32> {
    let weights = members.iter().map(|member| u64::from(member.weight.max(1)));
    let divisor = weights.clone().fold(0, gcd).max(1);
    let total = weights.clone().sum::<u64>() / divisor;
    let unit = |weight: u64| {
        let units = weight / divisor;
        match total > MAX_UNITS {
            true => (units * MAX_UNITS / total).max(1),
            false => units,
        }
    };
    // At most 64, or 1.
    weights
        .map(|weight| unit(weight).min(MAX_UNITS) as u32)
        .collect()
}

fn gcd(a: u64, b: u64) -> u64 {
    match b {
        0 => a,
        b => gcd(b, a % b),
    }
}
