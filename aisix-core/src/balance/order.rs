//! Targets in the order in which they are tried.

use std::ops::Deref;

use smallvec::SmallVec;

use super::View;

/// Targets as they are needed in most groups, without allocation.
pub(super) const USUAL: usize = 16;

/// Targets in the order in which they are tried, best first: indices into what was ordered.
///
/// Up to 16 are kept without allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order(SmallVec<[usize; USUAL]>);

// === impl Order ===

impl Order {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a target behind those that are there.
    pub fn push(&mut self, index: usize) {
        self.0.push(index);
    }

    /// Puts the eligible ones that are not there yet behind those that are: smallest key first, and equal ones in
    /// the order in which they were declared. The key is asked for once each. One that is no number counts as the largest, or
    /// if its sign is negative as the smallest.
    pub fn rank(&mut self, views: &[View], key: impl Fn(usize, &View) -> f64) {
        let eligible = views.iter().enumerate().filter(|(_, view)| view.eligible);
        let mut ranked: SmallVec<[(f64, usize); USUAL]> = eligible
            .filter(|(index, _)| !self.0.contains(index))
            .map(|(index, view)| (key(index, view), index))
            .collect();
        ranked.sort_unstable_by(|(a, first), (b, second)| a.total_cmp(b).then(first.cmp(second)));
        self.0.extend(ranked.into_iter().map(|(_, index)| index));
    }

    /// Puts the eligible ones behind those that are there: from `first` to the last that was declared, then
    /// from the start on.
    pub fn rotate(&mut self, views: &[View], first: usize) {
        let (before, after) = views.split_at(first.min(views.len()));
        let after = (first..).zip(after);
        for (index, view) in after.chain((0..).zip(before)) {
            if view.eligible {
                self.0.push(index);
            }
        }
    }

    /// Forgets all but the best `len`.
    pub fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }
}

impl Deref for Order {
    type Target = [usize];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl FromIterator<usize> for Order {
    fn from_iter<I: IntoIterator<Item = usize>>(indices: I) -> Self {
        Self(indices.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Order {
    type Item = &'a usize;
    type IntoIter = std::slice::Iter<'a, usize>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views(eligible: &[bool]) -> Vec<View> {
        let view = |&eligible| View {
            eligible,
            ..View::default()
        };
        eligible.iter().map(view).collect()
    }

    #[test]
    fn ranks_are_stable_and_pass_over_who_is_there() {
        let views = views(&[true, true, false, true, true, true]);
        let keys = [2.0, 1.0, 0.0, f64::NAN, 1.0, f64::INFINITY];
        let mut order = Order::new();
        order.push(4);
        order.rank(&views, |index, _| keys[index]);
        assert_eq!(*order, [4, 1, 0, 5, 3]);
    }

    #[test]
    fn a_rotation_begins_anywhere() {
        let views = views(&[true, false, true, true]);
        let from = |first| {
            let mut order = Order::new();
            order.rotate(&views, first);
            order.to_vec()
        };
        assert_eq!(from(0), [0, 2, 3]);
        assert_eq!(from(1), [2, 3, 0]);
        assert_eq!(from(3), [3, 0, 2]);
        assert_eq!(from(9), [0, 2, 3]);
    }
}
