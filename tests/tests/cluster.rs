//! Several gateways, one configuration in etcd.

use std::time::Duration;

use aisix_tests::{
    client::Client,
    etcd::Etcd,
    gateway::{ADMIN_KEY, Gateway, KEY, Setup},
    upstream::{self, Answer, Flavour, Upstream},
    within,
};
use serde_json::{Value, json};

fn setup(etcd: &Etcd) -> Setup {
    Setup::embedded().config(etcd.block())
}

/// Waits until a status says so.
async fn status(gateway: &Gateway, what: &str, wanted: impl Fn(&Value) -> bool) {
    let client = Client::anonymous(gateway.metrics_listener());
    let wait = async {
        while !wanted(&client.get("/status/config").await.json().await) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(what, wait).await;
}

#[tokio::test]
async fn what_one_gateway_is_told_all_serve_with_etcd_and_without() {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("text", Answer::text(["Hello"]));
    let mut etcd = Etcd::start().await;
    let (one, other) = tokio::join!(Gateway::start(setup(&etcd)), Gateway::start(setup(&etcd)));

    let admin = one.administrator().await;
    let model = json!({"name": "gpt", "model": "openai/text",
        "provider_config": {"api_key": upstream::KEY, "api_base": upstream.base_url()}});
    let made = admin.post("/aisix/admin/models", &model).await;
    assert_eq!(made.status, 201);
    let key = json!({"key": KEY, "allowed_models": ["*"]});
    let made = admin.post("/aisix/admin/api_keys", &key).await;
    assert_eq!(made.status, 201);
    let etag = made.header("etag").map(str::to_owned);
    let made = made.json().await;
    let path = format!("/aisix/admin{}", made["key"].as_str().unwrap_or_default());
    let read = admin.get(&path).await;
    assert_eq!(read.header("etag").map(str::to_owned), etag);

    let here = Client::new(one.proxy());
    assert_eq!(here.chat("gpt", "hi").await.status, 200, "at once");
    let there = Client::new(other.proxy());
    let served = async {
        while there.chat("gpt", "hi").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within("the other gateway", served).await;

    etcd.kill();
    for gateway in [&one, &other] {
        status(gateway, "the loss of etcd", |status| {
            status["source"]["type"] == "etcd" && status["source"]["connected"] == false
        })
        .await;
        assert_eq!(
            Client::new(gateway.proxy()).chat("gpt", "hi").await.status,
            200
        );
    }
    assert_eq!(
        admin.post("/aisix/admin/models", &model).await.status,
        500,
        "nothing can be written"
    );
    etcd.restart();
    for gateway in [&one, &other] {
        status(gateway, "etcd", |status| {
            status["source"]["connected"] == true
        })
        .await;
    }
    let printed = one.printed();
    assert!(
        !printed.contains(ADMIN_KEY) && !printed.contains(upstream::KEY),
        "{printed}"
    );
}

#[tokio::test]
async fn a_gateway_that_never_finds_etcd_does_not_start() {
    let mut etcd = Etcd::start().await;
    etcd.kill();
    let printed = Gateway::try_start(setup(&etcd)).await.expect_err("no etcd");
    assert!(printed.contains("etcd"), "{printed}");
}

#[tokio::test]
async fn many_administrators_at_once_all_get_through() {
    let etcd = Etcd::start().await;
    let (one, other) = tokio::join!(Gateway::start(setup(&etcd)), Gateway::start(setup(&etcd)));
    let (one, other) = (one.administrator().await, other.administrator().await);
    let writes = (0..150).map(|n| {
        let admin = if n % 3 == 0 { &other } else { &one };
        let model = json!({"name": format!("m{n}"), "model": "openai/text",
            "provider_config": {"api_key": "sk"}});
        async move { admin.post("/aisix/admin/models", &model).await }
    });
    let made = futures_util::future::join_all(writes);
    for made in within("all writes", made).await {
        let status = made.status;
        assert_eq!(status, 201, "{}", made.text().await);
    }
    let history = one.get("/aisix/admin/history").await.json().await;
    assert_eq!(history["total"], 150);
    let listed = other.get("/aisix/admin/provider_keys").await.json().await;
    assert_eq!(listed["total"], 150);
}
