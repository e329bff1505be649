//! How many requests may be made twice.

use std::sync::atomic::{AtomicU32, Ordering};

/// A request, in the small coin of a budget.
const WHOLE: u32 = 1_000_000;
/// What a budget holds at most: so many can be made twice in a row.
const MOST: u32 = 10 * WHOLE;

/// How many requests of a group may be made twice, as a share of all: a token bucket, into which each request pays that share, and from
/// which each that is made twice takes one. It is empty at first, so that the share is never exceeded, and holds
/// no more than ten, so that it cannot all be spent at once after a quiet time.
#[derive(Debug, Default)]
pub struct HedgeBudget(AtomicU32);

// === impl HedgeBudget ===

impl HedgeBudget {
    /// Pays this share in for a request. What is no number, or negative, is 0; the most is 1.
    pub fn deposit(&self, share: f64) {
        let share = if share > 0.0 { share.min(1.0) } else { 0.0 };
        self.add((share * f64::from(WHOLE)).round() as u32);
    }

    /// Whether a request may be made twice. Then it is counted.
    pub fn withdraw(&self) -> bool {
        let taken = |held: u32| held.checked_sub(WHOLE);
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        self.0.fetch_update(set, fetch, taken).is_ok()
    }

    /// Gives one back that was not made twice after all.
    pub fn give_back(&self) {
        self.add(WHOLE);
    }

    fn add(&self, amount: u32) {
        let more = |held: u32| Some(held.saturating_add(amount).min(MOST));
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        // It cannot fail: there always is a next value.
        let _ = self.0.fetch_update(set, fetch, more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(budget: &HedgeBudget) -> usize {
        std::iter::from_fn(|| budget.withdraw().then_some(())).count()
    }

    #[test]
    fn no_more_than_a_share_is_made_twice() {
        for (share, twice) in [
            (0.05, 50),
            (0.001, 1),
            (1.0, 1_000),
            (7.0, 1_000),
            (0.0, 0),
            (-1.0, 0),
            (f64::NAN, 0),
        ] {
            let budget = HedgeBudget::default();
            let made = (0..1_000).filter(|_| {
                budget.deposit(share);
                budget.withdraw()
            });
            assert_eq!(made.count(), twice, "{share}");
        }
    }

    #[test]
    fn it_is_empty_at_first_and_holds_ten_at_most() {
        let budget = HedgeBudget::default();
        assert_eq!(left(&budget), 0);
        (0..1_000).for_each(|_| budget.deposit(0.5));
        assert_eq!(left(&budget), 10);
    }

    #[test]
    fn what_was_not_made_is_given_back() {
        let budget = HedgeBudget::default();
        budget.deposit(1.0);
        assert!(budget.withdraw());
        budget.give_back();
        assert_eq!(left(&budget), 1);
    }
}
