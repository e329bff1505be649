//! The metrics: the contract's families and labels, valid and bounded.

use std::{collections::BTreeSet, fs};

use aisix_core::config::Kind;
use aisix_tests::{
    client::Client,
    etcd::Etcd,
    exposition::Exposition,
    gateway::{self, Gateway, Setup},
    upstream::{Flavour, Upstream},
    within,
};
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const CHAT: &str = "/v1/chat/completions";

async fn house() -> (Upstream, Gateway) {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let setup = Setup::new()
        .provider(&upstream)
        .models(["text"])
        .model("alias", json!({"model_name": "text", "cost": {"input_per_1k": 1.0, "output_per_1k": 2.0}}))
        .key("limited", "sk-limited", json!({"allowed_models": ["*"], "team_id": "t1", "user_id": "u1", "user_name": "Ada", "rate_limit": {"rpd": 1, "rpm": 100, "tpm": 10_000_000}}))
        .key("disabled", "sk-disabled", json!({"allowed_models": ["*"], "disabled": true}))
        .config(json!({"proxy": {"request_body_limit_bytes": 10_000}}));
    (upstream, Gateway::start(setup).await)
}

#[tokio::test]
async fn the_metrics_are_those_of_the_contract() {
    let (_upstream, gateway) = house().await;
    let client = Client::anonymous(gateway.proxy());
    let key = |key: &str| client.clone().header("x-api-key", key);
    for (key, model, status) in [
        (key(gateway::KEY), "alias", 200),
        (key("sk-limited"), "alias", 200),
        (key("sk-limited"), "alias", 429),
        (key("sk-wrong"), "alias", 401),
        (client.clone(), "alias", 401),
        (key("sk-disabled"), "alias", 401),
        (key(gateway::KEY), "absent", 404),
    ] {
        let response = key
            .header("user-agent", "OpenAI/Python 1.0")
            .header("x-aisix-request-id", "last")
            .chat(model, "hi")
            .await;
        assert_eq!(response.status.as_u16(), status);
        response.text().await;
    }
    key(gateway::KEY)
        .chat("text", &"x".repeat(20_000))
        .await
        .text()
        .await;
    key(gateway::KEY)
        .header("x-aisix-request-id", "stream")
        .chat_stream("alias", "hi")
        .await
        .text()
        .await;
    gateway.access_log("stream").await;

    let metrics = Exposition::parse(&gateway.metrics().await);
    let identity = "endpoint inbound_protocol provider model upstream_model provider_key_id provider_key_name api_key_id team_id user_id user_name";
    let request = format!("{identity} stream is_fallback status outcome");
    let duration = format!("{identity} stream status outcome");
    let deployment = "provider model upstream_model provider_key_id";
    let latency = "env_id endpoint model provider status_class streaming";
    let table = [
        (
            "aisix_requests_total",
            "counter",
            "provider model status outcome",
        ),
        (
            "aisix_request_duration_seconds",
            "summary",
            "provider model status",
        ),
        ("aisix_tokens_consumed_total", "counter", "provider model"),
        ("aisix_proxy_requests_total", "counter", &request),
        ("aisix_proxy_failed_requests_total", "counter", &request),
        ("aisix_llm_requests_total", "counter", &request),
        ("aisix_proxy_request_duration_seconds", "summary", &duration),
        ("aisix_llm_request_duration_seconds", "summary", &duration),
        ("aisix_llm_api_latency_seconds", "summary", &duration),
        ("aisix_llm_time_to_first_token_seconds", "summary", identity),
        ("aisix_llm_input_tokens_total", "counter", identity),
        ("aisix_llm_output_tokens_total", "counter", identity),
        ("aisix_llm_total_tokens_total", "counter", identity),
        ("aisix_llm_spend_micro_usd_total", "counter", identity),
        (
            "aisix_llm_tokens_by_client_total",
            "counter",
            "client_type model token_type",
        ),
        ("aisix_request_e2e_latency_seconds", "histogram", latency),
        ("aisix_request_ttft_seconds", "histogram", latency),
        (
            "aisix_auth_decisions_total",
            "counter",
            "method result reason",
        ),
        (
            "aisix_ratelimit_rejections_total",
            "counter",
            "scope layer policy_id",
        ),
        (
            "aisix_ratelimit_remaining_requests",
            "gauge",
            "api_key_id model",
        ),
        (
            "aisix_ratelimit_remaining_tokens",
            "gauge",
            "api_key_id model",
        ),
        ("aisix_deployment_requests_total", "counter", deployment),
        (
            "aisix_deployment_success_responses_total",
            "counter",
            deployment,
        ),
        ("aisix_deployment_state", "gauge", deployment),
        (
            "aisix_proxy_in_flight_requests",
            "gauge",
            "endpoint inbound_protocol",
        ),
        (
            "aisix_proxy_request_body_limit_rejections_total",
            "counter",
            "endpoint inbound_protocol outcome",
        ),
        ("aisix_config_last_reload_successful", "gauge", ""),
        (
            "aisix_config_last_reload_success_timestamp_seconds",
            "gauge",
            "",
        ),
        ("aisix_config_reloads_total", "counter", ""),
    ];
    for (family, kind, labels) in table {
        assert_eq!(metrics.kind(family), Some(kind), "{family}");
        let name = if matches!(kind, "summary" | "histogram") {
            format!("{family}_count")
        } else {
            family.to_owned()
        };
        let sample = metrics
            .samples(&name)
            .next()
            .unwrap_or_else(|| panic!("{name} has no sample"));
        let labels: BTreeSet<_> = labels.split_whitespace().collect();
        assert_eq!(
            sample
                .labels
                .keys()
                .map(String::as_str)
                .collect::<BTreeSet<_>>(),
            labels,
            "{name}"
        );
        assert!(
            sample.labels.values().all(|value| !value.is_empty()) || labels.contains("env_id"),
            "{sample:?}"
        );
    }
    let sums = [
        (
            "aisix_requests_total",
            vec![
                ("status", "200"),
                ("model", "alias"),
                ("provider", "openai"),
            ],
            3.0,
        ),
        (
            "aisix_requests_total",
            vec![("status", "401"), ("model", "unknown")],
            3.0,
        ),
        (
            "aisix_requests_total",
            vec![("status", "404"), ("model", "unknown")],
            1.0,
        ),
        (
            "aisix_tokens_consumed_total",
            vec![("model", "alias")],
            45.0,
        ),
        (
            "aisix_llm_spend_micro_usd_total",
            vec![("user_name", "Ada")],
            18_000.0,
        ),
        (
            "aisix_proxy_requests_total",
            vec![("stream", "true"), ("endpoint", CHAT)],
            1.0,
        ),
        (
            "aisix_auth_decisions_total",
            vec![("result", "denied")],
            3.0,
        ),
        (
            "aisix_auth_decisions_total",
            vec![("result", "allowed"), ("method", "api_key")],
            5.0,
        ),
        (
            "aisix_ratelimit_rejections_total",
            vec![("layer", "api_key")],
            1.0,
        ),
        (
            "aisix_request_e2e_latency_seconds_count",
            vec![("status_class", "2xx")],
            3.0,
        ),
        (
            "aisix_request_ttft_seconds_count",
            vec![("streaming", "true")],
            1.0,
        ),
        (
            "aisix_proxy_request_body_limit_rejections_total",
            vec![("endpoint", CHAT)],
            1.0,
        ),
        (
            "aisix_ratelimit_remaining_requests",
            vec![("model", "alias")],
            99.0,
        ),
        ("aisix_proxy_in_flight_requests", vec![], 0.0),
    ];
    for (name, labels, sum) in sums {
        assert_eq!(metrics.sum(name, &labels), sum, "{name} {labels:?}");
    }
    let buckets: Vec<_> = metrics
        .samples("aisix_request_ttft_seconds_bucket")
        .collect();
    assert_eq!(buckets.len(), 13);
    assert!(
        buckets.is_sorted_by(|a, b| a.value <= b.value),
        "{buckets:?}"
    );
    assert_eq!(buckets[12].labels["le"], "+Inf");
}

#[tokio::test]
async fn junk_of_callers_makes_no_series() {
    let (_upstream, gateway) = house().await;
    let client = Client::new(gateway.proxy());
    for number in 0..200 {
        let junk = format!("junk-{number}\"\n\\");
        let client = client
            .clone()
            .header("user-agent", &format!("junk{number}"));
        client.chat(&junk, "hi").await.text().await;
        client.get(&format!("/junk/{number}")).await.text().await;
    }
    let method = Method::from_bytes(b"JUNK").expect("a token");
    client.send(method, CHAT, "".into()).await.text().await;
    let text = gateway.metrics().await;
    let metrics = Exposition::parse(&text);
    assert!(!text.to_lowercase().contains("junk"), "{text}");
    assert!(
        metrics.samples("aisix_requests_total").count() <= 4,
        "{text}"
    );
    assert_eq!(
        metrics.sum(
            "aisix_requests_total",
            &[("model", "unknown"), ("status", "404")]
        ),
        400.0
    );
    assert_eq!(
        metrics.sum(
            "aisix_proxy_requests_total",
            &[("endpoint", "other"), ("status", "404")]
        ),
        200.0
    );
}

/// What the metrics say of the configuration: whether its source is connected, the revision observed, the one
/// applied, and whether the last reload was taken.
async fn of_configuration(gateway: &Gateway) -> [Option<u64>; 4] {
    let metrics = Exposition::parse(&gateway.metrics().await);
    let value = |name: &str| {
        let sample = metrics.samples(name).next();
        sample.map(|sample| sample.value as u64)
    };
    for family in ["rejected", "stale_served", "partially_compatible"] {
        let family = format!("aisix_config_{family}_resources");
        let kinds: Vec<_> = metrics.samples(&family).collect();
        assert_eq!(kinds.len(), Kind::ALL.len(), "{family}");
        assert_eq!(metrics.sum(&family, &[]) as u64, 0, "{family}");
    }
    [
        value("aisix_config_source_connected"),
        value("aisix_config_observed_revision"),
        value("aisix_config_applied_revision"),
        value("aisix_config_last_reload_successful"),
    ]
}

async fn status(gateway: &Gateway) -> Value {
    let client = Client::anonymous(gateway.metrics_listener());
    client.get("/status/config").await.json().await
}

/// Waits until the metrics say so of the configuration.
async fn until(gateway: &Gateway, wanted: [u64; 4]) {
    let wanted = wanted.map(Some);
    let wait = async { while of_configuration(gateway).await != wanted {} };
    within(&format!("{wanted:?}"), wait).await;
}

#[tokio::test]
async fn a_file_is_measured_by_its_readings_and_known_by_its_bytes() {
    let gateway = Gateway::start(Setup::new()).await;
    let hash = || {
        json!(hex::encode(Sha256::digest(
            fs::read(gateway.resources_file()).unwrap()
        )))
    };
    until(&gateway, [1, 1, 1, 1]).await;
    let now = status(&gateway).await;
    let good = hash();
    assert_eq!(
        (
            &now["applied"]["config_hash"],
            &now["source"]["source_hash"]
        ),
        (&good, &good)
    );
    assert_eq!(now["source"]["connected"], Value::Null);

    gateway.write_resources(&Setup::new().entry("models", json!({"colour": 1})));
    until(&gateway, [1, 1, 1, 0]).await;
    let now = status(&gateway).await;
    assert_eq!(now["applied"]["config_hash"], good);
    assert_eq!(now["source"]["source_hash"], hash());

    gateway.write_resources(&Setup::new().key("new", "sk-new", json!({"allowed_models": []})));
    until(&gateway, [1, 2, 2, 1]).await;
    assert_eq!(status(&gateway).await["applied"]["config_hash"], hash());
}

#[tokio::test]
async fn the_embedded_store_is_measured_by_its_revision() {
    let gateway = Gateway::start(Setup::embedded()).await;
    until(&gateway, [1, 0, 0, 1]).await;
    let admin = gateway.administrator().await;
    let key = json!({"allowed_models": []});
    let made = admin.post("/aisix/admin/api_keys", &key).await;
    assert_eq!(made.status, 201);
    until(&gateway, [1, 1, 1, 1]).await;
}

#[tokio::test]
async fn etcd_is_measured_by_its_own_revision_and_missed_when_it_is_away() {
    let mut etcd = Etcd::start().await;
    let gateway = Gateway::start(Setup::embedded().config(etcd.block())).await;
    let key = json!({"key_hash": hex::encode([7; 32]), "allowed_models": []});
    let revision = etcd.put("/aisix/api_keys/k", key.to_string()).await;
    until(&gateway, [1, revision, revision, 1]).await;
    etcd.kill(0);
    until(&gateway, [0, revision, revision, 0]).await;
    etcd.back(0).await;
    until(&gateway, [1, revision, revision, 1]).await;
}
