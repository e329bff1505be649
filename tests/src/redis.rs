//! Redis itself (Debian packages `redis-server`, `redis-sentinel`), without a disk, on loopback.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{tls::Certificate, within};

/// A server with nothing in it. Killed when dropped.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    program: &'static str,
    arguments: Vec<String>,
    password: Option<String>,
    child: Option<Child>,
    _directory: TempDir,
}

/// A cluster of three masters, with replicas or without.
#[derive(Debug)]
pub struct RedisCluster(Vec<Redis>);

/// A master and its replica, and three sentinels that watch them.
#[derive(Debug)]
pub struct RedisSentinels {
    /// The master at first.
    pub master: Redis,
    /// What becomes the master.
    pub replica: Redis,
    sentinels: Vec<Redis>,
}

/// The name of the master among [`RedisSentinels`].
const MASTER: &str = "limits";

// === impl Redis ===

impl Redis {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        Self::start_with(&[], None).await
    }

    /// Starts one that wants this password.
    pub async fn start_with_password(password: &str) -> Self {
        Self::start_with(&["--requirepass", password], Some(password)).await
    }

    /// Starts one that speaks TLS too; gives its URL for that.
    pub async fn start_with_tls(certificate: &Certificate, directory: &Path) -> (Self, String) {
        let (cert, key) = certificate.write(directory);
        let (cert, key) = (cert.display().to_string(), key.display().to_string());
        let port = free_port().to_string();
        let more = [
            ["--tls-port", &port],
            ["--tls-cert-file", &cert],
            ["--tls-key-file", &key],
            ["--tls-ca-cert-file", &cert],
            ["--tls-auth-clients", "no"],
        ];
        let redis = Self::start_with(more.as_flattened(), None).await;
        (redis, format!("rediss://127.0.0.1:{port}"))
    }

    async fn start_with(more: &[&str], password: Option<&str>) -> Self {
        // Somebody else may take a port before Redis does.
        for _ in 0..5 {
            let directory = tempfile::tempdir().expect("there is room");
            let port = free_port();
            let place = directory.path().display().to_string();
            let arguments = [
                ["--port", &port.to_string()],
                ["--bind", "127.0.0.1"],
                ["--save", ""],
                ["--appendonly", "no"],
                ["--dir", &place],
            ];
            let arguments = arguments.as_flattened().iter().chain(more);
            let mut redis = Self {
                port,
                program: "redis-server",
                arguments: arguments.map(|text| (*text).to_owned()).collect(),
                password: password.map(str::to_owned),
                child: None,
                _directory: directory,
            };
            redis.restart();
            if within("Redis", redis.is_up()).await {
                return redis;
            }
        }
        panic!("Redis does not start");
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// The block `ratelimit` of a configuration, without a password.
    #[must_use]
    pub fn block(&self) -> Value {
        let url = format!("redis://{}", self.address());
        json!({"ratelimit": {"backend": "redis", "redis": {"url": url}}})
    }

    /// Kills it. Everything in it is lost.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours");
            child.wait().expect("it was started");
        }
    }

    /// Starts it again, and waits until it serves.
    pub async fn revive(&mut self) {
        self.restart();
        assert!(within("Redis", self.is_up()).await, "its port was taken");
    }

    /// Stops it without a word to anybody: connections stay, and nothing is answered.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it for something, in its own words; gives what it answers first.
    pub async fn ask(&self, words: &str) -> String {
        self.try_ask(words).await.expect("it answers")
    }

    async fn try_ask(&self, words: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.address()).await?;
        let login = self.password.as_ref();
        let login = login.map_or_else(String::new, |password| format!("AUTH {password}\r\n"));
        let question = format!("{login}{words}\r\n");
        stream.write_all(question.as_bytes()).await?;
        stream.shutdown().await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(match login.is_empty() {
            true => answer,
            false => answer.trim_start_matches("+OK\r\n").to_owned(),
        })
    }

    /// Whether it is up and no replica. One that becomes a replica hangs up on whoever asks just then.
    pub async fn is_master(&self) -> bool {
        let role = self.try_ask("ROLE").await;
        role.is_ok_and(|role| role.contains("master"))
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        let pid = Pid::from_raw(child.id().cast_signed());
        kill_process(pid.expect("no process has number 0"), signal).expect("it is ours");
    }

    fn restart(&mut self) {
        let child = Command::new(self.program)
            .args(&self.arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.unwrap_or_else(|error| {
            panic!(
                "{0} cannot be started ({error}): apt-get install {0}",
                self.program
            )
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
            if TcpStream::connect(self.address()).await.is_ok()
                && self.ask("PING").await.starts_with("+PONG")
            {
                return true;
            }
            pause().await;
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

// === impl RedisCluster ===

impl RedisCluster {
    /// Starts three nodes and waits until they serve together.
    pub async fn start() -> Self {
        Self::of(3, "0").await
    }

    /// The same with three more, each a replica of one.
    pub async fn start_with_replicas() -> Self {
        let cluster = Self::of(6, "1").await;
        for node in &cluster.0 {
            until("the replicas", async || {
                let told = node.ask("INFO replication").await;
                told.contains("connected_slaves:1") || told.contains("master_link_status:up")
            })
            .await;
        }
        cluster
    }

    async fn of(count: usize, replicas: &str) -> Self {
        let mut nodes = Vec::new();
        for _ in 0..count {
            // The port between nodes is told, because the usual one, 10000 higher, need not be free.
            let bus = free_port().to_string();
            let more = [
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                "--cluster-node-timeout",
                "1000",
            ];
            nodes.push(Redis::start_with(&more, None).await);
        }
        let addresses = nodes.iter().map(|node| node.address().to_string());
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(addresses)
            .args(["--cluster-replicas", replicas, "--cluster-yes"])
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("redis-tools are installed").success());
        for node in &nodes {
            until("the cluster", async || {
                node.ask("CLUSTER INFO").await.contains("cluster_state:ok")
            })
            .await;
        }
        Self(nodes)
    }

    /// Its nodes.
    pub fn nodes(&mut self) -> &mut Vec<Redis> {
        &mut self.0
    }

    /// The block `ratelimit` of a configuration, which names the first two nodes.
    #[must_use]
    pub fn block(&self) -> Value {
        let nodes = [0, 1].map(|at| self.0[at].address().to_string());
        let redis = json!({"mode": "cluster", "nodes": nodes});
        json!({"ratelimit": {"backend": "redis", "redis": redis}})
    }
}

// === impl RedisSentinels ===

impl RedisSentinels {
    /// Starts all of them and waits until the sentinels know each other and the replica.
    pub async fn start() -> Self {
        let master = Redis::start().await;
        let of_master = format!("127.0.0.1 {}", master.port);
        let replica = Redis::start_with(&["--replicaof", &of_master], None).await;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(sentinel(&of_master).await);
        }
        for sentinel in &sentinels {
            until("the sentinels", async || {
                let told = sentinel.ask(&format!("SENTINEL MASTER {MASTER}")).await;
                let lines: Vec<&str> = told.lines().collect();
                let is = |name: &str, wanted: &str| {
                    let at = lines.iter().position(|line| *line == name);
                    at.is_some_and(|at| lines.get(at + 2) == Some(&wanted))
                };
                is("num-slaves", "1") && is("num-other-sentinels", "2")
            })
            .await;
        }
        Self {
            master,
            replica,
            sentinels,
        }
    }

    /// The block `ratelimit` of a configuration.
    #[must_use]
    pub fn block(&self) -> Value {
        let sentinels = self.sentinels.iter().map(|it| it.address().to_string());
        let sentinels: Vec<_> = sentinels.collect();
        let redis = json!({"mode": "sentinel", "sentinels": sentinels, "master_name": MASTER});
        json!({"ratelimit": {"backend": "redis", "redis": redis}})
    }

    /// Waits until the replica has become the master.
    pub async fn failed_over(&self) {
        until("the failover", async || self.replica.is_master().await).await;
    }
}

async fn sentinel(master: &str) -> Redis {
    let directory = tempfile::tempdir().expect("there is room");
    let port = free_port();
    let file = directory.path().join("sentinel.conf");
    let place = directory.path().display();
    let lines = [
        format!("port {port}"),
        "bind 127.0.0.1".to_owned(),
        format!("dir {place}"),
        format!("sentinel monitor {MASTER} {master} 2"),
        format!("sentinel down-after-milliseconds {MASTER} 1000"),
        format!("sentinel failover-timeout {MASTER} 5000"),
    ];
    fs::write(&file, lines.join("\n")).expect("the directory is writable");
    let mut sentinel = Redis {
        port,
        program: "redis-sentinel",
        arguments: vec![file.display().to_string()],
        password: None,
        child: None,
        _directory: directory,
    };
    sentinel.revive().await;
    sentinel
}

async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let wait = async {
        while !is_so().await {
            pause().await;
        }
    };
    within(what, wait).await;
}

/// Between two looks at another process, which tells nobody when it is ready.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}
