//! Sources and stores of configuration for `aisix-core`.
//!
//! A source is a stream of changes, see [`aisix_core::config::ConfigSource`]; a store can be written,
//! see [`aisix_core::config::ConfigStore`].
//!
//! | feature | source | store |
//! |---|---|---|
//! | `file` (default) | `file::Watch`: one `resources.yaml`, read again when it changes | |
//! | `embedded` | `embedded::Embedded::changes` | `embedded::Embedded`: a file in a directory of this machine |
//! | `etcd` | `etcd::Etcd::changes` | `etcd::Etcd`: a cluster, shared through etcd |
//!
//! The feature `last-known` keeps in a file what was served last, for a start while the source is away.
#![forbid(unsafe_code)]

#[cfg(feature = "embedded")]
pub mod embedded;
#[cfg(feature = "etcd")]
pub mod etcd;
#[cfg(feature = "file")]
pub mod file;
#[cfg(feature = "last-known")]
pub mod last_known;
#[cfg(any(feature = "embedded", feature = "etcd"))]
mod record;
