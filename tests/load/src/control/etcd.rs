//! etcd: one member, written through its JSON gateway, which needs no Protobuf here.

use super::plain;
use crate::client::{Connection, excerpt};
use crate::process::{Process, START_LIMIT, pinned};
use crate::subject::free_ports;
use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How many documents are written at a time while it is filled.
const TOGETHER: usize = 512;

/// A running etcd.
pub(super) struct Etcd {
    pub(super) address: SocketAddr,
    process: Process,
}

/// A connection that writes below a prefix.
pub(super) struct Writer {
    connection: Connection,
    host: SocketAddr,
    prefix: String,
}

impl Etcd {
    /// Starts it with its data in a folder, and waits until it serves.
    pub(super) async fn start(core: usize, folder: &Path) -> Result<Self> {
        let [address, peer] = free_ports()?;
        let (client, peer) = (format!("http://{address}"), format!("http://{peer}"));
        let mut command = pinned(core, "etcd");
        command.arg("--data-dir").arg(folder.join("etcd"));
        command.args([
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            format!("--max-txn-ops={TOGETHER}"),
        ]);
        let process = Process::logged(command, &folder.join("etcd.log"))?;
        let mut etcd = Self { address, process };
        let start = Instant::now();
        while !etcd.is_healthy().await {
            let why = "etcd does not start (Debian package etcd-server)";
            etcd.process.check().context(why)?;
            ensure!(start.elapsed() < START_LIMIT, why);
            sleep(Duration::from_millis(20)).await;
        }
        Ok(etcd)
    }

    async fn is_healthy(&self) -> bool {
        let asked = async {
            let mut connection = Connection::open(self.address).await?;
            let request = plain::request("GET", self.address, "/health", "", "");
            anyhow::Ok(connection.exchange(&request).await?.0 == 200)
        };
        asked.await.unwrap_or(false)
    }

    /// A connection that writes below a prefix, which is without a slash at its end.
    pub(super) async fn writer(&self, prefix: &str) -> Result<Writer> {
        Ok(Writer {
            connection: Connection::open(self.address).await?,
            host: self.address,
            prefix: prefix.to_owned(),
        })
    }
}

impl Writer {
    /// Writes one document, and waits until that is acknowledged.
    pub(super) async fn put(&mut self, (name, document): (String, Value)) -> Result<()> {
        let put = self.operation(&name, &document);
        self.ask("/v3/kv/put", &put).await
    }

    /// Writes documents, many at a time.
    pub(super) async fn fill(
        &mut self,
        documents: impl Iterator<Item = (String, Value)>,
    ) -> Result<()> {
        let mut puts = Vec::new();
        let mut documents = documents.peekable();
        while let Some((name, document)) = documents.next() {
            puts.push(json!({"requestPut": self.operation(&name, &document)}));
            if puts.len() == TOGETHER || documents.peek().is_none() {
                let transaction = json!({"success": std::mem::take(&mut puts)});
                self.ask("/v3/kv/txn", &transaction).await?;
            }
        }
        Ok(())
    }

    fn operation(&self, name: &str, document: &Value) -> Value {
        let key = STANDARD.encode(format!("{}/{name}", self.prefix));
        json!({"key": key, "value": STANDARD.encode(document.to_string())})
    }

    async fn ask(&mut self, path: &str, body: &Value) -> Result<()> {
        let request = plain::request("POST", self.host, path, "", &body.to_string());
        let (status, _) = self.connection.exchange(&request).await.context("etcd")?;
        let said = excerpt(self.connection.body());
        ensure!(status == 200, "etcd answered {status}: {said}");
        Ok(())
    }
}
