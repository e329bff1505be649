//! What must hold for every hook, whatever it does.

use std::collections::BTreeSet;

use aisix_core::{
    Gateway,
    body::Body,
    config::Kind,
    testing::{self, Answer, Ended, Exchange, Setup, Upstream},
};
use aisix_hooks::observe::{Metrics, MetricsSettings};
use http::Request;
use serde_json::{Value, json};

use crate::{ask::*, measured, services};

/// Every hook with settings that make it work, and let an ordinary call pass: a line for each.
pub(crate) fn every_hook() -> Vec<Value> {
    let schema = json!({"type": "object", "minProperties": 1});
    let rate = json!({"limit": 1_000_000, "window": "1h"});
    let remote = json!({"api_key": "secret", "endpoint": services::AT, "hook_point": "input", "fail_open": false});
    let presidio = json!({"analyzer_url": services::AT, "anonymizer_url": services::AT,
        "hook_point": "input", "fail_open": false});
    let bedrock = json!({"guardrail_id": "id", "guardrail_version": "1", "region": "eu-west-1",
        "latency_mode": {"kind": "serial"}, "aws_credentials": {"kind": "static", "access_key_id": "id", "secret_access_key": "secret"},
        "hook_point": "input", "fail_open": false});
    let literal = json!([{"kind": "literal", "value": "forbidden"}]);
    [
        ("azure_content_safety", remote.clone()),
        ("azure_content_safety_text_moderation", remote.clone()),
        ("bedrock_guardrail", bedrock),
        ("cache", json!({})),
        (
            "cors",
            json!({"allowed_origins": ["https://app.example"], "allowed_methods": ["POST"]}),
        ),
        (
            "data_masking",
            json!({"apply_all": true, "reversible_hashing": {"enabled": true, "secret": "secret"}}),
        ),
        (
            "external_api",
            json!({"endpoint": format!("{}/policy", services::AT)}),
        ),
        ("injection_protection", json!({"content_to_check": ["all"]})),
        ("ip_allowlist", json!({"cidrs": ["0.0.0.0/0"]})),
        ("ip_whitelist", json!({"cidrs": ["0.0.0.0/0"]})),
        ("keyword_guard", json!({"patterns": literal})),
        ("lakera", remote.clone()),
        ("openai_moderation", remote),
        ("pii_guard", json!({"detectors": [{"type": "us_ssn"}]})),
        ("presidio", presidio),
        ("prompt_caching", json!({})),
        (
            "prompt_moderation",
            json!({"keywords": ["forbidden"], "similarity_threshold": 0.9}),
        ),
        ("prompt_template", json!({"system": {"before": "Be kind."}})),
        (
            "rate_limiter",
            json!({"limits": {"per_ip": rate, "per_key": rate, "global": rate}}),
        ),
        (
            "request_size_limiter",
            json!({"max_chars_per_request": 100_000}),
        ),
        ("request_validation", json!({"schema": schema})),
        (
            "transform",
            json!({"request": {"headers": {"set": {"x-tag": "one"}}}}),
        ),
    ]
    .map(|(name, settings)| match name {
        "data_masking" => json!({"name": name, "stage": "pre_request", "settings": settings}),
        _ => json!({"name": name, "settings": settings}),
    })
    .into()
}

/// Chains of one hook, one for each, and then one of all of them.
fn chains() -> Vec<Value> {
    let all = every_hook();
    let alone = all.iter().map(|hook| json!([hook]));
    alone.chain([json!(all)]).collect()
}

/// A gateway with this chain and one slot for its caller, and what counts the calls that are in it.
fn watched(upstream: &Upstream, chain: &Value) -> (Gateway, Metrics) {
    let metrics = Metrics::new(MetricsSettings::default());
    let setup = Setup::new()
        .hooks(aisix_hooks::hooks())
        .add(
            Kind::Gateway,
            "default",
            json!({"name": "default", "plugins": chain}),
        )
        .api_key(json!({"rate_limit": {"concurrency": 1}}));
    let builder = Gateway::builder(setup.config()).transport(services::beside(upstream));
    let gateway = builder.observe(metrics.clone()).build();
    (gateway.unwrap(), metrics)
}

fn in_flight(metrics: &Metrics) -> f64 {
    let text = metrics.render();
    let gauges = text
        .lines()
        .filter(|line| line.starts_with("aisix_proxy_in_flight_requests"));
    let values = gauges.filter_map(|line| line.rsplit_once(' '));
    values.map(|(_, value)| value.parse::<f64>().unwrap()).sum()
}

fn asks(streams: bool) -> impl Iterator<Item = Request<Body>> {
    let requests = requests("hi", streams).into_iter();
    requests.map(|request| from("192.0.2.1:1", request))
}

#[test]
fn every_hook_has_its_line() {
    let mut names: Vec<_> = every_hook()
        .iter()
        .map(|hook| hook["name"].to_string())
        .collect();
    names.dedup();
    let hooks = aisix_hooks::hooks();
    let registered = hooks.describe().map(|hook| json!(hook.name).to_string());
    assert_eq!(names, registered.collect::<Vec<_>>(), "see `every_hook`");
}

/// The bench `chains` measures them, but those that are another by another name.
#[tokio::test]
async fn every_hook_is_measured_with_settings_that_work() {
    let mut measured = BTreeSet::from(["ip_whitelist".to_owned()]);
    for chain in measured::CHAINS.iter().map(|name| measured::chain(name)) {
        let names = chain.iter().map(|hook| hook["name"].as_str().unwrap());
        measured.extend(names.map(str::to_owned));
        let upstream = Upstream::new();
        let (gateway, _) = watched(&upstream, &json!(chain));
        upstream.answer(Answer::chat("Hello"));
        let request = from("192.0.2.1:1", testing::chat_request("hi"));
        let response = send(&gateway, request).await;
        assert_eq!(response.status(), 200, "{chain:?}");
    }
    let hooks = aisix_hooks::hooks();
    let registered = hooks.describe().map(|hook| hook.name.to_owned());
    assert_eq!(measured, registered.collect());
}

#[tokio::test]
async fn an_ordinary_call_passes() {
    for chain in chains() {
        let upstream = Upstream::new();
        let (gateway, metrics) = watched(&upstream, &chain);
        for request in asks(false).chain(asks(true)) {
            let streams = request.uri().path().contains("stream");
            upstream.answer(match streams {
                true => Answer::stream().role().content("Hello").finish().done(),
                false => Answer::chat("Hello"),
            });
            let response = send(&gateway, request).await;
            assert_eq!(response.status(), 200, "{chain}");
            let answer = testing::text(response).await;
            assert!(answer.contains("Hello"), "{chain}: {answer}");
        }
        assert_eq!(in_flight(&metrics), 0.0, "{chain}");
    }
}

/// The upstream has seen the gateway hang up, and the gateway holds nothing.
async fn left(mut exchange: Exchange, metrics: &Metrics, chain: &Value) {
    assert_eq!(exchange.ended().await, Ended::Dropped, "{chain}");
    assert_eq!(in_flight(metrics), 0.0, "{chain}");
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_call_and_holds_nothing() {
    for chain in chains() {
        let upstream = Upstream::new();
        let (gateway, metrics) = watched(&upstream, &chain);
        for request in asks(true) {
            let stream = Answer::stream().role().content("Hello");
            let exchange = upstream.answer(stream.stall());
            let response = send(&gateway, request).await;
            // Each takes the only slot, so it was given back by the one before.
            assert_eq!(response.status(), 200, "{chain}");
            let mut body = response.into_body();
            let mut seen = String::new();
            while !seen.contains("Hello") {
                seen += &testing::next_text(&mut body).await.unwrap();
            }
            assert_eq!(in_flight(&metrics), 1.0, "{chain}");
            drop(body);
            left(exchange, &metrics, &chain).await;
        }
        for request in asks(false).chain(asks(true)) {
            let mut exchange = upstream.answer(Answer::chat("late").head_stall());
            let mut asking = Box::pin(send(&gateway, request));
            tokio::select! {
                biased;
                response = &mut asking => panic!("{chain}: {}", response.status()),
                _ = exchange.request() => {}
            }
            assert_eq!(in_flight(&metrics), 1.0, "{chain}");
            drop(asking);
            left(exchange, &metrics, &chain).await;
        }
    }
}
