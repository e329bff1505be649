//! The weights of a tier.

use super::{Member, View};

/// What a picker keeps of its members to spread traffic among them.
pub(super) struct Weights(Box<[u32]>);

// === impl Weights ===

impl Weights {
    pub(super) fn of(members: &[Member]) -> Self {
        Self(members.iter().map(|member| member.weight).collect())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The eligible ones: their indices and their shares.
    pub(super) fn shares(&self, views: &[View]) -> impl Iterator<Item = (usize, u64)> {
        let members = self.0.iter().zip(views).enumerate();
        members
            .filter(|(_, (_, view))| view.eligible)
            .map(|(index, (weight, view))| (index, view.share(*weight)))
    }

    /// A number of calls in proportion to the share of a target.
    pub(super) fn load(&self, index: usize, view: &View, calls: u32) -> f64 {
        let weight = self.0.get(index).copied().unwrap_or(1);
        f64::from(calls) / view.share(weight) as f64
    }
}
