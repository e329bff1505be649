//! etcd itself (Debian package `etcd-server`): one member or three, in plain text.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use etcd_client::{Client, ConnectOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::within;

/// Some members of etcd with their data in a directory of their own. Killed when dropped.
#[derive(Debug)]
pub struct Etcd {
    members: Vec<Member>,
    _directory: TempDir,
}

#[derive(Debug)]
struct Member {
    endpoint: String,
    arguments: Vec<String>,
    child: Option<Child>,
}

// === impl Etcd ===

impl Etcd {
    /// Starts one member on a free port.
    pub async fn start() -> Self {
        Self::members(1).await
    }

    /// Starts this many members on free ports.
    pub async fn members(count: usize) -> Self {
        // Somebody else may take a port before etcd does.
        for _ in 0..5 {
            let mut etcd = Self::prepare(count);
            etcd.members.iter_mut().for_each(Member::start);
            if within("etcd", etcd.is_up()).await {
                return etcd;
            }
        }
        panic!("etcd does not start");
    }

    fn prepare(count: usize) -> Self {
        let directory = tempfile::tempdir().expect("there is room");
        // All are held until all are known, so that they differ.
        let ports = (0..2 * count).map(|_| TcpListener::bind("127.0.0.1:0"));
        let ports: Vec<TcpListener> = ports
            .collect::<Result<_, _>>()
            .expect("loopback has free ports");
        let url = |port: &TcpListener| {
            let addr = port.local_addr().expect("it is bound");
            format!("http://{addr}")
        };
        let urls = ports.chunks(2).map(|pair| (url(&pair[0]), url(&pair[1])));
        let urls: Vec<(String, String)> = urls.collect();
        let everybody = urls.iter().enumerate();
        let everybody: Vec<String> = everybody
            .map(|(n, (_, peer))| format!("m{n}={peer}"))
            .collect();
        let everybody = everybody.join(",");
        let members = urls.into_iter().enumerate().map(|(n, (client, peer))| {
            Member::new(
                &format!("m{n}"),
                directory.path(),
                (client, &peer),
                &everybody,
            )
        });
        Self {
            members: members.collect(),
            _directory: directory,
        }
    }

    /// The block `etcd` of a configuration.
    #[must_use]
    pub fn block(&self) -> Value {
        let endpoints = self.members.iter().map(|member| member.endpoint.as_str());
        json!({"etcd": {"endpoints": endpoints.collect::<Vec<_>>()}})
    }

    /// Writes a row, whatever it holds; gives etcd's revision then.
    pub async fn put(&self, key: &str, value: impl AsRef<[u8]>) -> u64 {
        let client = self.client(0).await;
        let answer = client.kv_client().put(key, value.as_ref(), None).await;
        revision(answer.expect("etcd answers").header())
    }

    /// Removes a row; gives etcd's revision then.
    pub async fn delete(&self, key: &str) -> u64 {
        let client = self.client(0).await;
        let answer = client.kv_client().delete(key, None).await;
        revision(answer.expect("etcd answers").header())
    }

    /// A client of one member, as another tool would have it. Waits until the member serves.
    pub async fn client(&self, member: usize) -> Client {
        let member = &self.members[member];
        within("a client of etcd", member.client()).await
    }

    /// The member that leads.
    ///
    /// # Panics
    ///
    /// When one does not run.
    pub async fn leader(&self) -> usize {
        for member in 0..self.members.len() {
            let mut client = self.client(member).await;
            let status = client.status().await.expect("it serves");
            let id = status.header().map(etcd_client::ResponseHeader::member_id);
            if id == Some(status.leader()) {
                return member;
            }
        }
        panic!("nobody leads");
    }

    /// Kills a member. Its data stays.
    pub fn kill(&mut self, member: usize) {
        self.members[member].kill();
    }

    /// Starts a member again.
    pub fn restart(&mut self, member: usize) {
        self.members[member].start();
    }

    /// Starts a member again, and waits until all serve.
    pub async fn back(&mut self, member: usize) {
        self.restart(member);
        assert!(within("etcd", self.is_up()).await, "etcd starts again");
    }

    /// Lets a member do nothing, without its connections being closed.
    pub fn pause(&self, member: usize) {
        self.members[member].signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self, member: usize) {
        self.members[member].signal(Signal::CONT);
    }

    /// Waits until all serve; whether they do.
    async fn is_up(&mut self) -> bool {
        for member in 0..self.members.len() {
            while !self.members[member].serves().await {
                if self.members.iter_mut().any(Member::is_gone) {
                    return false;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        true
    }
}

fn revision(header: Option<&etcd_client::ResponseHeader>) -> u64 {
    let revision = header.map_or(0, etcd_client::ResponseHeader::revision);
    revision.try_into().expect("etcd counts from one")
}

// === impl Member ===

impl Member {
    fn new(name: &str, below: &Path, (client, peer): (String, &str), everybody: &str) -> Self {
        let data = below.join(name).display().to_string();
        let arguments = [
            ("--name", name),
            ("--data-dir", &data),
            ("--listen-client-urls", &client),
            ("--advertise-client-urls", &client),
            ("--listen-peer-urls", peer),
            ("--initial-advertise-peer-urls", peer),
            ("--initial-cluster", everybody),
            // Gateways keep their connections alive.
            ("--grpc-keepalive-min-time", "1s"),
        ];
        let arguments = arguments.iter();
        Self {
            arguments: arguments
                .flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()])
                .collect(),
            endpoint: client,
            child: None,
        }
    }

    fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs", self.endpoint);
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

    async fn client(&self) -> Client {
        loop {
            if let Some(client) = self.try_client().await {
                return client;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn try_client(&self) -> Option<Client> {
        let options = ConnectOptions::new().with_timeout(Duration::from_secs(5));
        let client = Client::connect([&self.endpoint], Some(options))
            .await
            .ok()?;
        client.kv_client().get("nothing", None).await.ok()?;
        Some(client)
    }

    async fn serves(&self) -> bool {
        self.try_client().await.is_some()
    }

    fn is_gone(&mut self) -> bool {
        let child = self.child.as_mut().expect("it was started");
        child.try_wait().expect("it is ours").is_some()
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours");
            child.wait().expect("it was started");
        }
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        kill_process(Pid::from_child(child), signal).expect("it is ours");
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}
