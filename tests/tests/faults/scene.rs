//! Gateways over etcd, callers who never stop, and what must be true in the end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aisix_tests::{
    client::Client,
    etcd::Etcd,
    gateway::{Gateway, KEY, Setup},
    patiently,
    upstream::{self, Answer, Flavour, Upstream},
};
use etcd_client::{Client as Raw, GetOptions, ResponseHeader, Txn, TxnOp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

/// What is answered when model and address are of one version.
const WHOLE: &str = "of one version";

/// Two upstreams, of which each has one model to tell of.
pub(crate) struct Upstreams([Upstream; 2]);

/// Callers who ask without end.
pub(crate) struct Traffic {
    is_over: Arc<AtomicBool>,
    callers: JoinSet<usize>,
}

// === impl Upstreams ===

impl Upstreams {
    pub(crate) async fn start() -> Self {
        let (even, odd) = tokio::join!(
            Upstream::start(Flavour::OpenAi),
            Upstream::start(Flavour::OpenAi)
        );
        even.on("even", Answer::text([WHOLE]));
        odd.on("odd", Answer::text([WHOLE]));
        Self([even, odd])
    }

    /// The model `pair` and its provider key, which belong together: of one version the model, of another
    /// the address, and the answer is another one.
    pub(crate) fn pair(&self, version: usize) -> Txn {
        let (at, name) = (&self.0[version % 2], ["even", "odd"][version % 2]);
        let key = json!({"display_name": "pair", "provider": "openai", "api_key": upstream::KEY,
            "api_base": at.base_url()});
        let model = json!({"display_name": "pair", "provider": "openai", "model_name": name,
            "provider_key_id": "pair"});
        let puts = [("provider_keys/pair", key), ("models/pair", model)];
        let puts = puts.map(|(name, document)| put(name, document.to_string()));
        Txn::new().and_then(puts)
    }

    /// Writes what callers need.
    pub(crate) async fn provide(&self, etcd: &Etcd) {
        let mut client = etcd.client(0).await;
        commit(&mut client, self.pair(0)).await;
        let caller = put("api_keys/caller", api_key(KEY).to_string());
        commit(&mut client, Txn::new().and_then([caller])).await;
    }
}

/// Makes a transaction; gives etcd's revision then.
pub(crate) async fn commit(client: &mut Raw, transaction: Txn) -> i64 {
    let answer = Box::pin(client.txn(transaction)).await;
    let answer = answer.expect("etcd serves");
    answer.header().map_or(0, ResponseHeader::revision)
}

/// Takes a document away.
pub(crate) async fn delete(client: &mut Raw, name: &str) {
    let name = format!("/aisix/{name}");
    commit(client, Txn::new().and_then([TxnOp::delete(name, None)])).await;
}

/// Puts a document.
pub(crate) fn put(name: &str, value: impl Into<Vec<u8>>) -> TxnOp {
    TxnOp::put(format!("/aisix/{name}"), value, None)
}

/// An API key that may use everything.
pub(crate) fn api_key(credential: &str) -> Value {
    let hash = hex::encode(Sha256::digest(credential));
    json!({"key_hash": hash, "allowed_models": ["*"]})
}

/// The configuration of a gateway over etcd.
pub(crate) fn setup(etcd: &Etcd) -> Setup {
    Setup::embedded().config(etcd.block())
}

// === impl Traffic ===

impl Traffic {
    /// Starts to ask these gateways for the model `pair`.
    pub(crate) fn to<'g>(gateways: impl IntoIterator<Item = &'g Gateway>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut callers = JoinSet::new();
        for gateway in gateways {
            for _ in 0..2 {
                let client = Client::new(gateway.proxy());
                callers.spawn(ask(client, Arc::clone(&is_over)));
            }
        }
        Self { is_over, callers }
    }

    /// Stops, and makes sure that there were requests and none failed.
    pub(crate) async fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        let served = self.callers.join_all().await;
        assert!(served.iter().all(|served| *served > 10), "{served:?}");
    }
}

/// Asks until it is over, and counts.
async fn ask(client: Client, is_over: Arc<AtomicBool>) -> usize {
    let mut served = 0;
    while !is_over.load(Ordering::Relaxed) {
        let answer = client.chat("pair", "hi").await;
        let status = answer.status;
        let text = answer.text().await;
        let is_whole = text.contains(WHOLE);
        assert!(status == 200 && is_whole, "{status} after {served}: {text}");
        served += 1;
        // Each has a connection of its own, of which there are not so many.
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    served
}

/// What `/status/config` says.
pub(crate) async fn status(gateway: &Gateway) -> Value {
    let client = Client::anonymous(gateway.metrics_listener());
    client.get("/status/config").await.json().await
}

/// Waits until the status says so.
pub(crate) async fn until(gateway: &Gateway, what: &str, wanted: impl Fn(&Value) -> bool) {
    patiently(what, async {
        while !wanted(&status(gateway).await) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// Waits until a gateway serves what etcd holds, all of it and nothing else.
pub(crate) async fn serves_what_etcd_holds(gateway: &Gateway, etcd: &Etcd) {
    let wanted = hash(etcd).await;
    until(gateway, "what etcd holds", |status| {
        status["applied"]["config_hash"] == *wanted && status["state"] == "synced"
    })
    .await;
}

/// The SHA-256 over `key \0 canonical JSON \n` of all rows, ordered by key.
async fn hash(etcd: &Etcd) -> String {
    let mut client = etcd.client(0).await;
    let all = GetOptions::new().with_prefix();
    let rows = Box::pin(client.get("/aisix/", Some(all))).await;
    let mut rows = rows.expect("etcd serves").take_kvs();
    rows.sort_by(|a, b| a.key().cmp(b.key()));
    let mut hasher = Sha256::new();
    for row in &rows {
        let value: Value = serde_json::from_slice(row.value()).expect("only JSON is left");
        hasher.update(&row.key()["/aisix/".len()..]);
        hasher.update([0]);
        hasher.update(canonical(value).to_string());
        hasher.update("\n");
    }
    hex::encode(hasher.finalize())
}

/// The same with the members of objects in order.
fn canonical(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.into_iter().collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            let members = members.into_iter();
            Value::Object(
                members
                    .map(|(name, value)| (name, canonical(value)))
                    .collect(),
            )
        }
        Value::Array(items) => items.into_iter().map(canonical).collect(),
        plain => plain,
    }
}
