//! What was served last, kept in a file for when etcd is away at the start.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aisix_tests::{
    client::Client,
    etcd::Etcd,
    exposition::Exposition,
    gateway::{Gateway, KEY, Setup},
    upstream::{self, Answer, Flavour, Upstream},
    within,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A caller besides [`KEY`].
const OTHER: &str = "sk-other-0123456789";

/// The metric that tells whether the file could be written.
const GOOD: &str = "aisix_config_snapshot_last_write_successful";

/// Where the file is in the gateway's directory.
const FILE: &str = "kept/last.json";

fn setup(etcd: &Etcd) -> Setup {
    Setup::embedded()
        .config(etcd.block())
        .config(json!({"managed": {"snapshot_cache_path": FILE}}))
}

async fn again(etcd: &Etcd, directory: TempDir) -> Gateway {
    let started = Gateway::try_start_in(setup(etcd), directory).await;
    started.unwrap_or_else(|printed| panic!("the gateway did not start:\n{printed}"))
}

fn key(credential: &str) -> String {
    let hash = hex::encode(Sha256::digest(credential));
    json!({"key_hash": hash, "allowed_models": ["*"]}).to_string()
}

fn model(name: &str) -> String {
    let model = json!({"display_name": name, "provider": "openai", "model_name": "text",
        "provider_key_id": "up"});
    model.to_string()
}

/// A model `gpt`, and both callers.
async fn fill(etcd: &Etcd, upstream: &Upstream) {
    upstream.on("text", Answer::text(["Hello"]));
    let up = json!({"display_name": "up", "provider": "openai", "api_key": upstream::KEY,
        "api_base": upstream.base_url()});
    etcd.put("/aisix/provider_keys/up", up.to_string()).await;
    etcd.put("/aisix/models/gpt", model("gpt")).await;
    etcd.put("/aisix/api_keys/me", key(KEY)).await;
    etcd.put("/aisix/api_keys/other", key(OTHER)).await;
}

fn other(gateway: &Gateway) -> Client {
    Client::new(gateway.proxy()).header("authorization", &format!("Bearer {OTHER}"))
}

async fn status(gateway: &Gateway) -> Value {
    let client = Client::anonymous(gateway.metrics_listener());
    client.get("/status/config").await.json().await
}

/// Waits until the status says so.
async fn until(gateway: &Gateway, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let wait = async {
        loop {
            let status = status(gateway).await;
            if wanted(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(what, wait).await
}

async fn until_applied(gateway: &Gateway, revision: u64) -> Value {
    until(gateway, "the revision", |status| {
        status["applied"]["applied_revision"] == revision
    })
    .await
}

fn file(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// What the file holds, which is all of it or nothing.
fn kept(directory: &Path) -> Value {
    let text = fs::read(file(directory)).expect("there is a file");
    serde_json::from_slice(&text).expect("it is whole")
}

/// A metric without labels.
async fn metric(gateway: &Gateway, name: &str) -> Option<f64> {
    let metrics = Exposition::parse(&gateway.metrics().await);
    metrics.samples(name).next().map(|sample| sample.value)
}

#[tokio::test]
async fn a_gateway_starts_without_etcd_and_catches_up_when_it_is_back() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let mut etcd = Etcd::start().await;
    fill(&etcd, &upstream).await;
    let gateway = Gateway::start(setup(&etcd)).await;
    assert_eq!(other(&gateway).chat("gpt", "hi").await.status, 200);
    let served = status(&gateway).await;
    let directory = gateway.stop().await;
    let mode = fs::metadata(file(directory.path())).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    assert_eq!(kept(directory.path())["version"], 1);

    etcd.delete("/aisix/api_keys/other").await;
    let revision = etcd.put("/aisix/models/new", model("new")).await;
    etcd.kill(0);
    let gateway = again(&etcd, directory).await;
    let now = status(&gateway).await;
    assert_eq!(now["source"]["connected"], false);
    assert_eq!(now["source"]["observed_at"], Value::Null);
    for member in ["applied_revision", "config_hash", "resource_counts"] {
        assert_eq!(now["applied"][member], served["applied"][member]);
    }
    let ready = Client::anonymous(gateway.metrics_listener());
    assert_eq!(ready.get("/status/ready").await.status, 200);
    assert_eq!(other(&gateway).chat("gpt", "hi").await.status, 200);

    // Whatever happens to the configuration, no call fails.
    let over = Arc::new(AtomicBool::new(false));
    let calls = tokio::spawn({
        let (client, over) = (Client::new(gateway.proxy()), over.clone());
        async move {
            let mut calls = 0;
            while !over.load(Ordering::Relaxed) {
                assert_eq!(client.chat("gpt", "hi").await.status, 200);
                calls += 1;
            }
            calls
        }
    });
    etcd.back(0).await;
    let now = until_applied(&gateway, revision).await;
    assert_eq!(now["source"]["connected"], true);
    assert!(now["source"]["observed_at"].is_string(), "{now}");
    assert_eq!(now["state"], "synced");
    assert_eq!(other(&gateway).chat("gpt", "hi").await.status, 401);
    let new = Client::new(gateway.proxy()).chat("new", "hi").await;
    assert_eq!(new.status, 200);
    over.store(true, Ordering::Relaxed);
    assert!(within("the calls", calls).await.unwrap() > 0);

    let path = file(gateway.directory());
    let caught_up = async {
        while kept(gateway.directory())["revision"] != revision {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within("the file to catch up", caught_up).await;
    let printed = gateway.printed();
    assert!(
        path.is_file() && !printed.contains(upstream::KEY),
        "{printed}"
    );
}

#[tokio::test]
async fn etcd_wins_if_it_answers_but_what_was_good_is_served_for_what_is_bad() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let mut etcd = Etcd::start().await;
    fill(&etcd, &upstream).await;
    let gateway = Gateway::start(setup(&etcd)).await;
    let revision = etcd.put("/aisix/models/gpt", "{").await;
    until_applied(&gateway, revision).await;
    let directory = gateway.stop().await;
    let stale = kept(directory.path());
    let stale = stale["stale"].as_array().unwrap();
    assert_eq!(stale.len(), 1);
    assert_eq!(stale[0]["key"], "/aisix/models/gpt");

    // As if it had been so for a while.
    let mut changed = kept(directory.path());
    changed["stale"][0]["since_unix_secs"] = 1_700_000_000.into();
    fs::write(file(directory.path()), changed.to_string()).unwrap();
    let since = "2023-11-14T22:13:20Z";
    let served = |status: &Value| {
        let rejected = &status["rejected"][0];
        assert_eq!(rejected["resource_id"], "gpt", "{status}");
        assert_eq!(rejected["serving_stale_since"], since, "{status}");
    };
    etcd.delete("/aisix/api_keys/other").await;
    let gateway = again(&etcd, directory).await;
    assert_eq!(other(&gateway).chat("gpt", "hi").await.status, 401);
    let client = Client::new(gateway.proxy());
    assert_eq!(client.chat("gpt", "hi").await.status, 200);
    let now = status(&gateway).await;
    assert_eq!(now["state"], "degraded");
    served(&now);
    let metrics = Exposition::parse(&gateway.metrics().await);
    let stale = metrics.sum("aisix_config_stale_served_resources", &[("kind", "models")]);
    assert_eq!(stale as u64, 1);

    // Once more, and nobody there to say what is wrong.
    let directory = gateway.stop().await;
    etcd.kill(0);
    let gateway = again(&etcd, directory).await;
    served(&status(&gateway).await);
    etcd.back(0).await;
    let revision = etcd.put("/aisix/models/gpt", model("gpt")).await;
    let now = until_applied(&gateway, revision).await;
    assert_eq!(now["rejected"], json!([]));
}

#[tokio::test]
async fn a_file_that_is_not_what_it_should_be_is_ignored() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let etcd = Etcd::start().await;
    fill(&etcd, &upstream).await;
    let mut directory = Gateway::start(setup(&etcd)).await.stop().await;
    let good = kept(directory.path());
    let mut old = good.clone();
    old["version"] = 0.into();
    let elsewhere = good.to_string().replace("/aisix/", "/elsewhere/");
    let half = good.to_string().split_at(100).0.to_owned();
    for (text, why) in [
        (half, "is damaged"),
        (old.to_string(), "is of version 0, not 1"),
        (elsewhere, "belongs to another prefix"),
    ] {
        fs::write(file(directory.path()), text).unwrap();
        let gateway = again(&etcd, directory).await;
        let ignored = format!("last known configuration ignored: the file {why}");
        let told = |line: &Value| line["message"] == ignored.as_str();
        gateway.logged("the file", told).await;
        let client = Client::new(gateway.proxy());
        assert_eq!(client.chat("gpt", "hi").await.status, 200);
        directory = gateway.stop().await;
        assert_eq!(kept(directory.path()), good, "it is written anew");
    }
}

#[tokio::test]
async fn whoever_is_killed_while_writing_leaves_a_whole_file() {
    let etcd = Etcd::start().await;
    // Large enough that writing takes a while.
    let note = "x".repeat(500_000);
    for number in 0..4 {
        let mut document: Value = serde_json::from_str(&key(&format!("sk-{number}"))).unwrap();
        document["note"] = note.as_str().into();
        let row = format!("/aisix/api_keys/{number}");
        etcd.put(&row, document.to_string()).await;
    }
    let mut directory = None;
    for round in 0..3_u64 {
        let gateway = match directory.take() {
            None => Gateway::start(setup(&etcd)).await,
            Some(directory) => again(&etcd, directory).await,
        };
        let first = status(&gateway).await["applied"]["applied_revision"].take();
        let place = gateway.directory().to_owned();
        let written = async {
            while !file(&place).is_file() || kept(&place)["revision"] != first {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        within("the file", written).await;
        etcd.put("/aisix/api_keys/last", key(&format!("sk-last-{round}")))
            .await;
        let beside = file(&place).with_extension("tmp");
        let writing = async {
            while !beside.exists() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        within("a write", writing).await;
        let left = gateway.kill().await;
        assert!(beside.exists(), "it was killed while writing");
        let revision = &kept(left.path())["revision"];
        assert_eq!(*revision, first, "the file is the one before");
        directory = Some(left);
    }
    // What is left of the last write disturbs nobody.
    let directory = again(&etcd, directory.expect("some rounds"))
        .await
        .stop()
        .await;
    assert_eq!(
        kept(directory.path())["entries"].as_array().map(Vec::len),
        Some(5)
    );
    let files = fs::read_dir(file(directory.path()).parent().unwrap()).unwrap();
    assert_eq!(files.count(), 1);
}

#[tokio::test]
async fn a_full_disk_stops_nobody_and_is_tried_again() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let etcd = Etcd::start().await;
    fill(&etcd, &upstream).await;
    let setup = setup(&etcd).after("trap '' XFSZ; ulimit -S -f 1");
    let gateway = Gateway::start(setup).await;
    gateway
        .logged("the failure", |line| {
            line["message"] == "last known configuration not written"
        })
        .await;
    assert!(!file(gateway.directory()).exists());
    assert!(!file(gateway.directory()).with_extension("tmp").exists());
    let client = Client::new(gateway.proxy());
    assert_eq!(client.chat("gpt", "hi").await.status, 200);
    assert_eq!(metric(&gateway, GOOD).await, Some(0.0));
    let failures = metric(&gateway, "aisix_config_snapshot_write_failures_total");
    assert!(failures.await >= Some(1.0));

    gateway.unlimit_files();
    let written = async {
        while !file(gateway.directory()).exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within("the file", written).await;
    assert_eq!(
        kept(gateway.directory())["entries"]
            .as_array()
            .map(Vec::len),
        Some(4)
    );
    let told = async { while metric(&gateway, GOOD).await != Some(1.0) {} };
    within("the metric", told).await;
}
