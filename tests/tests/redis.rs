//! Limits that several gateways share in Redis, with Redis present, late, paused, and gone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aisix_tests::{
    client::Client,
    exposition::Exposition,
    gateway::{ADMIN_KEY, Gateway, Setup, Signal},
    redis::{Redis, RedisCluster, RedisSentinels},
    tls::Certificate,
    upstream::{Answer, Flavour, Gate, Step, Upstream},
    within,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Gateways in front of one upstream, which share the limit of one caller.
struct Fleet {
    upstream: Upstream,
    nodes: Vec<Gateway>,
}

impl Fleet {
    async fn start(count: usize, limit: Value, block: Value) -> Self {
        let upstream = Upstream::start(Flavour::OpenAi).await;
        upstream.on("text", Answer::text(["Hello"]));
        let admin = json!({"enabled": true, "addr": "127.0.0.1:0", "admin_keys": [ADMIN_KEY]});
        let caller = json!({"allowed_models": ["*"], "rate_limit": limit});
        let setup = Setup::new()
            .provider(&upstream)
            .models(["text"])
            .config(json!({"proxy": {"workers": 2}, "admin": admin}))
            .config(block)
            .key("limited", "sk-limited", caller);
        let nodes = join_all((0..count).map(|_| Gateway::start(setup.clone()))).await;
        Self { upstream, nodes }
    }

    fn clients(&self) -> Vec<Client> {
        let client =
            |node: &Gateway| Client::anonymous(node.proxy()).header("x-api-key", "sk-limited");
        self.nodes.iter().map(client).collect()
    }

    /// Calls all nodes at the same time; how many calls passed, and how many were refused.
    async fn burst(&self, calls: usize) -> (usize, usize) {
        let mut asked = JoinSet::new();
        for client in self.clients().into_iter().cycle().take(calls) {
            asked.spawn(async move { client.chat("text", "hi").await.status.as_u16() });
        }
        let statuses = within("all answers", asked.join_all()).await;
        let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
        assert_eq!(count(200) + count(429), calls, "{statuses:?}");
        (count(200), count(429))
    }

    /// Waits until all nodes say that they count in Redis, or that they do not.
    async fn connected(&self, wanted: bool) {
        for node in &self.nodes {
            let administrator = node.administrator().await;
            let said = async {
                loop {
                    let status = administrator.get("/aisix/admin/status").await.json().await;
                    let limits = &status["limits"];
                    assert_eq!(limits["backend"], "redis");
                    assert_eq!(limits["error"].is_null(), limits["connected"] == true);
                    if limits["connected"] == wanted {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            within("the status of the limits", said).await;
            let word = match wanted {
                true => "limits are counted in Redis",
                false => "Redis is away: limits are counted by this process alone",
            };
            node.logged(word, |line| line["message"] == word).await;
        }
    }

    async fn failures(&self) -> f64 {
        let mut sum = 0.0;
        for node in &self.nodes {
            let metrics = Exposition::parse(&node.metrics().await);
            sum += metrics.sum("aisix_redis_failures_total", &[]);
        }
        sum
    }

    /// Calls all nodes on and on; every call must pass.
    fn load(&self) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let mut calls = JoinSet::new();
        for client in self.clients() {
            for _ in 0..2 {
                let (client, stop) = (client.clone(), stop.clone());
                calls.spawn(async move {
                    let mut count = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let response = client.chat("text", "hi").await;
                        let status = response.status;
                        assert_eq!(status, 200, "{}", response.text().await);
                        count += 1;
                    }
                    count
                });
            }
        }
        Load { stop, calls }
    }
}

struct Load {
    stop: Arc<AtomicBool>,
    calls: JoinSet<usize>,
}

impl Load {
    async fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        within("the load", self.calls.join_all())
            .await
            .into_iter()
            .sum()
    }
}

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
        assert_eq!(fleet.failures().await, 0.0);
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
async fn no_call_fails_when_redis_is_killed_and_counts_are_shared_again_when_it_is_back() {
    let mut redis = Redis::start().await;
    let fleet = Fleet::start(2, json!({"rpd": 1_000_000}), redis.block()).await;
    fleet.connected(true).await;
    let load = fleet.load();
    redis.kill();
    fleet.connected(false).await;
    assert!(fleet.failures().await > 0.0);
    redis.revive().await;
    fleet.connected(true).await;
    assert!(load.stop().await > 0);
    let key = counts(&redis).await;
    let used = redis.ask(&format!("HGET {key} rpd:used")).await;
    let used: usize = used
        .lines()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .expect(&used);
    let before = used;
    assert_eq!(fleet.burst(6).await, (6, 0));
    let now = redis.ask(&format!("HGET {key} rpd:used")).await;
    assert_eq!(now.lines().nth(1), Some(&*(before + 6).to_string()));
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
        assert_eq!(fleet.failures().await > 0.0, !is_right);
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
    let mut cluster = RedisCluster::start().await;
    let fleet = Fleet::start(3, json!({"rpd": 10}), cluster.block()).await;
    fleet.connected(true).await;
    assert_eq!(fleet.burst(60).await, (10, 50), "not one too many");
    assert_eq!(fleet.failures().await, 0.0);
    let loaded = Fleet::start(2, json!({"rpd": 1_000_000}), cluster.block()).await;
    let load = loaded.load();
    for node in cluster.nodes() {
        node.pause();
    }
    loaded.connected(false).await;
    for node in cluster.nodes() {
        node.resume();
    }
    loaded.connected(true).await;
    assert!(load.stop().await > 0);
}

#[tokio::test]
async fn a_failover_of_sentinels_is_followed_and_no_call_fails() {
    let mut sentinels = RedisSentinels::start().await;
    let fleet = Fleet::start(2, json!({"rpd": 1_000_000}), sentinels.block()).await;
    fleet.connected(true).await;
    let load = fleet.load();
    sentinels.master.kill();
    fleet.connected(false).await;
    sentinels.failed_over().await;
    fleet.connected(true).await;
    assert!(load.stop().await > 0);
    assert_eq!(fleet.burst(2).await, (2, 0));
    counts(&sentinels.replica).await;
}
