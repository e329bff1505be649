//! Answers that several gateways share in Redis, while it is there, gone, and back.

use std::time::Duration;

use aisix_tests::{
    client::Client,
    exposition::Exposition,
    gateway::{Gateway, Setup},
    redis::{Redis, RedisCluster},
    upstream::{Answer, Flavour, Upstream},
    within,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

/// What the log says when Redis is lost, and when it is found.
const WORDS: [&str; 2] = [
    "Redis is away: answers are not kept",
    "answers are kept in Redis",
];

/// Gateways with one cache.
struct Fleet {
    upstream: Upstream,
    nodes: Vec<Gateway>,
}

impl Fleet {
    async fn start(count: usize, block: Value) -> Self {
        let upstream = Upstream::start(Flavour::OpenAi).await;
        upstream.on("text", Answer::text(["Hello"]));
        // Has no effect here.
        let semantic = json!({"embedding_model": "text", "threshold": 0.0});
        let policy =
            json!({"name": "answers", "backend": "redis", "streaming": true, "semantic": semantic});
        let setup = Setup::new()
            .provider(&upstream)
            .models(["text"])
            .entry("cache_policies", policy)
            .config(block);
        let nodes = join_all((0..count).map(|_| Gateway::start(setup.clone()))).await;
        Self { upstream, nodes }
    }

    /// Waits until all nodes have found Redis this often, or lost it.
    async fn logged(&self, is_found: bool, times: usize) {
        for node in &self.nodes {
            let word = WORDS[usize::from(is_found)];
            let count = || {
                let log = node.log();
                log.iter().filter(|line| line["message"] == word).count()
            };
            let told = async {
                while count() < times {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            within(word, told).await;
            assert_eq!(count(), times, "{word}");
        }
    }

    /// Asks a node, and tells what was said about caches.
    async fn ask(&self, node: usize, prompt: &str) -> String {
        let response = Client::new(self.nodes[node].proxy())
            .chat("text", prompt)
            .await;
        let said = response.header("x-aisix-cache").unwrap_or("").to_owned();
        assert_eq!(response.status, 200);
        assert!(response.text().await.contains("Hello"));
        said
    }

    /// Asks until the answer is one that was kept.
    async fn kept(&self, node: usize, prompt: &str) {
        let asked = async { while self.ask(node, prompt).await != "hit" {} };
        within("a hit", asked).await;
    }
}

fn block(redis: &Redis) -> Value {
    json!({"cache": {"redis": {"url": format!("redis://{}", redis.address())}}})
}

#[tokio::test]
async fn what_one_gateway_was_answered_another_gives() {
    let redis = Redis::start().await;
    let fleet = Fleet::start(2, block(&redis)).await;
    fleet.logged(true, 1).await;
    assert_eq!(fleet.ask(0, "hi").await, "miss");
    fleet.kept(0, "hi").await;
    let asked = fleet.upstream.exchanges().len();
    assert_eq!(fleet.ask(1, "hi").await, "hit");
    let client = Client::new(fleet.nodes[1].proxy());
    let stream = client.chat_stream("text", "hi").await;
    assert_eq!(stream.header("x-aisix-cache"), Some("hit"));
    assert!(stream.text().await.contains("data: [DONE]"));
    assert_eq!(fleet.upstream.exchanges().len(), asked);

    let keys = redis.ask("KEYS aisix:cache:*").await;
    let key = keys.lines().find(|line| line.starts_with("aisix:cache:"));
    let left = redis.ask(&format!("PTTL {}", key.expect("a key"))).await;
    let left: u64 = left.trim().trim_start_matches(':').parse().expect("a time");
    assert!((3_000_000..=3_600_000).contains(&left), "{left}");
}

#[tokio::test]
async fn only_the_same_is_found_in_redis_which_is_told_once() {
    let redis = Redis::start().await;
    let fleet = Fleet::start(1, block(&redis)).await;
    fleet.logged(true, 1).await;
    fleet.kept(0, "hi").await;
    let asked = fleet.upstream.exchanges().len();
    assert_eq!(fleet.ask(0, "hello").await, "miss");
    assert_eq!(fleet.upstream.exchanges().len(), asked + 1);
    let log = fleet.nodes[0].log();
    let told = log.iter().filter_map(|line| line["message"].as_str());
    let told = told.filter(|message| message.starts_with("`semantic` has no effect"));
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn without_redis_every_call_is_a_miss_and_none_fails() {
    let mut redis = Redis::start().await;
    let fleet = Fleet::start(1, block(&redis)).await;
    fleet.logged(true, 1).await;
    fleet.kept(0, "hi").await;
    for times in 1..=2 {
        redis.kill();
        assert_eq!(fleet.ask(0, "hi").await, "miss");
        fleet.logged(false, times).await;
        for _ in 0..5 {
            assert_eq!(fleet.ask(0, "hi").await, "miss");
        }
        redis.revive().await;
        fleet.logged(true, times + 1).await;
        fleet.kept(0, "hi").await;
    }
    let metrics = Exposition::parse(&fleet.nodes[0].metrics().await);
    assert!(metrics.sum("aisix_redis_failures_total", &[]) > 0.0);
}

#[tokio::test]
async fn a_cluster_whose_master_is_killed_is_lost_once_and_found_once() {
    let mut cluster = RedisCluster::start_with_replicas().await;
    let redis = cluster.block()["ratelimit"]["redis"].clone();
    let fleet = Fleet::start(1, json!({"cache": {"redis": redis}})).await;
    fleet.logged(true, 1).await;
    // Their keys are all over the cluster.
    let prompts: Vec<_> = (0..24).map(|number| format!("prompt {number}")).collect();
    for prompt in &prompts {
        fleet.kept(0, prompt).await;
    }
    cluster.nodes()[0].kill();
    let found = fleet.logged(true, 2);
    let asking = async {
        for prompt in prompts.iter().cycle() {
            fleet.ask(0, prompt).await;
        }
    };
    tokio::select! {
        () = found => {}
        () = asking => unreachable!("asking never ends"),
    }
    for prompt in &prompts {
        fleet.kept(0, prompt).await;
    }
    fleet.logged(false, 1).await;
    fleet.logged(true, 2).await;
}

#[tokio::test]
async fn a_silent_redis_is_waited_for_once() {
    let redis = Redis::start().await;
    let fleet = Fleet::start(1, block(&redis)).await;
    fleet.logged(true, 1).await;
    fleet.kept(0, "hi").await;
    redis.pause();
    assert_eq!(fleet.ask(0, "hi").await, "miss");
    fleet.logged(false, 1).await;
    assert_eq!(fleet.ask(0, "hi").await, "miss");
    redis.resume();
    fleet.logged(true, 2).await;
    fleet.kept(0, "hi").await;
}

#[tokio::test]
async fn what_others_have_written_is_a_miss() {
    let redis = Redis::start().await;
    let fleet = Fleet::start(1, block(&redis)).await;
    fleet.logged(true, 1).await;
    fleet.kept(0, "hi").await;
    let keys = redis.ask("KEYS aisix:cache:*").await;
    let key = keys.lines().find(|line| line.starts_with("aisix:cache:"));
    let key = key.expect("a key");
    redis.ask(&format!("SET {key} odd")).await;
    assert_eq!(fleet.ask(0, "hi").await, "miss");
    fleet.kept(0, "hi").await;
    redis.ask(&format!("DEL {key}")).await;
    redis.ask(&format!("LPUSH {key} odd")).await;
    assert_eq!(fleet.ask(0, "hi").await, "miss");
    // One odd key is no reason to do without Redis.
    fleet.kept(0, "hello").await;
    assert!(
        fleet.nodes[0]
            .log()
            .iter()
            .all(|line| line["message"] != WORDS[0])
    );
}

#[tokio::test]
async fn a_cache_in_redis_without_one_is_disabled() {
    let fleet = Fleet::start(1, json!({})).await;
    for _ in 0..2 {
        assert_eq!(fleet.ask(0, "hi").await, "");
    }
    let metrics = Exposition::parse(&fleet.nodes[0].metrics().await);
    let labels = [("policy", "answers"), ("outcome", "disabled")];
    let family = "aisix_cache_requests_total";
    assert!(metrics.sum(family, &labels) >= 2.0);
}
