//! Several gateways, one configuration in etcd.

use std::time::Duration;

use aisix_tests::{
    client::Client,
    etcd::Etcd,
    gateway::{ADMIN_KEY, Gateway, KEY, Setup},
    upstream::{self, Answer, Flavour, Upstream},
    within,
};
use bytes::Bytes;
use http::Method;
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

    etcd.kill(0);
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
    etcd.restart(0);
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
    etcd.kill(0);
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

/// An API key with this credential, of about so many bytes.
fn large(credential: &str, bytes: usize) -> Value {
    let models = (0..bytes / 16).map(|n| format!("model-{n:07}"));
    json!({"key": credential, "allowed_models": models.collect::<Vec<_>>()})
}

#[tokio::test]
async fn writes_that_are_too_large_together_are_made_and_one_that_is_too_large_is_told_its_size() {
    let etcd = Etcd::start().await;
    let gateway = Gateway::start(setup(&etcd)).await;
    let admin = gateway.administrator().await;
    // Each takes its size once more in the history, and etcd 1.5 MiB at a time.
    let document = |n: usize| large(&format!("sk-{n}"), 300 * 1024);
    let writes = (0..12).map(|n| {
        let (admin, document) = (&admin, document(n));
        async move { admin.post("/aisix/admin/api_keys", &document).await }
    });
    let made = futures_util::future::join_all(writes);
    for made in within("all writes", made).await {
        let status = made.status;
        assert_eq!(status, 201, "{}", made.text().await);
    }
    let too_large = large("sk-large", 1_000 * 1024);
    let refused = admin.post("/aisix/admin/api_keys", &too_large).await;
    assert_eq!(refused.status, 413);
    let said = refused.json().await["error_msg"].to_string();
    let size = said.strip_prefix("\"too large for one transaction of etcd: ");
    let size = size.and_then(|rest| rest.split_once(" bytes"));
    let size: usize = size.and_then(|(size, _)| size.parse().ok()).expect(&said);
    assert!(size > 2_000 * 1024 && size < 2_200 * 1024, "{said}");
    let listed = admin.get("/aisix/admin/api_keys?page_size=1").await;
    assert_eq!(listed.json().await["total"], 12);
}

#[tokio::test]
async fn what_another_tool_has_written_to_etcd_administrators_cannot_break() {
    let etcd = Etcd::start().await;
    let gateway = Gateway::start(setup(&etcd)).await;
    let admin = gateway.administrator().await;
    let key = json!({"display_name": "up", "provider": "openai", "api_key": "sk-0123456789"});
    let made = admin.post("/aisix/admin/provider_keys", &key).await;
    assert_eq!(made.status, 201);
    let path = made.json().await["key"].clone();
    let path = path.as_str().unwrap_or_default();
    let id = path.rsplit('/').next().unwrap_or_default();

    let mut client = etcd.client(0).await;
    let model = |name: &str| json!({"display_name": name, "provider": "openai", "model_name": "m", "provider_key_id": id});
    let document = model("theirs").to_string();
    let put = client.put("/aisix/models/raw", document, None).await;
    put.expect("etcd serves");
    let answer = admin.post("/aisix/admin/models", &model("theirs")).await;
    let status = answer.status;
    let said = answer.text().await;
    assert!(status == 409 && said.contains("models/raw"), "{said}");
    let path = format!("/aisix/admin{path}");
    let answer = admin.send(Method::DELETE, &path, Bytes::new()).await;
    let status = answer.status;
    let said = answer.text().await;
    assert!(status == 409 && said.contains("models/raw"), "{said}");

    // And when it is gone again it is in nobody's way.
    let gone = client.delete("/aisix/models/raw", None).await;
    gone.expect("etcd serves");
    let made = admin.post("/aisix/admin/models", &model("theirs")).await;
    let status = made.status;
    assert_eq!(status, 201, "{}", made.text().await);
}
