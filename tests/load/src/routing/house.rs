//! A gateway before three upstreams, and the models that stand for them.

use crate::client::Connection;
use crate::process::Process;
use crate::prompt;
use crate::rig::Rig;
use crate::scenario::CALLER_KEY;
use crate::subject::{Change, Subject};
use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// The targets, each at an upstream of its own.
pub(super) const TARGETS: [&str; 3] = ["a", "b", "c"];
/// Their weights where they have some.
pub(super) const WEIGHTS: [u32; 3] = [5, 3, 2];
/// The header by which groups tell requests apart.
const SESSION: &str = "x-aisix-routing-key";

/// A gateway before three upstreams.
pub(super) struct House {
    pub(super) gateway: Subject,
    upstreams: Vec<(Process, SocketAddr)>,
}

/// What became of some calls.
pub(super) struct Load {
    /// How many were answered with something else than 200, or not at all.
    pub(super) failed: usize,
    /// How long each took.
    pub(super) times: Vec<Duration>,
}

impl House {
    pub(super) async fn start(rig: &Rig) -> Result<Self> {
        let mut upstreams = Vec::new();
        for _ in TARGETS {
            upstreams.push(rig.another_upstream().await?);
        }
        let keys = TARGETS.iter().zip(&upstreams);
        let keys = keys.map(|(name, (_, address))| {
            json!({"display_name": name, "provider": "openai", "api_key": "sk-upstream",
                "api_base": format!("http://{address}/v1")})
        });
        let change = Change {
            name: "-routing".to_owned(),
            provider_keys: items(keys),
            resources: items(models()),
            ..Change::default()
        };
        let gateway = rig.changed(&change).await?;
        Ok(Self { gateway, upstreams })
    }

    /// How many calls each upstream has taken so far.
    pub(super) async fn taken(&self) -> Result<Vec<usize>> {
        let mut taken = Vec::new();
        for (_, address) in &self.upstreams {
            let mut connection = Connection::open(*address).await?;
            let request = format!("GET /calls HTTP/1.1\r\nHost: {address}\r\n\r\n");
            connection.exchange(request.as_bytes()).await?;
            let count = std::str::from_utf8(connection.body())?;
            taken.push(count.parse().context("no count")?);
        }
        Ok(taken)
    }

    /// The upstream of a target, which is no more counted.
    pub(super) fn give_up(&mut self, target: usize) -> Process {
        self.upstreams.remove(target).0
    }

    /// Asks a model, so many calls at a time, each with a session of its own.
    pub(super) async fn load(&self, model: &str, calls: usize, at_a_time: usize) -> Result<Load> {
        let left = Arc::new(AtomicUsize::new(calls));
        let mut tasks = JoinSet::new();
        for _ in 0..at_a_time {
            tasks.spawn(ask(
                self.gateway.address,
                model.to_owned(),
                Arc::clone(&left),
            ));
        }
        let mut load = Load {
            failed: 0,
            times: Vec::with_capacity(calls),
        };
        while let Some(ended) = tasks.join_next().await {
            let part = ended.map_err(|error| anyhow!(error))??;
            load.failed += part.failed;
            load.times.extend(part.times);
        }
        Ok(load)
    }
}

/// Makes calls on one connection while any are left; opens another one after a failure.
async fn ask(gateway: SocketAddr, model: String, left: Arc<AtomicUsize>) -> Result<Load> {
    let body = String::from_utf8(prompt::chat(&model, false, 1 << 10))?;
    let mut connection = Connection::open(gateway).await?;
    let mut load = Load {
        failed: 0,
        times: Vec::new(),
    };
    let take = |left: usize| left.checked_sub(1);
    while let Ok(number) = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) {
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: {gateway}\r\nContent-Type: application/json\r\n\
             Authorization: Bearer {CALLER_KEY}\r\n{SESSION}: {number}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        match connection.exchange(request.as_bytes()).await {
            Ok((200, sample)) => load.times.push(sample.total),
            Ok(_) => load.failed += 1,
            Err(_) => {
                load.failed += 1;
                connection = Connection::open(gateway).await?;
            }
        }
    }
    Ok(load)
}

/// All models: the targets in each state, and the groups of them.
fn models() -> Vec<Value> {
    let at = |name: &str, key: &str, script: &str| json!({"display_name": name, "provider": "openai", "provider_key": key, "model_name": script});
    let mut models: Vec<_> = TARGETS.iter().map(|name| at(name, name, "chat")).collect();
    models.extend([
        at("b that stalls", "b", "late-500"),
        at("b that is slow", "b", "late-5000"),
        at("c that fails", "c", "flaky-10"),
    ]);
    let group = |name: &str, targets: [&str; 3], routing: Value| {
        let targets = targets.map(|name| json!({"model": name, "weight": weight(name)}));
        let mut routing = routing;
        routing["targets"] = json!(targets);
        json!({"display_name": name, "routing": routing})
    };
    for strategy in ["round_robin", "random", "consistent_hash"] {
        models.push(group(strategy, TARGETS, json!({"strategy": strategy})));
    }
    let stalls = ["a", "b that stalls", "c"];
    models.extend([
        group("failover", TARGETS, json!({"strategy": "failover"})),
        group("one stalls", stalls, json!({"strategy": "round_robin"})),
        group(
            "one stalls, least_busy",
            stalls,
            json!({"strategy": "least_busy"}),
        ),
        group(
            "one is slow and one fails",
            ["a", "b that is slow", "c that fails"],
            json!({"strategy": "least_busy"}),
        ),
    ]);
    models
}

/// The weight of a target, by the first letter of its name.
fn weight(name: &str) -> u32 {
    let place = TARGETS.iter().position(|target| name.starts_with(target));
    place.map_or(1, |place| WEIGHTS[place])
}

/// Documents as items of a list in YAML.
fn items(documents: impl IntoIterator<Item = Value>) -> String {
    let lines = documents
        .into_iter()
        .map(|document| format!("  - {document}\n"));
    lines.collect()
}
