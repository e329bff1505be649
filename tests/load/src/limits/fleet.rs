//! Redis, gateways that share it, and one that does not.

use crate::process::{Process, START_LIMIT, pinned};
use crate::prompt;
use crate::rig::Rig;
use crate::subject::{Change, Subject, free_ports};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

/// Gateways in front of the mock upstream.
pub(super) struct Fleet {
    /// Those that share Redis.
    pub(super) shared: Vec<Subject>,
    /// The one that counts in memory.
    pub(super) alone: Subject,
    _redis: Process,
}

/// A kind of limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rps,
    Rpm,
    Tpm,
}

/// The caller whose limit is never reached.
pub(super) const UNLIMITED: &str = "sk-unlimited";

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Rps, Self::Rpm, Self::Tpm];

    /// Its name in documents.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rps => "rps",
            Self::Rpm => "rpm",
            Self::Tpm => "tpm",
        }
    }

    /// The limit that is offered ten times as much: calls, or tokens of the mock's answers.
    pub(super) fn limit(self) -> u64 {
        match self {
            Self::Rps => 10,
            Self::Rpm => 60,
            Self::Tpm => 30 * super::overshoot::TOKENS,
        }
    }

    /// The credential of the caller of a window.
    pub(super) fn caller(self, window: usize) -> String {
        match self {
            // Its windows follow one another.
            Self::Rps => "sk-rps".to_owned(),
            _ => format!("sk-{}-{window}", self.name()),
        }
    }
}

impl Fleet {
    pub(super) async fn start(
        rig: &Rig,
        redis: &Path,
        count: usize,
        windows: usize,
    ) -> Result<Self> {
        let [address] = free_ports()?;
        let mut command = pinned(rig.load_core(), redis);
        let port = address.port().to_string();
        command.args([
            "--port",
            &port,
            "--save",
            "",
            "--appendonly",
            "no",
            "--bind",
            "127.0.0.1",
        ]);
        let mut process = Process::logged(command, &rig.folder().join("redis.log"))?;
        let start = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            process.check()?;
            ensure!(start.elapsed() < START_LIMIT, "Redis is not ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let keys = keys(windows);
        let change = |name: String, backend: Value| Change {
            name,
            configuration: format!("ratelimit: {backend}\n"),
            api_keys: keys.clone(),
            ..Change::default()
        };
        let backend = json!({"backend": "redis", "redis": {"url": format!("redis://{address}")}});
        let mut shared = Vec::new();
        for number in 0..count {
            shared.push(
                rig.changed(&change(format!("-{number}"), backend.clone()))
                    .await?,
            );
        }
        let alone = change("-alone".to_owned(), json!({"backend": "memory"}));
        let alone = rig.changed(&alone).await?;
        Ok(Self {
            shared,
            alone,
            _redis: process,
        })
    }
}

/// The API keys, as lines that follow those of the list which all gateways have.
fn keys(windows: usize) -> String {
    let mut keys = vec![(
        UNLIMITED.to_owned(),
        json!({"rpm": 1_000_000_000, "tpm": 1_000_000_000_000_u64}),
    )];
    for kind in Kind::ALL {
        let count = if kind == Kind::Rps { 1 } else { windows };
        keys.extend(
            (0..count).map(|window| (kind.caller(window), json!({kind.name(): kind.limit()}))),
        );
    }
    let key = |(credential, rate_limit): (String, Value)| {
        let hash = hex::encode(Sha256::digest(&credential));
        let key = json!({"display_name": credential, "key_hash": hash, "allowed_models": ["*"], "rate_limit": rate_limit});
        format!("  - {key}\n")
    };
    keys.into_iter().map(key).collect()
}

/// A chat of 1 KB by this caller.
pub(super) fn chat(host: SocketAddr, caller: &str) -> Vec<u8> {
    let body = prompt::chat("chat", false, 1 << 10);
    let body = String::from_utf8_lossy(&body).into_owned();
    crate::control::request("POST", host, "/v1/chat/completions", caller, &body)
}
