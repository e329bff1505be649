//! etcd itself (Debian package `etcd-server`): one member, in plain text.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{client::Client, within};

/// An etcd with its data in a directory of its own. Killed when dropped.
#[derive(Debug)]
pub struct Etcd {
    port: u16,
    arguments: Vec<String>,
    child: Option<Child>,
    _directory: TempDir,
}

// === impl Etcd ===

impl Etcd {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        // Somebody else may take a port before etcd does.
        for _ in 0..5 {
            let mut etcd = Self::prepare();
            etcd.restart();
            if within("etcd", etcd.is_up()).await {
                return etcd;
            }
        }
        panic!("etcd does not start");
    }

    fn prepare() -> Self {
        let directory = tempfile::tempdir().expect("there is room");
        let free = || TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
        // Both are held until both are known, so that they differ.
        let (client, peer) = (free(), free());
        let (client, peer) = (port(&client), port(&peer));
        let (client_url, peer_url) = (
            format!("http://127.0.0.1:{client}"),
            format!("http://127.0.0.1:{peer}"),
        );
        let arguments = [
            "--data-dir".to_owned(),
            directory.path().join("data").display().to_string(),
            format!("--listen-client-urls={client_url}"),
            format!("--advertise-client-urls={client_url}"),
            format!("--listen-peer-urls={peer_url}"),
            format!("--initial-advertise-peer-urls={peer_url}"),
            format!("--initial-cluster=default={peer_url}"),
        ];
        Self {
            port: client,
            arguments: arguments.into(),
            child: None,
            _directory: directory,
        }
    }

    /// The block `etcd` of a configuration.
    #[must_use]
    pub fn block(&self) -> Value {
        json!({"etcd": {"endpoints": [format!("http://127.0.0.1:{}", self.port)]}})
    }

    /// Writes a row, whatever it holds; gives etcd's revision then.
    pub async fn put(&self, key: &str, value: impl AsRef<[u8]>) -> u64 {
        let row = json!({"key": STANDARD.encode(key), "value": STANDARD.encode(value)});
        self.ask("/v3/kv/put", &row).await
    }

    /// Removes a row; gives etcd's revision then.
    pub async fn delete(&self, key: &str) -> u64 {
        let row = json!({"key": STANDARD.encode(key)});
        self.ask("/v3/kv/deleterange", &row).await
    }

    async fn ask(&self, path: &str, question: &Value) -> u64 {
        let client = Client::anonymous(([127, 0, 0, 1], self.port).into());
        let answer = client.post(path, question).await;
        assert_eq!(answer.status, 200, "etcd answers");
        let revision = answer.json().await["header"]["revision"].take();
        let revision = revision.as_str().and_then(|text| text.parse().ok());
        revision.expect("etcd tells its revision")
    }

    /// Kills it. Its data stays.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours");
            child.wait().expect("it was started");
        }
    }

    /// Starts it again.
    ///
    /// # Panics
    ///
    /// When etcd is not installed.
    pub fn restart(&mut self) {
        let child = Command::new("etcd")
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("etcd cannot be started ({error}): apt-get install etcd-server")
        });
        self.child = Some(child);
    }

    /// Starts it again, and waits until it serves.
    pub async fn back(&mut self) {
        self.restart();
        assert!(within("etcd", self.is_up()).await, "etcd starts again");
    }

    /// Waits until it serves; whether it does.
    async fn is_up(&mut self) -> bool {
        loop {
            let child = self.child.as_mut().expect("it was started");
            if child.try_wait().expect("it is ours").is_some() {
                return false;
            }
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                let health = Client::anonymous(([127, 0, 0, 1], self.port).into());
                if health.get("/health").await.status == 200 {
                    return true;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}
