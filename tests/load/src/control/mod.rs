//! `control`: what changes of the configuration cost, how soon they are served, and what much of it costs.
//!
//! - `propagation`: three gateways follow one etcd. Each change gives a caller a new credential; it is effective on a
//!   gateway when a request with that credential is answered, which is asked every `--grain-ms`. Told from the moment
//!   at which etcd has acknowledged the write.
//! - `scale`: many API keys and models in etcd. Boot to ready, memory, CPU per change, latency of calls while changes
//!   come, and CPU per call with few and with many keys. What is compared is measured in turn, round by round. Since the
//!   writes burden the core of the load generator, there is a third kind of window in which as many are made beside
//!   what the gateway follows: only what is above that is the gateway's.
//! - `embedded`: many API keys through the Admin API into the embedded store, then the boot from its file.
//!
//! The gateways run on the subject's core with one worker each, etcd on the other one. Callers take turns at random.

mod boot;
mod documents;
mod embedded;
mod etcd;
mod latency;
mod lookup;
mod node;
mod plain;
mod propagation;
mod scale;

pub(crate) use plain::request;

use anyhow::Result;
use std::process::ExitCode;

/// A part of the control plane.
#[derive(clap::Subcommand)]
pub(crate) enum Control {
    /// Changes in etcd until three gateways serve them
    Propagation(propagation::Options),
    /// Many API keys and models in etcd
    Scale(scale::Options),
    /// Many API keys through the Admin API into the embedded store
    Embedded(embedded::Options),
}

impl Control {
    /// Measures it and prints the table.
    pub(crate) async fn run(self) -> Result<ExitCode> {
        match self {
            Self::Propagation(options) => propagation::run(options).await?,
            Self::Scale(options) => scale::run(options).await?,
            Self::Embedded(options) => embedded::run(options).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
