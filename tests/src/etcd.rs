//! etcd itself (Debian package `etcd-server`): one member, in plain text.

use std::{
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
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
        json!({"etcd": {"endpoints": [self.endpoint()]}})
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What stands below a prefix there, as a location of the command line.
    #[must_use]
    pub fn location(&self, prefix: &str) -> String {
        format!("etcd://127.0.0.1:{}{prefix}", self.port)
    }

    /// Its address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// From now on it wants a password, of the user `root`.
    pub async fn require_password(&self, password: &str) {
        for (path, body) in [
            (
                "/v3/auth/user/add",
                json!({"name": "root", "password": password}),
            ),
            ("/v3/auth/role/add", json!({"name": "root"})),
            (
                "/v3/auth/user/grant",
                json!({"user": "root", "role": "root"}),
            ),
            ("/v3/auth/enable", json!({})),
        ] {
            let client = Client::anonymous(self.addr());
            assert_eq!(client.post(path, &body).await.status, 200, "{path}");
        }
    }

    /// Writes a value, as somebody who knows nothing of AISIX.
    pub async fn put(&self, key: &str, value: &str) {
        let client = Client::anonymous(self.addr());
        let body = json!({"key": BASE64.encode(key), "value": BASE64.encode(value)});
        assert_eq!(client.post("/v3/kv/put", &body).await.status, 200);
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

    /// Waits until it serves; whether it does.
    async fn is_up(&mut self) -> bool {
        loop {
            let child = self.child.as_mut().expect("it was started");
            if child.try_wait().expect("it is ours").is_some() {
                return false;
            }
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                let health = Client::anonymous(self.addr());
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
