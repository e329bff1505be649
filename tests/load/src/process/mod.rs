//! Children: pinned to a core, announced or logged, and gone when dropped.

mod usage;

pub(crate) use usage::{Memory, Usage};

use crate::serve::ANNOUNCEMENT;
use anyhow::{Context, Result, anyhow, bail};
use std::ffi::OsStr;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// How long a child has until it is ready.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(20);

/// A running child; dropping it kills it.
pub(crate) struct Process {
    child: Child,
    id: u32,
    log: Option<PathBuf>,
}

/// A command that will run on one core and dies with this process, however that ends.
///
/// `setpriv` and `taskset` both replace themselves, so that the child's id is the program's. Of the
/// environment, what configures `aisix` or its log is left out.
pub(crate) fn pinned(core: usize, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "taskset", "--cpu-list"])
        .arg(core.to_string())
        .arg(program)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .env_remove("RUST_LOG");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AISIX_") {
            command.env_remove(name);
        }
    }
    command
}

/// Pins this process to one core; children that are not pinned themselves inherit it.
pub(crate) async fn pin_self(core: usize) -> Result<()> {
    let status = Command::new("taskset")
        .args(["--cpu-list", "--pid", &core.to_string()])
        .arg(std::process::id().to_string())
        .stdout(Stdio::null())
        .status()
        .await
        .context("taskset (of util-linux) is needed")?;
    if !status.success() {
        bail!("core {core} is not available: two cores are needed, see --help");
    }
    Ok(())
}

impl Process {
    /// Starts a child that prints its address as this program's own servers do.
    pub(crate) async fn announced(mut command: Command) -> Result<(Self, SocketAddr)> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let id = child.id().context("the child has ended")?;
        let out = child.stdout.take().context("the child has no output")?;
        let process = Self {
            child,
            id,
            log: None,
        };
        let mut lines = BufReader::new(out).lines();
        let line = tokio::time::timeout(START_LIMIT, lines.next_line())
            .await
            .context("no address printed in time")??
            .context("no address printed")?;
        let address = line
            .strip_prefix(ANNOUNCEMENT)
            .with_context(|| format!("unexpected output: {line}"))?;
        Ok((process, address.parse()?))
    }

    /// Starts a child that writes both its outputs to a file.
    pub(crate) fn logged(mut command: Command, log: &Path) -> Result<Self> {
        let file = File::create(log)?;
        let child = command
            .stderr(file.try_clone()?)
            .stdout(file)
            .spawn()
            .context("setpriv and taskset (of util-linux) are needed")?;
        let id = child.id().context("the child has ended")?;
        Ok(Self {
            child,
            id,
            log: Some(log.to_owned()),
        })
    }

    /// Fails when the child has ended, with the end of its log.
    pub(crate) fn check(&mut self) -> Result<()> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(());
        };
        let log = self.log.as_ref().map(std::fs::read_to_string);
        let log = log.transpose()?.unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(5)..].join("; ");
        Err(anyhow!("ended with {status}: {end}"))
    }

    /// Kills the child, and waits until it is gone.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// The CPU time the child and its own children have used so far.
    pub(crate) fn usage(&self) -> Result<Usage> {
        Usage::read(self.id)
    }

    /// The memory of the child and its own children.
    pub(crate) fn memory(&self) -> Result<Memory> {
        Memory::read(self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_ended_child_is_reported_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = pinned(0, "sh");
        command.args(["-c", "echo out; echo broken >&2; exit 3"]);
        let mut process = Process::logged(command, &folder.path().join("log")).unwrap();
        process.child.wait().await.unwrap();
        let message = process.check().unwrap_err().to_string();
        assert_eq!(message, "ended with exit status: 3: out; broken");
    }

    #[tokio::test]
    async fn a_dropped_child_is_killed() {
        let mut command = pinned(0, "sh");
        command.args(["-c", "echo listening on 127.0.0.1:9; exec sleep 100"]);
        let (process, address) = Process::announced(command).await.unwrap();
        assert_eq!(address.port(), 9);
        let stat = format!("/proc/{}/stat", process.id);
        drop(process);
        let gone = async {
            while std::fs::read_to_string(&stat).is_ok_and(|s| !s.contains(") Z ")) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(START_LIMIT, gone).await.unwrap();
    }
}
