//! The source and the store in etcd, with real etcd (Debian package `etcd-server`).

#![allow(clippy::unwrap_used)]

mod cluster;
mod faults;
mod follow;
mod proxy;
mod secure;
mod store;

use std::time::Duration;

use aisix_core::config::{Change, Config, Entry, Key, KeyHash, Kind, SourceError};
use aisix_sources::etcd::{Backoff, Etcd, Keepalive, Settings};
use futures_util::{Stream, StreamExt};
use serde_json::{Value, json};

/// Long enough for everything that is expected to happen.
const TIME: Duration = Duration::from_secs(60);

/// Settings with short pauses.
fn settings(endpoints: Vec<String>) -> Settings {
    Settings {
        endpoints,
        connect_timeout: Duration::from_secs(2),
        keepalive: Keepalive {
            interval: Duration::from_millis(300),
            timeout: Duration::from_secs(1),
        },
        backoff: Backoff {
            least: Duration::from_millis(50),
            most: Duration::from_millis(500),
        },
        ..Settings::default()
    }
}

fn etcd(endpoints: Vec<String>) -> Etcd {
    Etcd::new(settings(endpoints)).unwrap()
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(TIME, future).await;
    done.unwrap_or_else(|_| panic!("{what}: not in time"))
}

/// The next change, however often something fails before.
async fn next(changes: impl Stream<Item = Result<Change, SourceError>> + Unpin) -> Change {
    let mut changes = changes;
    within("a change", async {
        loop {
            match changes.next().await.expect("a source never ends") {
                Ok(Change::At(_)) | Err(_) => {}
                Ok(change) => return change,
            }
        }
    })
    .await
}

/// The next thing that is wrong; nothing may change before.
async fn next_error(changes: impl Stream<Item = Result<Change, SourceError>> + Unpin) -> String {
    let mut changes = changes;
    loop {
        let item = within("an error", changes.next()).await;
        match item.expect("a source never ends") {
            Err(error) => return error.to_string(),
            Ok(Change::At(_)) => {}
            Ok(change) => panic!("{change:?}"),
        }
    }
}

/// A change in short: what is put, what is deleted, what is everything.
fn told(change: &Change) -> String {
    match change {
        Change::Put(entry) => format!("+{}", entry.key),
        Change::Delete(key) => format!("-{key}"),
        Change::At(_) | Change::Hash(_) => String::new(),
        Change::Reject(rejection) => format!("!{}", rejection.name),
        Change::Forget(name) => format!("?{name}"),
        Change::All { entries, rejected } => {
            let keys = entries.iter().map(|entry| format!(" {}", entry.key));
            let rejected = rejected.iter().map(|it| format!(" !{}", it.name));
            format!("={}", keys.chain(rejected).collect::<String>())
        }
        Change::Together(changes) => {
            let changes = changes.iter().map(told).filter(|told| !told.is_empty());
            changes.collect::<Vec<_>>().join(" ")
        }
        Change::Reset(entries) => {
            let keys = entries.iter().map(|entry| format!(" {}", entry.key));
            format!("={}", keys.collect::<String>())
        }
    }
}

fn key(id: &str) -> Key {
    Key {
        kind: Kind::ApiKey,
        id: id.into(),
    }
}

/// An API key.
fn document(text: &str) -> Value {
    json!({"key_hash": KeyHash::of(text).to_hex(), "allowed_models": ["*"]})
}

fn put(id: &str, text: &str) -> Change {
    Change::Put(Entry::new(Kind::ApiKey, id, document(text)))
}

/// Waits until a configuration that is followed meanwhile is as it should be.
async fn until(config: &Config, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within("the configuration", wait).await;
    assert!(config.current().is_loaded());
}
