//! Names that more than one resource claims, and which of them has one.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    sync::Arc,
};

use jiff::Timestamp;

/// By what a resource claims a name. The claim that sorts first has it, whatever the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    /// Whether it is a credential that another one has replaced: it stands behind those of today.
    pub(super) is_past: bool,
    /// The resource.
    pub(super) id: Arc<str>,
}

/// The names that more than one resource has claimed, with all their claims and when those came.
///
/// Of a name that only one resource ever claimed nothing is kept.
#[derive(Debug)]
pub(super) struct Claims<N>(HashMap<N, BTreeMap<Claim, Timestamp>>);

/// A claim that stands behind another one.
pub(super) struct Hidden<'c> {
    pub(super) claim: &'c Claim,
    /// Who has the name.
    pub(super) by: &'c Arc<str>,
    pub(super) since: Timestamp,
}

// === impl Claim ===

impl Claim {
    /// The only kind of claim there is to the name of a model.
    pub(super) fn of(id: &Arc<str>) -> Self {
        let (is_past, id) = (false, id.clone());
        Self { is_past, id }
    }
}

// === impl Claims ===

impl<N: Eq + Hash> Claims<N> {
    /// Takes a claim beside the one that has the name; whether the name changes hands.
    pub(super) fn add(&mut self, name: N, has_it: Claim, new: Claim) -> bool {
        let now = Timestamp::now();
        let claims = self.0.entry(name).or_default();
        let is_first = new < has_it;
        claims.entry(has_it).or_insert(now);
        claims.insert(new, now);
        is_first
    }

    /// Takes the claim of a resource back; gives the resource whose claim is first then, if there is one.
    pub(super) fn remove(&mut self, name: &N, id: &str) -> Option<Arc<str>> {
        let claims = self.0.get_mut(name)?;
        claims.retain(|claim, _| *claim.id != *id);
        let first = claims.keys().next().map(|claim| claim.id.clone());
        if first.is_none() {
            self.0.remove(name);
        }
        first
    }

    /// All claims that stand behind another one.
    pub(super) fn hidden(&self) -> impl Iterator<Item = Hidden<'_>> {
        self.0.values().flat_map(|claims| {
            let mut claims = claims.iter();
            let first = claims.next();
            first.into_iter().flat_map(move |(first, _)| {
                let by = &first.id;
                let behind = claims.clone();
                behind.map(move |(claim, since)| Hidden {
                    claim,
                    by,
                    since: *since,
                })
            })
        })
    }
}

impl<N> Default for Claims<N> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

#[cfg(test)]
mod tests;
