//! Several gateways, one configuration in etcd.

use std::time::Duration;

use aisix_tests::{
    client::Client,
    etcd::Etcd,
    exposition::Exposition,
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
async fn status(gateway: &Gateway, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let client = Client::anonymous(gateway.metrics_listener());
    let wait = async {
        loop {
            let status = client.get("/status/config").await.json().await;
            if wanted(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(what, wait).await
}

/// Waits until everything up to this revision is served.
async fn applied(gateway: &Gateway, revision: u64) -> Value {
    status(gateway, "the revision", |status| {
        status["applied"]["applied_revision"] == revision
    })
    .await
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

/// Rows that cannot be served, each with a credential in it, and what is said of them.
fn bad_rows() -> Vec<(&'static str, Value, [&'static str; 4])> {
    let hidden = "sk-hidden-0123456789";
    let large = "x".repeat(1_100_000);
    let short_lived = json!({"name": "m", "provider_id": hidden, "model": hidden});
    vec![
        (
            "api_keys/k",
            json!({"key_hash": hidden, "allowed_models": [7]}),
            ["api_keys", "k", "schema_failed", "`allowed_models[0]`"],
        ),
        (
            "apikeys/first",
            json!({"key": [hidden]}),
            [
                "api_keys",
                "first",
                "schema_failed",
                "`key_hash` is required",
            ],
        ),
        (
            "models/late",
            short_lived,
            ["models", "late", "schema_failed", "`provider_id` belongs"],
        ),
        (
            "models/list",
            json!([hidden, large]),
            ["models", "list", "schema_failed", "must be a mapping"],
        ),
        (
            "provider_keys/p/q",
            json!({"api_key": {"it": hidden}, "display_name": "p"}),
            ["provider_keys", "p/q", "schema_failed", "`api_key`"],
        ),
        (
            "provider_keys",
            hidden.into(),
            [
                "unknown",
                "/aisix/provider_keys",
                "bad_key",
                "<prefix>/<kind>/<id>",
            ],
        ),
        (
            "widgets/w",
            json!({"api_key": hidden}),
            ["widgets", "w", "unknown_kind", "kind"],
        ),
    ]
}

#[tokio::test]
async fn rows_that_cannot_be_served_are_told_one_by_one_until_they_are_repaired() {
    let etcd = Etcd::start().await;
    let rows = bad_rows();
    // Some at the start, some while it runs.
    let (early, late) = rows.split_at(4);
    for (name, row, _) in early {
        etcd.put(&format!("/aisix/{name}"), row.to_string()).await;
    }
    let gateway = Gateway::start(setup(&etcd)).await;
    for (name, row, _) in late {
        etcd.put(&format!("/aisix/{name}"), row.to_string()).await;
    }
    let revision = etcd.put("/aisix/models/text", "sk-hidden-0123456789").await;
    let now = applied(&gateway, revision).await;
    assert_eq!(now["state"], "out_of_sync", "nothing is served");
    assert_eq!(now["last_reload"]["successful"], true);
    assert_eq!(now["last_failure"], Value::Null);
    let text = (
        "",
        Value::Null,
        ["models", "text", "non_json", "is not JSON"],
    );
    let rejected = now["rejected"].as_array().unwrap();
    assert_eq!(rejected.len(), rows.len() + 1, "{now}");
    for (_, _, [kind, id, reason, why]) in rows.iter().chain([&text]) {
        let found = rejected
            .iter()
            .find(|it| it["resource_kind"] == *kind && it["resource_id"] == *id);
        let found = found.unwrap_or_else(|| panic!("{kind}/{id} in {now}"));
        assert_eq!(found["last_error_kind"], *reason, "{found}");
        assert!(
            found["last_error"].as_str().unwrap().contains(why),
            "{found}"
        );
        assert!(found["first_seen_at"].is_string(), "{found}");
    }
    let admin = gateway.administrator().await;
    let shown = admin.get("/aisix/admin/status").await.json().await;
    assert_eq!(shown["config"]["rejected"], now["rejected"]);
    let metrics = Exposition::parse(&gateway.metrics().await);
    for (kind, count) in [
        ("api_keys", 2),
        ("models", 3),
        ("provider_keys", 1),
        ("other", 2),
    ] {
        let told = metrics.sum("aisix_config_rejected_resources", &[("kind", kind)]);
        assert_eq!(told as u64, count, "{kind}");
    }
    let said = format!("{now}{}", gateway.printed());
    assert!(!said.contains("sk-hidden"), "{said}");

    let hash = hex::encode([7; 32]);
    let good = json!({"key_hash": hash, "allowed_models": []});
    etcd.put("/aisix/api_keys/k", good.to_string()).await;
    let mut revision = etcd.delete("/aisix/models/text").await;
    for (name, ..) in rows.iter().skip(1) {
        revision = etcd.delete(&format!("/aisix/{name}")).await;
    }
    let now = applied(&gateway, revision).await;
    assert_eq!(
        (&now["state"], &now["rejected"]),
        (&json!("synced"), &json!([]))
    );
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

#[tokio::test]
async fn administrators_of_two_gateways_lose_nothing_of_one_another() {
    let etcd = Etcd::start().await;
    let (one, other) = tokio::join!(Gateway::start(setup(&etcd)), Gateway::start(setup(&etcd)));
    let admins = [one.administrator().await, other.administrator().await];
    let path = "/aisix/admin/api_keys/shared";
    let put = async |admin: &Client, body: String| {
        let json = admin.clone().header("content-type", "application/json");
        json.send(Method::PUT, path, body.into()).await
    };
    let document = |rpm: u64, name: &str| {
        json!({"allowed_models": [], "rate_limit": {"rpm": rpm}, "user_name": name}).to_string()
    };
    let made = put(&admins[0], document(0, "nobody")).await;
    assert_eq!(made.status, 201);

    // Whoever was too slow is told so, and reads again.
    let count = async |admin: &Client| loop {
        let read = admin.get(path).await;
        let tag = read.header("etag").expect("it has one").to_owned();
        let rpm = read.json().await["value"]["rate_limit"]["rpm"].as_u64();
        let new = document(rpm.expect("a number") + 1, "somebody");
        let written = put(&admin.clone().header("if-match", &tag), new).await;
        match written.status.as_u16() {
            200 => return,
            412 => {}
            status => panic!("{status}: {}", written.text().await),
        }
    };
    let counts = (0..24).map(|n| count(&admins[n % 2]));
    within("all counts", futures_util::future::join_all(counts)).await;
    let read = admins[1].get(path).await.json().await;
    assert_eq!(read["value"]["rate_limit"]["rpm"], 24);

    // Without a condition all are made, one after the other.
    let puts = (0..24).map(|n| put(&admins[n % 2], document(n as u64, &n.to_string())));
    let puts = within("all writes", futures_util::future::join_all(puts)).await;
    assert!(puts.iter().all(|put| put.status == 200));
    let history = admins[0].get("/aisix/admin/history").await.json().await;
    let revisions: Vec<_> = history["list"].as_array().into_iter().flatten().collect();
    let revisions = revisions.iter().map(|it| it["revision"].as_u64());
    let expected: Vec<_> = (1..=49).rev().map(Some).collect();
    assert_eq!(revisions.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn of_two_models_that_another_tool_gave_one_name_the_next_takes_over() {
    let (first, second) = tokio::join!(
        Upstream::start(Flavour::OpenAi),
        Upstream::start(Flavour::OpenAi)
    );
    first.on("text", Answer::text(["first"]));
    second.on("text", Answer::text(["second"]));
    let etcd = Etcd::start().await;
    let gateway = Gateway::start(setup(&etcd)).await;
    let admin = gateway.administrator().await;
    let key = json!({"key": KEY, "allowed_models": ["*"]});
    admin.post("/aisix/admin/api_keys", &key).await;
    let mut raw = etcd.client(0).await;
    // The one that sorts first comes last.
    for (id, upstream) in [("b", &second), ("a", &first)] {
        let key = json!({"display_name": id, "provider": "openai", "api_key": upstream::KEY,
            "api_base": upstream.base_url()});
        let model = json!({"display_name": "gpt", "provider": "openai", "model_name": "text",
            "provider_key_id": id});
        for (kind, document) in [("provider_keys", key), ("models", model)] {
            let put = raw.put(format!("/aisix/{kind}/{id}"), document.to_string(), None);
            Box::pin(put).await.expect("etcd serves");
        }
    }
    let told = |status: &Value| {
        let rejected = &status["rejected"][0];
        let id = (&rejected["resource_kind"], &rejected["resource_id"]);
        id == (&json!("models"), &json!("b")) && status["state"] == "degraded"
    };
    status(&gateway, "the hidden one", told).await;
    let client = Client::new(gateway.proxy());
    let says = async |word: &str| client.chat("gpt", "hi").await.text().await.contains(word);
    assert!(says("\"first\"").await);

    let gone = admin.send(Method::DELETE, "/aisix/admin/models/a", Bytes::new());
    assert_eq!(gone.await.status, 200);
    assert!(says("\"second\"").await, "at once");
    status(&gateway, "nothing hidden", |status| {
        status["state"] == "synced"
    })
    .await;
}
