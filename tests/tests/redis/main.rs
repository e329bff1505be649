//! Limits and answers that several gateways share in Redis, with Redis present, late, paused, and gone.

mod answers;
mod fleet;
mod outages;

use std::time::{Duration, Instant};

use aisix_tests::{
    gateway::Signal,
    redis::{Redis, RedisCluster},
    tls::Certificate,
    upstream::{Answer, Gate, Step},
    within,
};
use serde_json::json;

use crate::fleet::Fleet;

/// The key of the one limit that is counted.
async fn counts(redis: &Redis) -> String {
    let keys = redis.ask("KEYS aisix:limit:{*}:counts").await;
    // Not what a gateway tries its connection with.
    let is_limit = |line: &&str| line.starts_with("aisix") && !line.contains("{probe:");
    let key = keys.lines().find(is_limit);
    key.unwrap_or_else(|| panic!("nothing is counted: {keys}"))
        .to_owned()
}

/// What is counted under this name.
async fn field(redis: &Redis, key: &str, name: &str) -> u64 {
    let told = redis.ask(&format!("HGET {key} {name}")).await;
    let number = told.lines().nth(1).and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| panic!("{name} is no number: {told}"))
}

#[tokio::test]
async fn several_gateways_share_one_window() {
    for nodes in [2, 3] {
        let redis = Redis::start().await;
        let fleet = Fleet::start(nodes, json!({"rpd": 10}), redis.block()).await;
        assert_eq!(fleet.burst(60).await, (10, 50), "not one too many");
        assert_eq!(fleet.upstream.exchanges().len(), 10);
        assert!(fleet.failures().await.iter().all(|count| *count == 0.0));
    }
}

#[tokio::test]
async fn tokens_and_slots_are_shared_until_a_reply_ends() {
    let redis = Redis::start().await;
    let limit = json!({"concurrency": 1, "tpd": 5_000});
    let fleet = Fleet::start(2, limit, redis.block()).await;
    let [here, there] = &fleet.clients()[..] else {
        unreachable!("there are two")
    };
    let gate = Gate::new();
    fleet
        .upstream
        .next(Answer::text(["Hel", "lo"]).after(2, Step::Wait(gate.clone())));
    let mut stream = here.chat_stream("text", "hi").await;
    stream.data().await.expect("a first chunk");
    let refused = there.chat("text", "hi").await;
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.json().await["error"]["message"],
        "concurrency limit exceeded"
    );
    gate.open();
    stream.text().await;
    let free = async { while there.chat("text", "hi").await.status != 200 {} };
    within("the slot", free).await;
}

#[tokio::test]
async fn a_paused_redis_costs_no_time_after_the_first_call_and_none_fails() {
    let redis = Redis::start().await;
    let fleet = Fleet::start(1, json!({"rpd": 1_000_000}), redis.block()).await;
    fleet.connected(true).await;
    let [client] = &fleet.clients()[..] else {
        unreachable!("there is one")
    };
    redis.pause();
    // The driver may find out before this call does.
    let first = Instant::now();
    assert_eq!(client.chat("text", "hi").await.status, 200);
    assert!(
        first.elapsed() < Duration::from_secs(2),
        "{:?}",
        first.elapsed()
    );
    fleet.connected(false).await;
    let next = Instant::now();
    for _ in 0..20 {
        assert_eq!(client.chat("text", "hi").await.status, 200);
    }
    // Twenty waits for an answer would be ten seconds.
    assert!(
        next.elapsed() < Duration::from_secs(3),
        "{:?}",
        next.elapsed()
    );
    redis.resume();
    fleet.connected(true).await;
    assert_eq!(client.chat("text", "hi").await.status, 200);
}

#[tokio::test]
async fn a_window_without_redis_admits_its_maximum_once_for_each_gateway() {
    let mut redis = Redis::start().await;
    let fleet = Fleet::start(2, json!({"rpd": 5}), redis.block()).await;
    assert_eq!(fleet.burst(20).await, (5, 15));
    redis.kill();
    fleet.connected(false).await;
    assert_eq!(fleet.burst(40).await, (10, 30), "five for each");
    assert_eq!(fleet.burst(10).await, (0, 10));
}

#[tokio::test]
async fn a_gateway_starts_without_redis_and_finds_it_later() {
    let mut redis = Redis::start().await;
    redis.kill();
    let fleet = Fleet::start(2, json!({"rpd": 4}), redis.block()).await;
    fleet.connected(false).await;
    assert_eq!(fleet.burst(20).await, (8, 12), "four for each");
    redis.revive().await;
    fleet.connected(true).await;
    assert_eq!(fleet.burst(20).await, (4, 16), "four together");
}

#[tokio::test]
async fn a_wrong_password_is_told_and_never_shown() {
    let redis = Redis::start_with_password("right-0123456789").await;
    for (password, is_right) in [("wrong-0123456789", false), ("right-0123456789", true)] {
        let mut block = redis.block();
        block["ratelimit"]["redis"]["password"] = password.into();
        let fleet = Fleet::start(1, json!({"rpd": 3}), block).await;
        fleet.connected(is_right).await;
        assert_eq!(fleet.burst(6).await, (3, 3));
        assert_eq!(fleet.failures().await[0] > 0.0, !is_right);
        let printed = fleet.nodes[0].printed();
        assert!(!printed.contains("0123456789"), "{printed}");
    }
}

#[tokio::test]
async fn redis_is_reached_over_tls_by_who_trusts_its_certificate() {
    let directory = tempfile::tempdir().expect("there is room");
    let certificate = Certificate::new("127.0.0.1");
    let (_redis, url) = Redis::start_with_tls(&certificate, directory.path()).await;
    let (ca_file, _) = certificate.write(directory.path());
    for (tls, is_trusted) in [
        (json!({"ca_file": ca_file}), true),
        (json!({"verify": false}), true),
        (json!({}), false),
    ] {
        let redis = json!({"url": url, "tls": tls});
        let block = json!({"ratelimit": {"backend": "redis", "redis": redis}});
        let fleet = Fleet::start(1, json!({"rpd": 1_000}), block).await;
        fleet.connected(is_trusted).await;
        assert_eq!(fleet.burst(2).await, (2, 0), "{tls}");
    }
}

#[tokio::test]
async fn the_slots_of_a_killed_gateway_age_out() {
    let redis = Redis::start().await;
    let mut block = redis.block();
    block["ratelimit"]["concurrency_ttl_secs"] = 2.into();
    let mut fleet = Fleet::start(2, json!({"concurrency": 1}), block).await;
    let clients = fleet.clients();
    let gate = Gate::new();
    fleet
        .upstream
        .next(Answer::text(["Hel", "lo"]).after(2, Step::Wait(gate)));
    let mut stream = clients[0].chat_stream("text", "hi").await;
    stream.data().await.expect("a first chunk");
    fleet.nodes.remove(0).kill().await;
    assert_eq!(
        clients[1].chat("text", "hi").await.status,
        429,
        "it is held"
    );
    let killed = Instant::now();
    let free = async {
        while clients[1].chat("text", "hi").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within("the slot", free).await;
    // After seven seconds, the whole key would be gone.
    assert!(
        killed.elapsed() < Duration::from_secs(5),
        "{:?}",
        killed.elapsed()
    );
}

#[tokio::test]
async fn what_a_call_used_is_settled_before_the_process_ends() {
    let redis = Redis::start().await;
    let mut fleet = Fleet::start(1, json!({"tpd": 100_000}), redis.block()).await;
    let gate = Gate::new();
    fleet
        .upstream
        .next(Answer::text(["Hel", "lo"]).after(2, Step::Wait(gate.clone())));
    let mut stream = fleet.clients()[0].chat_stream("text", "hi").await;
    stream.data().await.expect("a first chunk");
    let mut node = fleet.nodes.remove(0);
    node.signal(Signal::TERM);
    node.refuses_connections().await;
    // Nothing but this reply keeps the process.
    gate.open();
    stream.text().await;
    node.exited().await;
    let key = counts(&redis).await;
    assert_eq!(field(&redis, &key, "reserved").await, 0);
    assert!(field(&redis, &key, "tpd:used").await > 0);
}

#[tokio::test]
async fn a_cluster_is_one_place_too() {
    let cluster = RedisCluster::start().await;
    let fleet = Fleet::start(3, json!({"rpd": 10}), cluster.block()).await;
    fleet.connected(true).await;
    assert_eq!(fleet.burst(60).await, (10, 50), "not one too many");
    assert!(fleet.failures().await.iter().all(|count| *count == 0.0));
}
