//! A set of targets.

use smallvec::SmallVec;

/// A set of targets by their indices. Up to 64 are kept without allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask(SmallVec<[u64; 1]>);

fn place(index: usize) -> (usize, u64) {
    (index / 64, 1 << (index % 64))
}

// === impl Mask ===

impl Mask {
    /// Nobody.
    pub fn none() -> Self {
        Self::default()
    }

    /// The first `len`.
    pub fn first(len: usize) -> Self {
        (0..len).collect()
    }

    /// Whether it has this one.
    pub fn contains(&self, index: usize) -> bool {
        let (word, bit) = place(index);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|bits| *bits == 0)
    }

    /// Adds one.
    pub fn insert(&mut self, index: usize) {
        let (word, bit) = place(index);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= bit;
    }

    /// Takes one out, and says whether it was there.
    pub fn remove(&mut self, index: usize) -> bool {
        let (word, bit) = place(index);
        let Some(bits) = self.0.get_mut(word) else {
            return false;
        };
        let was = *bits & bit != 0;
        *bits &= !bit;
        was
    }

    /// Adds all of another.
    pub fn insert_all(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (bits, others) in self.0.iter_mut().zip(&other.0) {
            *bits |= others;
        }
    }
}

impl FromIterator<usize> for Mask {
    fn from_iter<I: IntoIterator<Item = usize>>(indices: I) -> Self {
        let mut mask = Self::none();
        for index in indices {
            mask.insert(index);
        }
        mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_is_a_set_of_any_size() {
        let mut mask: Mask = [3, 64, 200].into_iter().collect();
        let has = |mask: &Mask| (0..300).filter(|i| mask.contains(*i)).collect::<Vec<_>>();
        assert_eq!(has(&mask), [3, 64, 200]);
        assert!(mask.remove(64) && !mask.remove(64) && !mask.remove(1_000));
        let mut small = Mask::first(2);
        small.insert_all(&mask);
        assert_eq!(has(&small), [0, 1, 3, 200]);
        assert!(Mask::first(0).is_empty() && !small.is_empty());
        assert_eq!(has(&Mask::first(65)).len(), 65);
    }
}
