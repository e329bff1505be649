//! Drawing by weight.

use smallvec::SmallVec;

use super::{Random, order::USUAL};

/// An urn from which targets are drawn, each with a chance in proportion to its share of what is left.
pub(super) struct Lots {
    lots: SmallVec<[(usize, u64); USUAL]>,
    total: u64,
}

// === impl Lots ===

impl Lots {
    pub(super) fn new(shares: impl Iterator<Item = (usize, u64)>) -> Self {
        let lots: SmallVec<[(usize, u64); USUAL]> = shares.collect();
        let total = lots
            .iter()
            .fold(0, |sum: u64, lot| sum.saturating_add(lot.1));
        Self { lots, total }
    }

    /// Takes one out; `None` when nobody is left.
    pub(super) fn draw(&mut self, random: &mut Random) -> Option<usize> {
        let mut ticket = random.below(self.total);
        let drawn = self.lots.iter().position(|(_, share)| {
            let mine = ticket < *share;
            ticket = ticket.saturating_sub(*share);
            mine
        })?;
        let (index, share) = self.lots.swap_remove(drawn);
        self.total -= share;
        Some(index)
    }
}
