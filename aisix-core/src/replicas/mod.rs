//! Replicas: the places of an upstream that has several, and which of them takes a request.
//!
//! An upstream is compiled to a [`Pool`], which all provider keys share that name it. For each attempt the pool says
//! which [`Replica`] takes it: one that is well, and one that has not failed in this call when there is one. What
//! is remembered of a replica outlives snapshots; see [`balance::health`](crate::balance::health).

mod check;
mod log;
mod pool;
mod replica;
mod ways;

pub use self::{check::checks, pool::Pool, replica::Replica};
pub(crate) use self::{log::log, pool::Active, ways::Ways};
