//! A set of targets, compiled.

use std::{collections::HashSet, fmt, sync::Arc};

use sha2::{Digest, Sha256};
use smallvec::SmallVec;

use super::{
    Facts, Fitness, Mask, Member, NoMatch, Order, Picker, Plan, Random, Standing, Strategy, View,
    affinity::Affinity, order::USUAL, tags::Tags,
};
use crate::config::States;

/// A target of a [`Group`], as configured.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What strategies know of it.
    pub member: Member,
    /// Its tier: the lowest is tried first, the others are there for when it cannot serve.
    pub tier: i64,
    /// Words by which requests choose; see [`Group::by_tags`].
    pub tags: Vec<Arc<str>>,
}

/// Targets in tiers, with a [`Strategy`] that orders each tier.
///
/// Targets go by their positions in the list that the group was made of, in [`Standing`]s as in [`Plan`]s. Of
/// several with the same name the first counts; the others keep their positions and are never planned.
pub struct Group {
    strategy: &'static str,
    candidates: Box<[Candidate]>,
    /// The lowest first.
    tiers: Box<[Tier]>,
    tags: Tags,
    max_fallbacks: Option<u32>,
    try_anyway: bool,
}

struct Tier {
    /// The positions of its members.
    places: Box<[usize]>,
    kept: Arc<Kept>,
    /// Where conversations are at home, if that matters.
    affinity: Option<Affinity>,
}

/// A picker as it is kept in [`States`].
struct Kept(Box<dyn Picker>);

// === impl Group ===

impl Group {
    /// Compiles targets. There is no bound on fallbacks, and unfit targets are not tried.
    ///
    /// What the strategy remembers is kept in `states` under `identity`, which names the owner of the
    /// targets, such as `model/<id>`. It stays for as long as a tier has the same members, in name, weight and cost, and
    /// begins anew for a tier where these have changed.
    pub fn new(
        strategy: &dyn Strategy,
        candidates: Vec<Candidate>,
        states: &States,
        identity: &str,
    ) -> Self {
        let mut names = HashSet::new();
        let mut places: Vec<usize> = (0..candidates.len())
            .filter(|place| names.insert(candidates[*place].member.name.clone()))
            .collect();
        let tags = Tags::of(places.iter().map(|place| (*place, &candidates[*place])));
        // Stable: within a tier they stay in the order of their declaration.
        places.sort_by_key(|place| candidates[*place].tier);
        let tiers = places
            .chunk_by(|a, b| candidates[*a].tier == candidates[*b].tier)
            .map(|places| Tier::new(strategy, places, &candidates, states, identity))
            .collect();
        Self {
            strategy: strategy.name(),
            candidates: candidates.into(),
            tiers,
            tags,
            max_fallbacks: None,
            try_anyway: false,
        }
    }

    /// How many targets may be tried after the first. Default: all.
    #[must_use]
    pub fn max_fallbacks(mut self, max: Option<u32>) -> Self {
        self.max_fallbacks = max;
        self
    }

    /// Whether unfit targets are tried when there are no others. Default: no.
    #[must_use]
    pub fn try_anyway(mut self, anyway: bool) -> Self {
        self.try_anyway = anyway;
        self
    }

    /// Whether a conversation comes first to where it is at home in its tier, see [`plan_for`](Self::plan_for). Default: no.
    pub(crate) fn keep_conversations(mut self, keep: bool) -> Self {
        for tier in &mut self.tiers {
            let members = tier
                .places
                .iter()
                .map(|place| &self.candidates[*place].member);
            let members: Vec<Member> = members.cloned().collect();
            tier.affinity = keep.then(|| Affinity::new(&members));
        }
        self
    }

    /// The name of the strategy.
    pub fn strategy(&self) -> &'static str {
        self.strategy
    }

    /// The targets, at their positions.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Says who is to be tried for a request, best first.
    ///
    /// Those who are fit are tried first, in the order of their tiers; behind them those who are cooling, who may serve when all
    /// others have failed. If there are none of either, and the group is told to try anyway, the unfit ones. Who is excluded
    /// is never tried. `standings` has one for each position; a target without one is excluded.
    ///
    /// The bound on fallbacks comes last: targets that have been left out for their health do not use up the place of
    /// a healthy one. Tiers beyond the bound are not asked, so what their strategies remember stays.
    pub fn plan(&self, facts: &Facts<'_>, standings: &[Standing], random: &mut Random) -> Plan {
        self.plan_for(None, facts, standings, random)
    }

    /// The same, with the home of a conversation first in its tier, if the group keeps conversations and the home has room.
    pub(crate) fn plan_for(
        &self,
        conversation: Option<u64>,
        facts: &Facts<'_>,
        standings: &[Standing],
        random: &mut Random,
    ) -> Plan {
        let room = self.max_fallbacks.map_or(usize::MAX, |max| {
            usize::try_from(max).map_or(usize::MAX, |max| max.saturating_add(1))
        });
        let mut order = Order::new();
        for fitness in [Fitness::Fit, Fitness::Cooling, Fitness::Unfit] {
            if fitness == Fitness::Unfit && (!order.is_empty() || !self.try_anyway) {
                break;
            }
            for tier in &self.tiers {
                if order.len() < room {
                    let home = tier.home(conversation, standings, fitness);
                    tier.order(home, facts, standings, fitness, random, &mut order);
                }
            }
        }
        order.truncate(room);
        match order.is_empty() {
            true => Plan::Nobody,
            false => Plan::Try(order),
        }
    }

    /// Where a conversation is at home, among those that are fit, if it has room there.
    pub(crate) fn home(&self, conversation: Option<u64>, standings: &[Standing]) -> Option<usize> {
        let homes = self.tiers.iter();
        let mut homes = homes.map(|tier| (tier, tier.home(conversation, standings, Fitness::Fit)));
        let (tier, home) = homes.find(|(tier, _)| tier.has_any(standings, Fitness::Fit))?;
        Some(tier.places[home?])
    }

    /// The targets for a request with these tags: those that have one of them.
    ///
    /// If none has, or the request has no tags, those that are tagged `default`. A request without tags may use all
    /// targets where none is the default, and so may every request where no target has tags.
    ///
    /// # Errors
    ///
    /// [`NoMatch`] if no target has a tag of the request and none is the default.
    pub fn by_tags(&self, requested: &[&str]) -> Result<Mask, NoMatch> {
        let chosen = self.tags.choose(requested)?;
        Ok(chosen.unwrap_or_else(|| Mask::first(self.candidates.len())))
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("strategy", &self.strategy)
            .field("candidates", &self.candidates)
            .finish_non_exhaustive()
    }
}

// === impl Tier ===

impl Tier {
    fn new(
        strategy: &dyn Strategy,
        places: &[usize],
        candidates: &[Candidate],
        states: &States,
        identity: &str,
    ) -> Self {
        let places_in = places.iter().map(|place| &candidates[*place]);
        let members: Vec<Member> = places_in.clone().map(|c| c.member.clone()).collect();
        let tier = places_in.map(|c| c.tier).next().unwrap_or_default();
        let (name, members_are) = (strategy.name(), fingerprint(&members));
        let identity = format!("balance/{identity}/{tier}/{name}/{members_are}");
        Self {
            places: places.into(),
            kept: states.state(&identity, || Kept(strategy.picker(&members))),
            affinity: None,
        }
    }

    /// The members, of which those of this fitness are eligible.
    fn views(&self, standings: &[Standing], fitness: Fitness) -> SmallVec<[View; USUAL]> {
        let view = |place: &usize| {
            let standing = standings.get(*place).copied();
            let mut view = standing.map(|standing| standing.view).unwrap_or_default();
            view.eligible &= standing.is_some_and(|s| !s.excluded && s.fitness == fitness);
            view
        };
        self.places.iter().map(view).collect()
    }

    fn has_any(&self, standings: &[Standing], fitness: Fitness) -> bool {
        let views = self.views(standings, fitness);
        views.iter().any(|view| view.eligible)
    }

    /// Where a conversation is at home among the members of this fitness: an index of this tier.
    fn home(
        &self,
        conversation: Option<u64>,
        standings: &[Standing],
        fitness: Fitness,
    ) -> Option<usize> {
        let affinity = self.affinity.as_ref()?;
        affinity.home(conversation?, &self.views(standings, fitness))
    }

    /// Puts the members of this fitness behind those that are in `order`, the home of the conversation first.
    fn order(
        &self,
        home: Option<usize>,
        facts: &Facts<'_>,
        standings: &[Standing],
        fitness: Fitness,
        random: &mut Random,
        order: &mut Order,
    ) {
        let views = self.views(standings, fitness);
        let eligible = views.iter().enumerate().filter(|(_, view)| view.eligible);
        let mut open: Mask = eligible.map(|(index, _)| index).collect();
        if open.is_empty() {
            return;
        }
        let mut picked = Order::new();
        self.kept.0.order(facts, &views, random, &mut picked);
        for index in home.iter().chain(&picked) {
            if open.remove(*index) {
                order.push(self.places[*index]);
            }
        }
    }
}

/// Tells lists of members apart.
fn fingerprint(members: &[Member]) -> String {
    let mut hash = Sha256::new();
    for member in members {
        hash.update(member.name.len().to_le_bytes());
        hash.update(member.name.as_bytes());
        hash.update(member.weight.to_le_bytes());
        hash.update([u8::from(member.cost.is_some())]);
        hash.update(member.cost.unwrap_or_default().to_le_bytes());
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests;
