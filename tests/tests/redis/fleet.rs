//! Gateways that share the limit of one caller.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aisix_tests::{
    client::Client,
    exposition::Exposition,
    gateway::{ADMIN_KEY, Gateway, Setup},
    upstream::{Answer, Flavour, Upstream},
    within,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// What the log says when Redis is lost, and when it is found.
const WORDS: [&str; 2] = [
    "Redis is away: limits are counted by this process alone",
    "limits are counted in Redis",
];

/// Gateways in front of one upstream, which share the limit of one caller.
pub(crate) struct Fleet {
    pub(crate) upstream: Upstream,
    pub(crate) nodes: Vec<Gateway>,
}

impl Fleet {
    pub(crate) async fn start(count: usize, limit: Value, block: Value) -> Self {
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

    pub(crate) fn clients(&self) -> Vec<Client> {
        let client =
            |node: &Gateway| Client::anonymous(node.proxy()).header("x-api-key", "sk-limited");
        self.nodes.iter().map(client).collect()
    }

    /// Calls all nodes at the same time; how many calls passed, and how many were refused.
    pub(crate) async fn burst(&self, calls: usize) -> (usize, usize) {
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
    pub(crate) async fn connected(&self, wanted: bool) {
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
            let word = WORDS[usize::from(wanted)];
            node.logged(word, |line| line["message"] == word).await;
        }
    }

    /// How often each node has logged that Redis was lost, and that it was found.
    pub(crate) fn logged(&self) -> Vec<[usize; 2]> {
        let of_node = |node: &Gateway| {
            let log = node.log();
            WORDS.map(|word| log.iter().filter(|line| line["message"] == word).count())
        };
        self.nodes.iter().map(of_node).collect()
    }

    /// How often each node has asked Redis in vain.
    pub(crate) async fn failures(&self) -> Vec<f64> {
        let of_node = async |node: &Gateway| {
            let metrics = Exposition::parse(&node.metrics().await);
            metrics.sum("aisix_redis_failures_total", &[])
        };
        join_all(self.nodes.iter().map(of_node)).await
    }

    /// Waits until this many more calls have reached the upstream.
    pub(crate) async fn served(&self, more: usize) {
        let last = self.upstream.exchanges().len() + more;
        within("calls to be served", self.upstream.exchange(last)).await;
    }

    /// Calls all nodes on and on; every call must pass.
    pub(crate) fn load(&self) -> Load {
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

/// Calls that follow one another without end.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    calls: JoinSet<usize>,
}

impl Load {
    pub(crate) async fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        within("the load", self.calls.join_all())
            .await
            .into_iter()
            .sum()
    }
}
