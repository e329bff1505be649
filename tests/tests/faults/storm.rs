//! Ten thousand writes past the Admin API.

use std::{collections::BTreeSet, sync::Arc};

use aisix_tests::{etcd::Etcd, gateway::Gateway, patiently};
use etcd_client::{Client, Txn};
use serde_json::json;

use crate::scene::{
    Traffic, Upstreams, api_key, commit, delete, put, serves_what_etcd_holds, setup, status,
};

const WRITERS: usize = 8;
const WRITES: usize = 1_250;

/// Writes documents of its own, good and bad ones, and takes some away again. What is left is good.
async fn write(mut client: Client, writer: usize) {
    let mut bad = BTreeSet::new();
    for n in 0..WRITES {
        let id = format!("{writer}-{}", n * 7 % 90);
        let name = format!("api_keys/{id}");
        let value = match n % 10 {
            3 => "no JSON".to_owned(),
            7 => json!({"key_hash": n, "allowed_models": ["*"]}).to_string(),
            5 => {
                delete(&mut client, &name).await;
                bad.remove(&name);
                continue;
            }
            _ => {
                let mut document = api_key(&format!("sk-{id}"));
                document["user_name"] = format!("version {n} ü").into();
                document.to_string()
            }
        };
        match n % 10 {
            3 | 7 => bad.insert(name.clone()),
            _ => bad.remove(&name),
        };
        commit(&mut client, Txn::new().and_then([put(&name, value)])).await;
    }
    assert!(!bad.is_empty(), "some are bad to the end");
    for name in bad {
        delete(&mut client, &name).await;
    }
}

/// Changes what callers use, two documents at a time.
async fn turn(mut client: Client, upstreams: Arc<Upstreams>) {
    for version in 0..=WRITES / 2 {
        commit(&mut client, upstreams.pair(version)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_writes_fail_no_request_and_end_as_etcd_does() {
    let upstreams = Arc::new(Upstreams::start().await);
    let etcd = Etcd::start().await;
    upstreams.provide(&etcd).await;
    let (one, other) = tokio::join!(Gateway::start(setup(&etcd)), Gateway::start(setup(&etcd)));
    let traffic = Traffic::to([&one, &other]);

    let mut storm = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        storm.spawn(write(etcd.client(0).await, writer));
    }
    storm.spawn(turn(etcd.client(0).await, Arc::clone(&upstreams)));
    patiently("the storm", storm.join_all()).await;

    for gateway in [&one, &other] {
        serves_what_etcd_holds(gateway, &etcd).await;
        let status = status(gateway).await;
        assert_eq!(status["rejected"], json!([]));
        assert!(
            status["applied"]["apply_seq"].as_u64() > Some(100),
            "it was a storm: {status}"
        );
    }
    traffic.stop().await;
}
