//! A gateway with its resources in etcd or in a folder.

use super::plain;
use crate::client::Connection;
use crate::process::{Process, pinned};
use crate::rig::Rig;
use crate::subject::free_ports;
use anyhow::{Context, Result, ensure};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tokio::time::sleep;

/// The key of administrators.
pub(super) const ADMIN_KEY: &str = "admin-0123456789";

/// The longest a boot may take.
const BOOT_LIMIT: Duration = Duration::from_secs(180);

/// Where resources are.
pub(super) enum Source {
    /// In etcd, below a prefix.
    Etcd(SocketAddr, &'static str),
    /// In a folder of its own.
    Folder(PathBuf),
}

/// A running gateway.
pub(super) struct Node {
    /// Where it takes calls.
    pub(super) address: SocketAddr,
    /// Where it is administrated.
    pub(super) admin: SocketAddr,
    pub(super) process: Process,
    /// From the start of the process to the first positive answer of `/readyz`, to a millisecond.
    pub(super) boot: Duration,
}

impl Node {
    /// Starts one on the subject's core, and waits until it is ready.
    pub(super) async fn start(rig: &Rig, source: &Source) -> Result<Self> {
        let program = rig.aisix();
        ensure!(
            program.exists(),
            "there is no program {}: build it, or say where it is with --aisix",
            program.display()
        );
        let [address, admin, metrics] = free_ports()?;
        let name = address.port();
        let file = rig.folder().join(format!("{name}.yaml"));
        std::fs::write(&file, configuration(source, address, admin, metrics))?;
        let mut command = pinned(rig.subject_core(), program);
        command.arg("--config").arg(&file);
        let log = rig.folder().join(format!("{name}.log"));
        let start = Instant::now();
        let mut node = Self {
            address,
            admin,
            process: Process::logged(command, &log)?,
            boot: Duration::ZERO,
        };
        while !node.is_ready().await {
            node.process.check()?;
            ensure!(start.elapsed() < BOOT_LIMIT, "the gateway is not ready");
            sleep(Duration::from_millis(1)).await;
        }
        node.boot = start.elapsed();
        Ok(node)
    }

    async fn is_ready(&self) -> bool {
        let asked = async {
            let mut connection = Connection::open(self.address).await?;
            let request = plain::request("GET", self.address, "/readyz", "", "");
            anyhow::Ok(connection.exchange(&request).await?.0 == 200)
        };
        asked.await.unwrap_or(false)
    }

    /// Asks again and again until a caller with this credential is served; gives how long that took.
    pub(super) async fn serves(&self, credential: &str, grain: Duration) -> Result<Duration> {
        let start = Instant::now();
        let mut probe = Probe::open(self.address).await?;
        let seen = probe.until(credential, grain).await?;
        Ok(seen - start)
    }
}

/// A connection that asks whether a caller is served.
pub(super) struct Probe {
    connection: Connection,
    host: SocketAddr,
}

impl Probe {
    pub(super) async fn open(host: SocketAddr) -> Result<Self> {
        let connection = Connection::open(host).await?;
        Ok(Self { connection, host })
    }

    /// Asks until a caller with this credential is served; gives when the answer was there.
    pub(super) async fn until(&mut self, credential: &str, grain: Duration) -> Result<Instant> {
        /// The longest a change may take.
        const LIMIT: Duration = Duration::from_secs(60);
        let request = plain::request("GET", self.host, "/v1/models/model-0", credential, "");
        let start = Instant::now();
        while self.connection.exchange(&request).await?.0 == 401 {
            ensure!(start.elapsed() < LIMIT, "a change is not served");
            sleep(grain).await;
        }
        Ok(Instant::now())
    }
}

fn configuration(
    source: &Source,
    address: SocketAddr,
    admin: SocketAddr,
    metrics: SocketAddr,
) -> String {
    let source = match source {
        Source::Etcd(etcd, prefix) => {
            format!("etcd: {{ endpoints: [\"http://{etcd}\"], prefix: {prefix} }}")
        }
        Source::Folder(folder) => format!("data_dir: {}", folder.display()),
    };
    format!(
        "{source}
proxy:
  addr: {address}
  workers: 1
admin:
  addr: {admin}
  admin_keys: [{ADMIN_KEY}]
observability:
  access_log: true
  metrics:
    prometheus:
      addr: {metrics}
"
    )
}

/// Fails with what a connection was told, unless it is this.
pub(super) fn expect(connection: &Connection, status: u16, wanted: u16) -> Result<()> {
    let said = crate::client::excerpt(connection.body());
    (status == wanted)
        .then_some(())
        .with_context(|| format!("{status} instead of {wanted}: {said}"))
}
