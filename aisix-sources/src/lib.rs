//! Configuration sources for `aisix-core`.
//!
//! A source is a stream of changes; see [`aisix_core::config::ConfigSource`].
//!
//! | feature | source |
//! |---|---|
//! | `file` (default) | [`file::Watch`]: one `resources.yaml`, read again when it changes |
#![forbid(unsafe_code)]

#[cfg(feature = "file")]
pub mod file;
