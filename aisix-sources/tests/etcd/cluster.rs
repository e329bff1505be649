//! etcd itself, on free ports, with its data in a directory of the test.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use etcd_client::{Client, ConnectOptions, TlsOptions};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::{TIME, secure::Authority, within};

/// Some members of etcd. Killed when dropped.
pub(crate) struct Cluster {
    members: Vec<Member>,
    directory: TempDir,
    tls: Option<TlsOptions>,
}

struct Member {
    name: String,
    client: String,
    arguments: Vec<String>,
    data: PathBuf,
    child: Option<Child>,
}

// === impl Cluster ===

impl Cluster {
    /// One member, in plain text.
    pub(crate) async fn one() -> Self {
        Self::start(1, None, &[]).await
    }

    /// Three members, in plain text.
    pub(crate) async fn three() -> Self {
        Self::start(3, None, &[]).await
    }

    /// Members with more arguments; with an authority they talk mTLS only.
    pub(crate) async fn start(members: usize, tls: Option<&Authority>, more: &[&str]) -> Self {
        // Somebody else may take a port before etcd does.
        for _ in 0..5 {
            let mut cluster = Self::prepare(members, tls, more);
            cluster.members.iter_mut().for_each(Member::start);
            if cluster.is_up().await {
                return cluster;
            }
        }
        panic!("etcd does not start");
    }

    fn prepare(count: usize, tls: Option<&Authority>, more: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        // All are held until all are known, so that they differ.
        let ports: Vec<_> = (0..2 * count)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let url = |listener: &TcpListener| {
            let port = listener.local_addr().unwrap().port();
            format!("{scheme}://127.0.0.1:{port}")
        };
        let urls: Vec<_> = ports
            .chunks(2)
            .map(|pair| (url(&pair[0]), url(&pair[1])))
            .collect();
        let everybody = urls
            .iter()
            .enumerate()
            .map(|(n, (_, peer))| format!("m{n}={peer}"));
        let everybody = everybody.collect::<Vec<_>>().join(",");
        let files = tls.map(|authority| authority.write(directory.path()));
        let members = urls.into_iter().enumerate().map(|(n, (client, peer))| {
            let (name, data) = (format!("m{n}"), directory.path().join(format!("m{n}")));
            let mut arguments: Vec<String> = [
                ("--name", name.as_str()),
                ("--data-dir", data.to_str().unwrap()),
                ("--listen-client-urls", &client),
                ("--advertise-client-urls", &client),
                ("--listen-peer-urls", &peer),
                ("--initial-advertise-peer-urls", &peer),
                ("--initial-cluster", &everybody),
                ("--grpc-keepalive-min-time", "50ms"),
                ("--logger", "zap"),
                ("--log-level", "error"),
            ]
            .iter()
            .flat_map(|(name, value)| [(*name).to_owned(), (*value).to_owned()])
            .collect();
            if let Some((ca, certificate, key)) = &files {
                for of in ["", "peer-"] {
                    arguments.push(format!("--{of}trusted-ca-file={}", ca.display()));
                    arguments.push(format!("--{of}cert-file={}", certificate.display()));
                    arguments.push(format!("--{of}key-file={}", key.display()));
                    arguments.push(format!("--{of}client-cert-auth"));
                }
            }
            arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
            Member {
                name,
                client,
                arguments,
                data,
                child: None,
            }
        });
        let members = members.collect();
        let tls = tls.map(Authority::options);
        Self {
            members,
            directory,
            tls,
        }
    }

    /// Where clients connect.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        let members = self.members.iter();
        members.map(|member| member.client.clone()).collect()
    }

    /// A client of the test's own.
    pub(crate) async fn client(&self) -> Client {
        within("a client", self.connect(0)).await
    }

    /// A client of one member, which serves.
    pub(crate) async fn connect(&self, member: usize) -> Client {
        loop {
            if let Some(client) = self.try_connect(member).await {
                return client;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn try_connect(&self, member: usize) -> Option<Client> {
        let endpoint = [self.members[member].client.as_str()];
        let mut options = ConnectOptions::new().with_timeout(Duration::from_secs(2));
        if let Some(tls) = &self.tls {
            options = options.with_tls(tls.clone());
        }
        let client = Client::connect(endpoint, Some(options)).await.ok()?;
        client.kv_client().get("nothing", None).await.ok()?;
        Some(client)
    }

    async fn is_up(&mut self) -> bool {
        let start = std::time::Instant::now();
        while start.elapsed() < TIME {
            let is_gone = |member: &mut Member| {
                let child = member.child.as_mut().unwrap();
                child.try_wait().unwrap().is_some()
            };
            if self.members.iter_mut().any(is_gone) {
                return false;
            }
            if self.try_connect(0).await.is_some() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    /// The member that leads.
    pub(crate) async fn leader(&self) -> usize {
        let mut leader = 0;
        for member in 0..self.members.len() {
            let mut client = self.connect(member).await;
            let status = client.status().await.unwrap();
            let id = status.header().unwrap().member_id();
            if status.leader() == id {
                leader = member;
            }
        }
        leader
    }

    pub(crate) fn kill(&mut self, member: usize) {
        self.members[member].kill();
    }

    /// Starts a member that was killed, with the data that it had.
    pub(crate) fn restart(&mut self, member: usize) {
        self.members[member].start();
    }

    /// Forgets what a member that was killed has known.
    pub(crate) fn empty(&self, member: usize) {
        fs::remove_dir_all(&self.members[member].data).unwrap();
    }

    /// Lets a member do nothing, without its connections being closed.
    pub(crate) fn pause(&self, member: usize) {
        self.members[member].signal(Signal::STOP);
    }

    pub(crate) fn resume(&self, member: usize) {
        self.members[member].signal(Signal::CONT);
    }

    /// A directory that is the test's.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }
}

// === impl Member ===

impl Member {
    fn start(&mut self) {
        assert!(self.child.is_none(), "{} runs", self.name);
        let child = Command::new("etcd")
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.unwrap_or_else(|error| {
            panic!("etcd cannot be started ({error}): apt-get install etcd-server")
        });
        self.child = Some(child);
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        kill_process(Pid::from_child(child), signal).unwrap();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}
