//! What is measured: each subject started, ready and pinned.

mod aisix;
mod nginx;

pub(crate) use aisix::Change;

use crate::crew::Crew;
use crate::process::{self, Memory, Process, START_LIMIT};
use crate::scenario::Scenario;
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use serde::Serialize;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// How long a subject is left alone between its start and the reading of its idle memory.
const SETTLE: Duration = Duration::from_secs(1);

/// A kind of subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The mock upstream without anything before it
    Direct,
    /// nginx as a plain reverse proxy
    Nginx,
    /// The bare proxy of hyper's server and hyper-util's client
    Bare,
    /// The gateway
    Aisix,
}

/// What a subject needs to start.
pub(crate) struct Site<'a> {
    /// The core it runs on.
    pub(crate) core: usize,
    /// The mock upstream.
    pub(crate) upstream: SocketAddr,
    /// An empty folder for its files.
    pub(crate) folder: &'a Path,
    /// The nginx program.
    pub(crate) nginx: &'a Path,
    /// The aisix program.
    pub(crate) aisix: &'a Path,
}

/// A running subject.
pub(crate) struct Subject {
    /// What it is.
    pub(crate) kind: Kind,
    /// Where it takes calls.
    pub(crate) address: SocketAddr,
    /// Its process; `direct` has none of its own.
    pub(crate) process: Option<Process>,
    /// Its memory before the first call.
    pub(crate) idle: Option<Memory>,
}

impl Kind {
    /// Its name in tables and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::Bare => "bare",
            Self::Aisix => "aisix",
        }
    }
}

impl Subject {
    /// Starts a subject, waits until its port is open, reads its idle memory and makes one trial call.
    ///
    /// Fails when it ends, when it is not ready in 20 seconds or when the trial call fails.
    pub(crate) async fn start(kind: Kind, site: &Site<'_>) -> Result<Self> {
        let (process, address) = match kind {
            Kind::Direct => (None, site.upstream),
            Kind::Nginx => started(nginx::start(site)?),
            Kind::Aisix => started(aisix::start(site, &Change::default())?),
            Kind::Bare => {
                let mut command = process::pinned(site.core, std::env::current_exe()?);
                command.args(["proxy", "--to", &site.upstream.to_string()]);
                let (process, address) = Process::announced(command).await?;
                (Some(process), address)
            }
        };
        Self::ready(kind, process, address).await
    }

    /// The same with a gateway that has something besides.
    pub(crate) async fn changed(change: &Change, site: &Site<'_>) -> Result<Self> {
        let (process, address) = started(aisix::start(site, change)?);
        Self::ready(Kind::Aisix, process, address).await
    }

    async fn ready(kind: Kind, process: Option<Process>, address: SocketAddr) -> Result<Self> {
        let mut subject = Self {
            kind,
            address,
            process,
            idle: None,
        };
        subject.wait_for_port().await?;
        if let Some(process) = &subject.process {
            sleep(SETTLE).await;
            subject.idle = Some(process.memory()?);
        }
        let call = Scenario::Small.call(address);
        let mut crew = Crew::open(address, 1).await?;
        crew.work(&call, 1).await.context("the trial call failed")?;
        Ok(subject)
    }

    async fn wait_for_port(&mut self) -> Result<()> {
        let start = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            if let Some(process) = &mut self.process {
                process.check()?;
            }
            ensure!(start.elapsed() < START_LIMIT, "its port is still closed");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

fn started((process, address): (Process, SocketAddr)) -> (Option<Process>, SocketAddr) {
    (Some(process), address)
}

/// Free ports on loopback for a program that cannot bind port 0 and tell; all held at once, so that they differ.
pub(crate) fn free_ports<const N: usize>() -> Result<[SocketAddr; N]> {
    let mut held = Vec::with_capacity(N);
    let mut free = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); N];
    for address in &mut free {
        let listener = TcpListener::bind(*address)?;
        *address = listener.local_addr()?;
        held.push(listener);
    }
    Ok(free)
}
