//! The `aisix` executable.
//!
//! ```text
//! cli       what was asked for
//! settings  the configuration file and the environment
//! source    where resources come from
//! assemble  all crates meet here
//! serve     sockets, TLS, workers, draining
//! ```
#![forbid(unsafe_code)]

mod admin_key;
mod assemble;
mod caches;
mod cli;
mod last_known;
mod limits;
mod redis;
mod resources;
mod serve;
mod settings;
mod source;
#[cfg(feature = "etcd")]
mod stores;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

/// What the field found fastest for this kind of work; it gives memory back while idle.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::Cli::parse().run()
}
