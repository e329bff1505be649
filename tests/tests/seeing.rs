//! What the operator sees: the access log and the probes.

use aisix_tests::{
    client::Client,
    exposition::Exposition,
    gateway::{self, Gateway, Setup},
    upstream::{self, Answer, Flavour, Reply, Step, Upstream},
};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";

async fn house() -> (Upstream, Gateway) {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    upstream.on("stalls", Answer::text(["Hel", "lo"]).after(2, Step::Stall));
    let setup = Setup::new()
        .provider(&upstream)
        .models(["text", "stalls"])
        .model("alias", json!({"model_name": "text"}))
        .key(
            "disabled",
            "sk-disabled",
            json!({"allowed_models": ["*"], "disabled": true}),
        )
        .config(json!({"proxy": {"request_body_limit_bytes": 10_000}}));
    (upstream, Gateway::start(setup).await)
}

/// The members of a line that a table names.
fn chosen(line: &Value, like: &Value) -> Value {
    let names = like.as_object().expect("members").keys();
    names
        .map(|name| (name.clone(), line[name].clone()))
        .collect()
}

#[tokio::test]
async fn every_request_is_one_line_of_the_access_log() {
    let (upstream, gateway) = house().await;
    let client = |id: &str, key: &str| {
        Client::anonymous(gateway.proxy())
            .header("x-aisix-request-id", id)
            .header("x-api-key", key)
    };
    client("whole", gateway::KEY)
        .chat("alias", "hi")
        .await
        .text()
        .await;
    client("stream", gateway::KEY)
        .chat_stream("alias", "hi")
        .await
        .text()
        .await;
    client("wrong-key", "sk-wrong")
        .chat("alias", "hi")
        .await
        .text()
        .await;
    client("disabled-key", "sk-disabled")
        .chat("alias", "hi")
        .await
        .text()
        .await;
    client("no-model", gateway::KEY)
        .chat("absent", "hi")
        .await
        .text()
        .await;
    client("no-path", gateway::KEY)
        .get("/v1/nowhere?secret=1")
        .await
        .text()
        .await;
    client("too-large", gateway::KEY)
        .chat("text", &"x".repeat(20_000))
        .await
        .text()
        .await;
    let mut left = client("left", gateway::KEY)
        .chat_stream("stalls", "hi")
        .await;
    left.data().await.expect("a first chunk");
    drop(left);
    upstream.exchange_for("stalls").await.closed().await;

    let usage = json!({"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15});
    let served = json!({"level": "INFO", "method": "POST", "path": CHAT, "status": 200, "provider": "openai", "model": "alias",
        "provider_request_id": "req_scripted", "served_by_model": "alias", "upstream_model": "text", "routing_attempt_count": 1, "routing_fallback_count": 0,
        "error_kind": null, "error": null});
    let none = json!({"provider": null, "model": null, "total_tokens": null, "routing_attempt_count": null});
    let table = [
        ("whole", served.clone()),
        ("whole", usage.clone()),
        ("whole", json!({"outcome": "success", "stream": false})),
        ("stream", served),
        ("stream", usage),
        ("stream", json!({"outcome": "success", "stream": true})),
        ("wrong-key", none.clone()),
        (
            "wrong-key",
            json!({"status": 401, "outcome": "refused", "api_key_id": null, "error": "invalid API key"}),
        ),
        ("disabled-key", json!({"status": 401, "outcome": "refused"})),
        ("no-model", none.clone()),
        (
            "no-model",
            json!({"status": 404, "error": "model \"absent\" not found"}),
        ),
        ("no-path", none),
        (
            "no-path",
            json!({"status": 404, "method": "GET", "path": "/v1/nowhere"}),
        ),
        ("too-large", json!({"status": 413, "outcome": "refused"})),
        (
            "left",
            json!({"outcome": "cancelled", "model": "stalls", "stream": true}),
        ),
    ];
    for (id, expected) in table {
        let line = gateway.access_log(id).await;
        assert_eq!(chosen(&line, &expected), expected, "{id}: {line}");
        assert!(
            line["latency_ms"].is_u64() && line["timestamp"].is_string(),
            "{id}: {line}"
        );
        let lines = gateway
            .log()
            .into_iter()
            .filter(|line| line["request_id"] == id);
        assert_eq!(lines.count(), 1, "{id}");
    }
    let line = gateway.access_log("whole").await;
    assert!(
        line["api_key_id"].as_str().is_some_and(|id| id.len() == 36),
        "{line}"
    );
    assert_eq!(
        gateway.access_log("wrong-key").await["error_kind"]
            .as_str()
            .map(str::is_empty),
        Some(false)
    );
    for secret in [gateway::KEY, "sk-wrong", "sk-disabled", "secret=1"] {
        assert!(!gateway.printed().contains(secret), "{secret} is printed");
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_head_is_a_499() {
    let (upstream, gateway) = house().await;
    upstream.next(Reply::never());
    let client = Client::new(gateway.proxy()).header("x-aisix-request-id", "early");
    let exchange = tokio::select! {
        _ = client.chat("text", "hi") => panic!("it never answers"),
        exchange = upstream.exchange_for("text") => exchange,
    };
    exchange.closed().await;
    let line = gateway.access_log("early").await;
    assert_eq!(
        (&line["status"], &line["outcome"]),
        (&json!(499), &json!("cancelled"))
    );
    let metrics = Exposition::parse(&gateway.metrics().await);
    assert_eq!(
        metrics.sum(
            "aisix_proxy_client_cancelled_requests_total",
            &[("endpoint", CHAT), ("model", "text")]
        ),
        1.0
    );
    assert_eq!(metrics.sum("aisix_proxy_in_flight_requests", &[]), 0.0);
}

#[tokio::test]
async fn who_took_over_and_who_rests_is_seen_everywhere() {
    let (dead, upstream) = (
        Upstream::start(Flavour::OpenAi).await,
        Upstream::start(Flavour::OpenAi).await,
    );
    dead.on(
        "one",
        Reply::error(503, "server_error", None, "overloaded").header("retry-after", "100"),
    );
    let key = json!({"display_name": "second", "provider": "openai",
        "api_base": upstream.base_url(), "api_key": upstream::KEY});
    let targets = json!([{"model": "a"}, {"model": "b"}]);
    let price = |price: f64| json!({"input_per_1k": price, "output_per_1k": price});
    let setup = Setup::new()
        .provider(&dead)
        .model("a", json!({"model_name": "one", "cost": price(1.0)}))
        .entry("provider_keys", key)
        .model(
            "b",
            json!({"model_name": "two", "provider_key": "second", "cost": price(0.001)}),
        )
        .entry(
            "models",
            json!({"display_name": "group", "routing": {"targets": targets}}),
        );
    let gateway = Gateway::start(setup).await;
    for id in ["first", "second"] {
        let client = Client::new(gateway.proxy()).header("x-aisix-request-id", id);
        let response = client.chat("group", "hi").await;
        assert_eq!(response.header("x-aisix-served-by"), Some("b"));
        response.text().await;
    }

    let line = gateway.access_log("first").await;
    let expected = json!({"model": "group", "served_by_model": "b", "upstream_model": "two",
        "routing_attempt_count": 2, "routing_fallback_count": 1});
    assert_eq!(chosen(&line, &expected), expected, "{line}");
    let attempt = json!({"model": "a", "kind": "initial", "status": 503, "error": "upstream"});
    assert_eq!(chosen(&line["attempts"][0], &attempt), attempt, "{line}");
    let line = gateway.access_log("second").await;
    assert_eq!(
        (&line["routing_attempt_count"], &line["attempts"]),
        (&json!(1), &json!(null))
    );
    let cools_down = |line: &Value| line["message"] == "model cools down";
    let line = gateway.logged("the cooldown", cools_down).await;
    let expected =
        json!({"level": "WARN", "model": "a", "reason": "upstream_server_error", "seconds": 100});
    assert_eq!(chosen(&line, &expected), expected, "{line}");
    assert_eq!(
        gateway.log().iter().filter(|line| cools_down(line)).count(),
        1
    );

    let aside = Client::anonymous(gateway.metrics_listener());
    let told = aside.get("/status/models").await.json().await;
    let told = told.as_array().expect("a list").iter();
    let told: Vec<_> = told
        .map(|told| (&told["display_name"], &told["status"], &told["targets"]))
        .collect();
    let targets =
        json!([{"model": "a", "status": "cooldown"}, {"model": "b", "status": "healthy"}]);
    let expected = [
        (&json!("a"), &json!("cooldown"), &json!(null)),
        (&json!("b"), &json!("healthy"), &json!(null)),
        (&json!("group"), &json!("not_applicable"), &targets),
    ];
    assert_eq!(told, expected);

    let metrics = Exposition::parse(&gateway.metrics().await);
    let fallback = [("model", "group"), ("fallback_model", "b")];
    let served = [("model", "group"), ("upstream_model", "two")];
    type Row = (&'static str, &'static [(&'static str, &'static str)], f64);
    let table: [Row; 7] = [
        (
            "aisix_deployment_state",
            &[("model", "a"), ("upstream_model", "one")],
            1.0,
        ),
        ("aisix_deployment_state", &[("model", "b")], 0.0),
        ("aisix_deployment_cooled_down_total", &[("model", "a")], 1.0),
        ("aisix_deployment_requests_total", &[("model", "b")], 2.0),
        ("aisix_routing_successful_fallbacks_total", &fallback, 1.0),
        ("aisix_llm_total_tokens_total", &served, 30.0),
        ("aisix_llm_spend_micro_usd_total", &served, 30.0),
    ];
    for (name, labels, value) in table {
        let found = metrics.sum(name, labels);
        assert!((found - value).abs() < 1e-6, "{name}{labels:?}: {found}");
    }
}

#[tokio::test]
async fn the_probes_say_ready_and_alive() {
    let (_upstream, gateway) = house().await;
    let (proxy, aside) = (
        Client::anonymous(gateway.proxy()),
        Client::anonymous(gateway.metrics_listener()),
    );
    let verbose = "[+]ping ok\n[+]shutdown ok\nlivez check passed\n";
    for (client, path, status, body) in [
        (&aside, "/status/ready", 200, "ok"),
        (&proxy, "/livez", 200, "ok"),
        (&proxy, "/livez?verbose", 200, verbose),
        (&proxy, "/readyz", 200, "ok"),
    ] {
        let response = client.get(path).await;
        assert_eq!(response.status.as_u16(), status, "{path}");
        assert_eq!(response.text().await, body, "{path}");
    }
    assert_eq!(
        proxy.get("/livez").await.header("x-content-type-options"),
        Some("nosniff")
    );
    assert_eq!(proxy.get("/health").await.status, 404);
    assert_eq!(aside.get("/nowhere").await.status, 404);
    let content_type = aside
        .get("/metrics")
        .await
        .header("content-type")
        .map(str::to_owned);
    assert_eq!(content_type.as_deref(), Some("text/plain; version=0.0.4"));
}
