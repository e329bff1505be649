//! Which of several targets are tried, and in what order.
//!
//! A [`Group`] is a set of targets in tiers, compiled once: what a model that routes to others is made of,
//! and what an upstream with several replicas is. For each request its [`plan`](Group::plan) says which targets to
//! try, best first: those that are fit, tier after tier, each tier in the order that a [`Strategy`] puts it in.
//!
//! Nothing here does any I/O or looks at a clock. What changes from moment to moment (health, calls in flight,
//! latency) is handed in as [`Standing`]s, and chance as [`Random`], so that every decision can be made
//! again in a test. What a strategy remembers, such as the position of a round robin, outlives snapshots.
//!
//! ```
//! use aisix_core::{
//!     balance::{Candidate, Facts, Fitness, Group, Member, Plan, Random, Standing, Strategies},
//!     config::States,
//! };
//!
//! let strategies = Strategies::new();
//! let targets = [("near", 0), ("also-near", 0), ("far", 1)].map(|(name, tier)| Candidate {
//!     member: Member::new(name),
//!     tier,
//!     tags: Vec::new(),
//! });
//! let group = Group::new(
//!     strategies.find("round_robin")?.as_ref(),
//!     targets.into(),
//!     &States::default(),
//!     "model/chat",
//! );
//!
//! let mut standings = [Standing::default(); 3];
//! standings[1].fitness = Fitness::Cooling;
//! let Plan::Try(order) = group.plan(&Facts::default(), &standings, &mut Random::new())
//! else {
//!     panic!("there are some");
//! };
//! assert_eq!(*order, [0, 2, 1]);
//! # Ok::<_, aisix_core::balance::UnknownStrategy>(())
//! ```

mod affinity;
mod builtin;
mod group;
pub mod health;
mod lots;
mod mask;
mod order;
mod plan;
mod random;
mod strategies;
mod strategy;
mod tags;
mod weights;

pub(crate) use self::builtin::hash;
pub use self::{
    group::{Candidate, Group},
    mask::Mask,
    order::Order,
    plan::{Fitness, Plan, Standing},
    random::Random,
    strategies::{Strategies, StrategyTaken, UnknownStrategy},
    strategy::{Facts, Member, Picker, Strategy, View},
    tags::NoMatch,
};
