//! The rig: this process and the mock upstream on one core, the subjects on the other.

use crate::process::{self, Process};
use crate::subject::{Change, Kind, Site, Subject};
use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Where programs are, and which core is whose.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Options {
    /// The gateway's program [default: `aisix` beside this program]
    #[arg(long)]
    aisix: Option<PathBuf>,
    /// The nginx program
    #[arg(long, default_value = "/usr/sbin/nginx")]
    nginx: PathBuf,
    /// The core of the subject
    #[arg(long, default_value_t = 0)]
    subject_core: usize,
    /// The core of the load generator and the mock upstream
    #[arg(long, default_value_t = 1)]
    load_core: usize,
}

/// The running rig; dropping it ends the upstream and removes its files.
pub(crate) struct Rig {
    options: Options,
    aisix: PathBuf,
    folder: TempDir,
    upstream: SocketAddr,
    _process: Process,
}

impl Rig {
    /// Pins this process and starts the mock upstream beside it.
    pub(crate) async fn start(options: Options) -> Result<Self> {
        process::pin_self(options.load_core).await?;
        let (process, upstream) = mock(options.load_core).await?;
        let beside = std::env::current_exe()?.with_file_name("aisix");
        Ok(Self {
            aisix: options.aisix.clone().unwrap_or(beside),
            options,
            folder: tempfile::tempdir()?,
            upstream,
            _process: process,
        })
    }

    /// The core of what is measured.
    pub(crate) fn subject_core(&self) -> usize {
        self.options.subject_core
    }

    /// The core of everything else.
    pub(crate) fn load_core(&self) -> usize {
        self.options.load_core
    }

    /// The gateway's program.
    pub(crate) fn aisix(&self) -> &Path {
        &self.aisix
    }

    /// A folder for files, which is removed in the end.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The address of the mock upstream.
    pub(crate) fn upstream(&self) -> SocketAddr {
        self.upstream
    }

    /// Starts another mock upstream.
    pub(crate) async fn another_upstream(&self) -> Result<(Process, SocketAddr)> {
        mock(self.options.load_core).await
    }

    /// Starts one subject.
    pub(crate) async fn subject(&self, kind: Kind) -> Result<Subject> {
        Subject::start(kind, &self.site()).await
    }

    /// Starts a gateway that has something besides.
    pub(crate) async fn changed(&self, change: &Change) -> Result<Subject> {
        Subject::changed(change, &self.site()).await
    }

    fn site(&self) -> Site<'_> {
        Site {
            core: self.options.subject_core,
            upstream: self.upstream,
            folder: self.folder.path(),
            nginx: &self.options.nginx,
            aisix: &self.aisix,
        }
    }
}

async fn mock(core: usize) -> Result<(Process, SocketAddr)> {
    let mut command = process::pinned(core, std::env::current_exe()?);
    command.arg("upstream");
    let started = Process::announced(command).await;
    started.context("the mock upstream did not start")
}
