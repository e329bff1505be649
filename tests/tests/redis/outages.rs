//! Outages of Redis while calls flow: no call fails for one, each gateway counts alone meanwhile and says so once, and
//! afterwards they share a window again.

use aisix_tests::redis::{Redis, RedisCluster, RedisSentinels};
use serde_json::{Value, json};

use crate::fleet::{Fleet, Load};

/// Gateways under load, and how often they have lost Redis and found it.
struct Scene {
    fleet: Fleet,
    load: Load,
    told: [usize; 2],
}

impl Scene {
    /// Starts with Redis there, or away.
    async fn start(block: Value, is_there: bool) -> Self {
        let fleet = Fleet::start(2, json!({"rpd": 1_000_000}), block).await;
        fleet.connected(is_there).await;
        let load = fleet.load();
        fleet.served(10).await;
        let told = [usize::from(!is_there), usize::from(is_there)];
        Self { fleet, load, told }
    }

    /// Redis has gone, and calls are served all the same.
    async fn lost(&mut self) {
        self.fleet.connected(false).await;
        self.fleet.served(20).await;
        let failures = self.fleet.failures().await;
        assert!(failures.iter().all(|count| *count > 0.0), "{failures:?}");
        self.told[0] += 1;
    }

    /// Redis is back, and calls are served by way of it.
    async fn found(&mut self) {
        self.fleet.connected(true).await;
        self.fleet.served(20).await;
        self.told[1] += 1;
        assert_eq!(self.fleet.logged(), [self.told; 2], "one line each");
    }

    /// Ends the load, of which each call was answered. What is called now counts for both gateways.
    async fn end(self, servers: impl IntoIterator<Item = &Redis>) {
        assert!(self.load.stop().await > 50);
        let servers: Vec<_> = servers.into_iter().collect();
        let before = used(&servers).await;
        assert!(before > 0);
        assert_eq!(self.fleet.burst(6).await, (6, 0));
        assert_eq!(used(&servers).await, before + 6);
        assert_eq!(self.fleet.logged(), [self.told; 2], "nor one later");
    }
}

/// The calls that the masters among these servers have counted.
async fn used(servers: &[&Redis]) -> u64 {
    let mut sum = 0;
    for server in servers {
        if !server.is_master().await {
            continue;
        }
        for key in server.ask("KEYS aisix:limit:{*}:counts").await.lines() {
            if key.starts_with("aisix") && !key.contains("{probe:") {
                sum += crate::field(server, key, "rpd:used").await;
            }
        }
    }
    sum
}

#[tokio::test]
async fn redis_that_is_killed_again_and_again() {
    let mut redis = Redis::start().await;
    let mut scene = Scene::start(redis.block(), true).await;
    for _ in 0..3 {
        redis.kill();
        scene.lost().await;
        redis.revive().await;
        scene.found().await;
    }
    scene.end([&redis]).await;
}

#[tokio::test]
async fn redis_that_stands_still_again_and_again() {
    let redis = Redis::start().await;
    let mut scene = Scene::start(redis.block(), true).await;
    for _ in 0..3 {
        redis.pause();
        scene.lost().await;
        redis.resume();
        scene.found().await;
    }
    scene.end([&redis]).await;
}

#[tokio::test]
async fn redis_that_comes_after_the_first_calls() {
    let mut redis = Redis::start().await;
    redis.kill();
    let mut scene = Scene::start(redis.block(), false).await;
    redis.revive().await;
    scene.found().await;
    scene.end([&redis]).await;
}

#[tokio::test]
async fn a_cluster_that_stands_still() {
    let mut cluster = RedisCluster::start().await;
    let mut scene = Scene::start(cluster.block(), true).await;
    cluster.nodes().iter().for_each(Redis::pause);
    scene.lost().await;
    cluster.nodes().iter().for_each(Redis::resume);
    scene.found().await;
    scene.end(&*cluster.nodes()).await;
}

#[tokio::test]
async fn a_cluster_whose_master_is_killed_with_the_counts() {
    let mut cluster = RedisCluster::start_with_replicas().await;
    let mut scene = Scene::start(cluster.block(), true).await;
    let mut of_counts = 0;
    for (at, node) in cluster.nodes().iter().enumerate() {
        if used(&[node]).await > 0 {
            of_counts = at;
        }
    }
    let mut killed = cluster.nodes().remove(of_counts);
    killed.kill();
    scene.lost().await;
    scene.found().await;
    scene.end(&*cluster.nodes()).await;
}

#[tokio::test]
async fn a_master_of_sentinels_that_is_killed() {
    let mut sentinels = RedisSentinels::start().await;
    let mut scene = Scene::start(sentinels.block(), true).await;
    sentinels.master.kill();
    scene.lost().await;
    sentinels.failed_over().await;
    scene.found().await;
    scene.end([&sentinels.replica]).await;
}

#[tokio::test]
async fn a_master_of_sentinels_that_stands_still_and_goes_on_too_late() {
    let sentinels = RedisSentinels::start().await;
    let mut scene = Scene::start(sentinels.block(), true).await;
    sentinels.master.pause();
    scene.lost().await;
    sentinels.failed_over().await;
    scene.found().await;
    sentinels.master.resume();
    scene.end([&sentinels.replica]).await;
}
