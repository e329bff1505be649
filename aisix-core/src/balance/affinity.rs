//! Keeping conversations where they are.

use super::{Member, View, builtin::Ring, weights::Weights};

/// How many calls a target may have, of what would be its share if all were even.
const BOUND: f64 = 1.25;

/// Where the conversations of a tier are at home: each on a [`Ring`], so that only those of a target that leaves move.
///
/// A home that is much busier than the others takes no more for now: V. Mirrokni et al., "Consistent Hashing with Bounded Loads"
/// (2017). There the next on the ring takes over, here whoever the strategy prefers.
pub(super) struct Affinity {
    ring: Ring,
    weights: Weights,
}

// === impl Affinity ===

impl Affinity {
    pub(super) fn new(members: &[Member]) -> Self {
        Self {
            ring: Ring::new(members),
            weights: Weights::of(members),
        }
    }

    /// The home of a conversation among those that are eligible, unless it has more calls under way than 1.25 times its
    /// share, by weight, and one.
    pub(super) fn home(&self, conversation: u64, views: &[View]) -> Option<usize> {
        let mut walk = self.ring.walk_from(conversation);
        let home = walk.find(|index| views.get(*index).is_some_and(|view| view.eligible))?;
        let (mut calls, mut shares, mut own) = (0.0, 0.0, 0.0);
        for (index, share) in self.weights.shares(views) {
            calls += f64::from(views[index].in_flight);
            shares += share as f64;
            if index == home {
                own = share as f64;
            }
        }
        let even = calls * own / shares;
        (f64::from(views[home].in_flight) <= BOUND * even + 1.0).then_some(home)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(weights: &[u32], calls: &[u32], conversation: u64) -> Option<usize> {
        let members = weights.iter().enumerate().map(|(n, weight)| Member {
            weight: *weight,
            ..Member::new(n.to_string())
        });
        let views = calls.iter().map(|calls| View {
            in_flight: *calls,
            ..View::default()
        });
        let members: Vec<_> = members.collect();
        Affinity::new(&members).home(conversation, &views.collect::<Vec<_>>())
    }

    #[test]
    fn a_home_has_no_more_than_a_quarter_above_its_share_and_one() {
        for conversation in 0..50 {
            let conversation = conversation << 58;
            let at = home(&[1, 1, 1], &[0, 0, 0], conversation).unwrap();
            let with = |own: u32, others: u32| {
                let mut calls = [others; 3];
                calls[at] = own;
                home(&[1, 1, 1], &calls, conversation)
            };
            assert_eq!(with(1, 0), Some(at), "1 is no more than 0.42 and one");
            assert_eq!(with(2, 0), None);
            // Of 14 calls, a third is 4.67, and the bound 6.83; of 15, 7.25.
            assert_eq!((with(6, 4), with(7, 4)), (Some(at), Some(at)));
            assert_eq!(with(8, 4), None);
        }
    }

    #[test]
    fn the_share_is_by_weight() {
        let heavy = (0..64).map(|n| n << 58);
        let heavy = heavy.filter(|n| home(&[9, 1], &[0, 0], *n) == Some(0));
        let heavy: Vec<_> = heavy.collect();
        assert!(heavy.len() > 45);
        for conversation in heavy {
            assert_eq!(home(&[9, 1], &[9, 1], conversation), Some(0));
            assert_eq!(
                home(&[9, 1], &[30, 0], conversation),
                Some(0),
                "30 of 34.75"
            );
        }
    }
}
