//! One after the other.

use parking_lot::Mutex;

use crate::balance::{Facts, Member, Order, Picker, Random, Strategy, View, weights::Weights};

/// The next in turn; then those declared after it, around to the one before it.
pub(super) struct RoundRobin;

/// Smooth weighted round robin, as nginx has it: everybody is credited with their share, and whoever has the most credit
/// serves and pays the shares of all. So five turns of a heavy target are spread among those of light ones, and
/// over any `total weight` turns with the same members eligible each has exactly its weight.
///
/// Who is not eligible gets no credit and loses none.
struct Turns {
    weights: Weights,
    /// One short lock, for a sum of few numbers.
    credits: Mutex<Box<[i64]>>,
}

// === impl RoundRobin ===

impl Strategy for RoundRobin {
    fn name(&self) -> &'static str {
        "round_robin"
    }

    fn picker(&self, members: &[Member]) -> Box<dyn Picker> {
        let weights = Weights::of(members);
        Box::new(Turns {
            credits: Mutex::new(vec![0; weights.len()].into()),
            weights,
        })
    }
}

// === impl Turns ===

impl Turns {
    fn next(&self, views: &[View]) -> Option<usize> {
        let mut credits = self.credits.lock();
        let mut total = 0_i64;
        let mut next = None;
        for (index, share) in self.weights.shares(views) {
            let share = i64::try_from(share).unwrap_or(i64::MAX);
            total = total.saturating_add(share);
            let credit = credits[index].saturating_add(share);
            credits[index] = credit;
            if next.is_none_or(|(_, most)| credit > most) {
                next = Some((index, credit));
            }
        }
        let (index, credit) = next?;
        credits[index] = credit.saturating_sub(total);
        Some(index)
    }
}

impl Picker for Turns {
    fn order(&self, _: &Facts<'_>, views: &[View], _: &mut Random, order: &mut Order) {
        if let Some(next) = self.next(views) {
            order.rotate(views, next);
        }
    }
}
