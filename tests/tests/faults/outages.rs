//! etcd that stands still, is gone, has forgotten, or is without a leader.

use std::{sync::Arc, time::Duration};

use aisix_tests::{
    client::Client,
    etcd::Etcd,
    gateway::{Gateway, Signal},
    patiently,
};
use etcd_client::{Client as Raw, Txn};
use serde_json::{Value, json};

use crate::scene::{
    Traffic, Upstreams, api_key, commit, delete, put, serves_what_etcd_holds, setup, until,
};

/// Writes many documents, each of a few hundred bytes.
async fn write(client: &mut Raw, round: usize) {
    for n in 0..40 {
        let puts = (0..50).map(|m| {
            let mut document = api_key(&format!("sk-{n}-{m}"));
            document["user_name"] = format!("{round} {}", "x".repeat(200)).into();
            put(&format!("api_keys/{n}-{m}"), document.to_string())
        });
        let puts = Txn::new().and_then(puts.collect::<Vec<_>>());
        commit(client, puts).await;
    }
}

/// Makes an API key through the Admin API; asks again until it is made.
async fn make(admin: &Client, id: &str) {
    let document = json!({"key": format!("sk-{id}"), "allowed_models": ["*"]});
    let admin = admin.clone().header("content-type", "application/json");
    let path = format!("/aisix/admin/api_keys/{id}");
    patiently("a write", async {
        loop {
            let body = document.to_string().into();
            let answer = admin.send(http::Method::PUT, &path, body).await;
            let status = answer.status.as_u16();
            match status {
                200 | 201 => return,
                // Out of reach; it may have been written even so.
                500 => tokio::time::sleep(Duration::from_millis(50)).await,
                _ => panic!("{status}: {}", answer.text().await),
            }
        }
    })
    .await;
}

fn connected(is_so: bool) -> impl Fn(&Value) -> bool {
    move |status| status["source"]["connected"] == is_so
}

#[tokio::test(flavor = "multi_thread")]
async fn etcd_that_stands_still_is_noticed_and_nobody_else_notices() {
    let upstreams = Upstreams::start().await;
    let etcd = Etcd::start().await;
    upstreams.provide(&etcd).await;
    let gateway = Gateway::start(setup(&etcd)).await;
    let traffic = Traffic::to([&gateway]);
    let admin = gateway.administrator().await;

    etcd.pause(0);
    let document = json!({"allowed_models": []});
    let refused = admin.post("/aisix/admin/api_keys", &document).await;
    assert_eq!(refused.status, 500, "told, not kept waiting");
    // Longer than it takes to ask whether somebody is there, and to wait for an answer.
    until(&gateway, "that etcd stands still", connected(false)).await;
    let age = async || {
        let health = admin.get("/admin/v1/health").await.json().await;
        assert_eq!(health["status"], "ok", "not for long: {health}");
        health["config"]["snapshot_age_seconds"].as_u64()
    };
    patiently("the snapshot to age", async {
        while age().await < Some(1) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    etcd.resume(0);
    until(&gateway, "that etcd goes on", connected(true)).await;
    assert_eq!(age().await, Some(0));
    let mut client = etcd.client(0).await;
    commit(&mut client, upstreams.pair(1)).await;
    make(&admin, "later").await;
    serves_what_etcd_holds(&gateway, &etcd).await;
    traffic.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stood_still_catches_up_and_reads_anew_what_was_compacted() {
    let upstreams = Upstreams::start().await;
    let mut etcd = Etcd::start().await;
    upstreams.provide(&etcd).await;
    let gateway = Gateway::start(setup(&etcd)).await;
    let mut client = etcd.client(0).await;

    // More than fits into buffers on the way.
    gateway.signal(Signal::STOP);
    for round in 0..4 {
        write(&mut client, round).await;
    }
    gateway.signal(Signal::CONT);
    serves_what_etcd_holds(&gateway, &etcd).await;

    gateway.signal(Signal::STOP);
    etcd.kill(0);
    etcd.restart(0);
    let mut client = etcd.client(0).await;
    delete(&mut client, "api_keys/0-0").await;
    let last = commit(&mut client, upstreams.pair(1)).await;
    let compacted = Box::pin(client.compact(last, None)).await;
    compacted.expect("etcd serves");
    let traffic = Traffic::to([&gateway]);
    gateway.signal(Signal::CONT);
    serves_what_etcd_holds(&gateway, &etcd).await;
    // And from there on it follows.
    write(&mut client, 5).await;
    serves_what_etcd_holds(&gateway, &etcd).await;
    traffic.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_loses_its_leader_is_followed_and_written_to() {
    let upstreams = Arc::new(Upstreams::start().await);
    let mut etcd = Etcd::members(3).await;
    upstreams.provide(&etcd).await;
    let (one, other) = tokio::join!(Gateway::start(setup(&etcd)), Gateway::start(setup(&etcd)));
    let traffic = Traffic::to([&one, &other]);
    let admins = [one.administrator().await, other.administrator().await];
    for round in 0..3 {
        let leader = etcd.leader().await;
        etcd.kill(leader);
        for (n, admin) in admins.iter().enumerate() {
            make(admin, &format!("{round}-{n}")).await;
        }
        etcd.restart(leader);
        for gateway in [&one, &other] {
            serves_what_etcd_holds(gateway, &etcd).await;
        }
    }
    traffic.stop().await;
}
