//! Configuration: a stream of changes folded into snapshots.
//!
//! A [`ConfigSource`] yields changes. [`Config`] validates each entry, compiles what it touches, and
//! swaps one [`Snapshot`] for the next in a single atomic store. A request takes the snapshot it
//! finds and keeps it to its end. What remembers (counters, caches, connections) lives outside of
//! snapshots, in [`States`].
//!
//! A [`ConfigStore`] is where configuration can be written.

mod change;
mod compile;
pub mod glob;
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

pub use self::{
    change::{Change, Entry, Key},
    reconcile::{Config, ConfigBuilder},
    report::{Rejection, Report},
    resource::{KeyHash, Kind},
    secret::Secret,
    snapshot::Snapshot,
    source::{ConfigSource, SourceError},
    state::States,
    status::Status,
    store::ConfigStore,
};
