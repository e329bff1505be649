//! Configuration: a stream of changes folded into snapshots.
//!
//! A [`ConfigSource`] yields changes. [`Config`] validates each entry, compiles what it touches, and
//! swaps one [`Snapshot`] for the next in a single atomic store. A request takes the snapshot it
//! finds and keeps it to its end. What remembers (counters, caches, connections) lives outside of
//! snapshots, in [`States`].
//!
//! A [`ConfigStore`] is where configuration can be written. What was served last can be kept
//! ([`LastKnown`]) and served again when the source is away at the start.

mod caches;
mod change;
mod claims;
mod compile;
pub mod glob;
mod groups;
mod guardrails;
mod last_known;
mod process;
mod reconcile;
mod report;
pub mod resource;
mod retired;
mod secret;
mod snapshot;
mod source;
mod state;
pub mod status;
pub mod store;
mod summary;
mod upstreams;

pub use self::{
    change::{Change, Entry, Key, RowName},
    last_known::{Known, LastKnown},
    process::{Config, ConfigBuilder},
    report::{Reason, Rejection, Report},
    resource::{KeyHash, Kind},
    secret::Secret,
    snapshot::Snapshot,
    source::{ConfigSource, SourceError},
    state::States,
    status::Status,
    store::ConfigStore,
};
