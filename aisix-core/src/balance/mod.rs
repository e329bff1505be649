//! Which of several targets are tried, and in what order.
//!
//! A [`Strategy`] orders targets, best first, for each request. Nothing here does any I/O or looks at a clock. What changes from
//! moment to moment (health, calls in flight, latency) is handed in as [`View`]s, and chance as [`Random`], so that every
//! decision can be made again in a test.

mod builtin;
mod lots;
mod mask;
mod order;
mod random;
mod strategies;
mod strategy;
mod weights;

pub use self::{
    mask::Mask,
    order::Order,
    random::Random,
    strategies::{Strategies, StrategyTaken, UnknownStrategy},
    strategy::{Facts, Member, Picker, Strategy, View},
};
