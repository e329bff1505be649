//! The metrics, through the front door of a gateway.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use aisix_core::{
    Error, ErrorKind, Gateway, GatewayBuilder,
    body::Body,
    call::Call,
    config::Kind,
    edge::Settings,
    hook::{Next, from_fn},
    models::health,
    observe::{GuardVerdict, Phase, Ruling},
    testing::{self, Answer, Setup, Upstream},
    wire::CHAT_COMPLETIONS,
};
use aisix_hooks::observe::{
    Metrics, MetricsSettings,
    metrics::{Buckets, ClientTypeRule, ReloadFailure},
};
use http_body_util::BodyExt;
use serde_json::json;
use tower::ServiceExt;

/// What was rendered: values by name and labels.
struct Samples(BTreeMap<String, String>);

impl Samples {
    /// Reads what `metrics` renders, and checks its form on the way.
    fn of(metrics: &Metrics) -> Self {
        let mut samples = BTreeMap::new();
        let mut families = HashSet::new();
        let mut family = String::new();
        for line in metrics.render().lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                family = rest.split(' ').next().unwrap().to_owned();
                assert!(families.insert(family.clone()), "{family} comes twice");
                continue;
            }
            if line.starts_with("# HELP ") {
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(series.starts_with(&family), "{series} is not of {family}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let last = samples.insert(series.to_owned(), value.to_owned());
            assert!(last.is_none(), "{series} comes twice");
        }
        Self(samples)
    }

    /// The sum of all series of this name that have all these labels.
    fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let series = self.0.iter().filter(|(series, _)| {
            let (found, rest) = series.split_once('{').unwrap_or((series, ""));
            found == name && labels.iter().all(|label| rest.contains(label))
        });
        series.map(|(_, value)| value.parse::<f64>().unwrap()).sum()
    }

    fn contains(&self, text: &str) -> bool {
        self.0.keys().any(|series| series.contains(text))
    }
}

fn build(setup: Setup, upstream: &Upstream, metrics: &Metrics) -> Gateway {
    finish(setup.builder(upstream), metrics)
}

fn finish(builder: GatewayBuilder, metrics: &Metrics) -> Gateway {
    builder.observe(metrics.clone()).build().unwrap()
}

fn metrics() -> Metrics {
    Metrics::new(MetricsSettings::default())
}

async fn send(gateway: &Gateway, request: http::Request<Body>) -> u16 {
    let response = gateway.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    testing::text(response).await;
    status
}

fn stream_request() -> http::Request<Body> {
    let body = json!({"model": testing::MODEL, "stream": true,
        "messages": [{"role": "user", "content": "hi"}]});
    testing::request("/v1/chat/completions", body.to_string())
}

fn with_header(
    mut request: http::Request<Body>,
    name: &'static str,
    value: &str,
) -> http::Request<Body> {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

#[tokio::test]
async fn an_answer_counts_in_every_family_under_its_labels() {
    let metrics = metrics();
    let upstream = Upstream::new();
    let setup = Setup::new()
        .model(json!({"cost": {"input_per_1k": 0.003, "output_per_1k": 0.0001}}))
        .api_key(json!({"team_id": "red", "user_id": "u1", "user_name": "a \"b\" \\ c\n"}));
    let gateway = build(setup, &upstream, &metrics);
    for _ in 0..3 {
        upstream.answer(Answer::chat("hello"));
        let request = with_header(
            testing::chat_request("hi"),
            "user-agent",
            "OpenAI/Python 2.1",
        );
        assert_eq!(send(&gateway, request).await, 200);
    }

    let samples = Samples::of(&metrics);
    let short = r#"{provider="plain",model="test-model""#;
    let identity = concat!(
        r#"{endpoint="/v1/chat/completions",inbound_protocol="openai",provider="plain","#,
        r#"model="test-model",upstream_model="upstream-model",provider_key_id="key","#,
        r#"provider_key_name="key",api_key_id="caller",team_id="red",user_id="u1","#,
        r#"user_name="a \"b\" \\ c\n""#,
    );
    let ending = r#"status="200",outcome="success"}"#;
    let expected = [
        (format!(r#"aisix_requests_total{short},{ending}"#), "3"),
        (format!(r#"aisix_request_duration_seconds_count{short},status="200"}}"#), "3"),
        (format!("aisix_tokens_consumed_total{short}}}"), "36"),
        (format!(r#"aisix_proxy_requests_total{identity},stream="false",is_fallback="false",{ending}"#), "3"),
        (format!(r#"aisix_llm_requests_total{identity},stream="false",is_fallback="false",{ending}"#), "3"),
        (format!(r#"aisix_proxy_request_duration_seconds_count{identity},stream="false",{ending}"#), "3"),
        (format!(r#"aisix_llm_request_duration_seconds_count{identity},stream="false",{ending}"#), "3"),
        (format!(r#"aisix_llm_api_latency_seconds_count{identity},stream="false",{ending}"#), "3"),
        (format!("aisix_llm_input_tokens_total{identity}}}"), "15"),
        (format!("aisix_llm_output_tokens_total{identity}}}"), "21"),
        (format!("aisix_llm_total_tokens_total{identity}}}"), "36"),
        // 15 tokens for 3 and 21 for 0.1 millionths of a dollar.
        (format!("aisix_llm_spend_micro_usd_total{identity}}}"), "47.1"),
        (r#"aisix_llm_tokens_by_client_total{client_type="openai-python",model="test-model",token_type="output"}"#.into(), "21"),
        (r#"aisix_request_e2e_latency_seconds_count{env_id="unknown",endpoint="/v1/chat/completions",model="test-model",provider="plain",status_class="2xx",streaming="false"}"#.into(), "3"),
        (r#"aisix_auth_decisions_total{method="api_key",result="allowed",reason="ok"}"#.into(), "3"),
        (r#"aisix_deployment_requests_total{provider="plain",model="test-model",upstream_model="upstream-model",provider_key_id="key"}"#.into(), "3"),
        (r#"aisix_deployment_success_responses_total{provider="plain",model="test-model",upstream_model="upstream-model",provider_key_id="key"}"#.into(), "3"),
        (r#"aisix_proxy_in_flight_requests{endpoint="/v1/chat/completions",inbound_protocol="openai"}"#.into(), "0"),
    ];
    for (series, value) in expected {
        assert_eq!(
            samples.0.get(&series).map(String::as_str),
            Some(value),
            "{series}"
        );
    }
    assert_eq!(samples.sum("aisix_proxy_failed_requests_total", &[]), 0.0);
    let quantile = samples.sum("aisix_request_duration_seconds", &[r#"quantile="0.5""#]);
    assert!(quantile > 0.0 && quantile < 5.0, "{quantile}");
}

#[tokio::test]
async fn strangers_are_counted_by_what_they_did_wrong() {
    let metrics = metrics();
    let setup = Setup::new().api_key(json!({"disabled": true}));
    let gateway = build(setup, &Upstream::new(), &metrics);
    let mut nobody = testing::chat_request("hi");
    nobody.headers_mut().remove("authorization");
    let wrong = with_header(testing::chat_request("hi"), "authorization", "Bearer nope");
    for request in [nobody, wrong, testing::chat_request("hi")] {
        assert_eq!(send(&gateway, request).await, 401);
    }

    let samples = Samples::of(&metrics);
    let denied = |reason: &str| {
        samples.sum(
            "aisix_auth_decisions_total",
            &[r#"result="denied""#, reason],
        )
    };
    assert_eq!(
        denied(r#"method="none",result="denied",reason="missing_credential""#),
        1.0
    );
    assert_eq!(
        denied(r#"method="api_key",result="denied",reason="invalid_api_key""#),
        1.0
    );
    assert_eq!(denied(r#"reason="api_key_disabled""#), 1.0);
    let refused = [r#"status="401",outcome="refused""#, r#"model="unknown""#];
    assert_eq!(samples.sum("aisix_requests_total", &refused), 3.0);
    assert_eq!(
        samples.sum("aisix_proxy_failed_requests_total", &refused),
        3.0
    );
    assert!(!samples.contains("nope"));
}

#[tokio::test]
async fn a_client_that_leaves_is_under_way_until_then_and_cancelled_once() {
    let metrics = metrics();
    let upstream = Upstream::new();
    let gateway = build(Setup::new(), &upstream, &metrics);
    let under_way = |samples: &Samples| samples.sum("aisix_proxy_in_flight_requests", &[]);

    let mut exchange = upstream.answer(Answer::chat("hello").head_stall());
    let mut response = Box::pin(gateway.clone().oneshot(testing::chat_request("hi")));
    tokio::select! {
        _ = &mut response => panic!("there is no answer"),
        _ = exchange.request() => {}
    }
    assert_eq!(under_way(&Samples::of(&metrics)), 1.0);
    drop(response);

    upstream.answer(Answer::stream().content("hello").stall());
    let response = gateway.oneshot(stream_request()).await.unwrap();
    let mut body = response.into_body();
    body.frame().await.unwrap().unwrap();
    assert_eq!(under_way(&Samples::of(&metrics)), 1.0);
    drop(body);

    let samples = Samples::of(&metrics);
    assert_eq!(under_way(&samples), 0.0);
    let requests = |labels| samples.sum("aisix_requests_total", &[labels]);
    assert_eq!(requests(r#"status="499",outcome="cancelled""#), 1.0);
    assert_eq!(requests(r#"status="200",outcome="cancelled""#), 1.0);
    assert_eq!(requests(""), 2.0);
    let model = [r#"model="test-model""#];
    assert_eq!(
        samples.sum("aisix_proxy_client_cancelled_requests_total", &model),
        2.0
    );
    assert_eq!(
        samples.sum("aisix_request_ttft_seconds_count", &[r#"streaming="true""#]),
        1.0
    );
    assert_eq!(
        samples.sum("aisix_llm_time_to_first_token_seconds_count", &model),
        1.0
    );
    assert!(samples.sum("aisix_llm_output_tokens_total", &model) > 0.0);
}

#[tokio::test]
async fn nothing_that_a_client_writes_becomes_a_label() {
    let metrics = metrics();
    let upstream = Upstream::new();
    let setup = Setup::new().model(json!({"display_name": "any-*", "model_name": "*"}));
    let gateway = build(setup, &upstream, &metrics);
    upstream.answer(Answer::chat("hello"));
    let chat = |model: &str| {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
        testing::request("/v1/chat/completions", body.to_string())
    };
    let request = with_header(chat("any-junk1"), "user-agent", "junk2");
    let request = with_header(request, "x-aisix-request-id", "junk3");
    assert_eq!(send(&gateway, request).await, 200);
    assert_eq!(send(&gateway, chat("junk4")).await, 404);
    assert_eq!(send(&gateway, testing::request("/junk5", "")).await, 404);
    let request = http::Request::builder()
        .method("JUNK6")
        .uri("/v1/models/junk7");
    assert_eq!(
        send(&gateway, request.body(Body::empty()).unwrap()).await,
        405
    );

    let samples = Samples::of(&metrics);
    assert!(!samples.contains("junk") && !samples.contains("JUNK"));
    let count = |labels: &[&str]| samples.sum("aisix_proxy_requests_total", labels);
    assert_eq!(count(&[r#"model="any-*",upstream_model="*""#]), 1.0);
    assert_eq!(
        count(&[r#"endpoint="/v1/chat/completions""#, r#"model="unknown""#]),
        1.0
    );
    assert_eq!(count(&[r#"endpoint="other""#]), 2.0);
    assert_eq!(
        samples.sum(
            "aisix_llm_tokens_by_client_total",
            &[r#"client_type="other""#]
        ),
        12.0
    );
}

#[tokio::test]
async fn series_beyond_the_bound_are_counted_as_other() {
    let metrics = Metrics::new(MetricsSettings {
        max_series: 2,
        ..MetricsSettings::default()
    });
    let upstream = Upstream::new();
    let mut setup = Setup::new();
    for at in 0..5 {
        let model = json!({"display_name": format!("m{at}"), "provider": "plain",
            "model_name": "m", "provider_key_id": "key"});
        setup = setup.add(Kind::Model, &format!("m{at}"), model);
    }
    let gateway = build(setup, &upstream, &metrics);
    for round in 0..2 {
        for at in 0..5 {
            upstream.answer(Answer::chat("hello"));
            let body = json!({"model": format!("m{at}"),
                "messages": [{"role": "user", "content": round.to_string()}]});
            let request = testing::request("/v1/chat/completions", body.to_string());
            assert_eq!(send(&gateway, request).await, 200);
        }
    }

    let samples = Samples::of(&metrics);
    let count = |labels: &[&str]| samples.sum("aisix_requests_total", labels);
    assert_eq!(count(&[r#"model="m0""#]), 2.0);
    assert_eq!(count(&[r#"model="m1""#]), 2.0);
    assert_eq!(count(&[r#"model="other",status="other""#]), 6.0);
    assert_eq!(count(&[]), 10.0);
    let tokens = samples.sum("aisix_tokens_consumed_total", &[r#"model="other""#]);
    assert_eq!(tokens, 72.0);
}

#[tokio::test]
async fn refusals_by_limits_are_counted() {
    let metrics = metrics();
    let upstream = Upstream::new();
    let setup = Setup::new().api_key(json!({"rate_limit": {"rpd": 1}}));
    let settings = Settings {
        body_limit: 500,
        ..Settings::default()
    };
    let gateway = finish(setup.builder(&upstream).settings(settings), &metrics);
    upstream.answer(Answer::chat("hello"));
    assert_eq!(send(&gateway, testing::chat_request("hi")).await, 200);
    assert_eq!(send(&gateway, testing::chat_request("hi")).await, 429);
    assert_eq!(
        send(&gateway, testing::chat_request(&"x".repeat(600))).await,
        413
    );
    let long = with_header(testing::chat_request("hi"), "content-length", "501");
    assert_eq!(send(&gateway, long).await, 413);

    let samples = Samples::of(&metrics);
    let scope = [r#"scope="requests",layer="api_key",policy_id="unknown""#];
    assert_eq!(samples.sum("aisix_ratelimit_rejections_total", &scope), 1.0);
    let endpoint =
        [r#"endpoint="/v1/chat/completions",inbound_protocol="openai",outcome="refused""#];
    let rejected = samples.sum("aisix_proxy_request_body_limit_rejections_total", &endpoint);
    assert_eq!(rejected, 2.0);
}

#[tokio::test]
async fn refusals_by_policies_are_counted_by_what_was_full_and_by_the_policy() {
    let metrics = metrics();
    let policy = json!({"name": "none at a time", "limits": {"concurrency": 0}});
    let tokens = json!({"name": "few", "limits": {"tpd": 1}});
    let upstream = Upstream::new();
    let setup = Setup::new().add(Kind::RateLimitPolicy, "p-tokens", tokens);
    let gateway = build(setup.clone(), &upstream, &metrics);
    upstream.answer(Answer::chat("hello"));
    assert_eq!(send(&gateway, testing::chat_request("hi")).await, 200);
    assert_eq!(send(&gateway, testing::chat_request("hi")).await, 429);
    let setup = setup.add(Kind::RateLimitPolicy, "p-calls", policy);
    let gateway = build(setup, &upstream, &metrics);
    assert_eq!(send(&gateway, testing::chat_request("hi")).await, 429);

    let samples = Samples::of(&metrics);
    for labels in [
        r#"scope="tokens",layer="policy",policy_id="p-tokens""#,
        r#"scope="concurrency",layer="policy",policy_id="p-calls""#,
    ] {
        let count = samples.sum("aisix_ratelimit_rejections_total", &[labels]);
        assert_eq!(count, 1.0, "{labels}");
    }
}

#[tokio::test]
async fn an_attempt_that_fails_is_counted_at_its_target() {
    let metrics = metrics();
    let upstream = Upstream::new();
    upstream.answer(Answer::refusal(400, "no"));
    let gateway = build(Setup::new(), &upstream, &metrics);
    assert_eq!(send(&gateway, testing::chat_request("hi")).await, 400);

    let samples = Samples::of(&metrics);
    assert_eq!(samples.sum("aisix_deployment_requests_total", &[]), 1.0);
    assert_eq!(
        samples.sum("aisix_deployment_failure_responses_total", &[]),
        1.0
    );
    assert_eq!(
        samples.sum("aisix_deployment_success_responses_total", &[]),
        0.0
    );
    assert_eq!(
        samples.sum("aisix_llm_api_latency_seconds_count", &[r#"status="400""#]),
        1.0
    );
}

/// A gateway whose model `group` stands for `a` and `b`, which have prices.
fn group() -> Setup {
    let model = |name: &str, price: f64| {
        json!({"display_name": name, "provider": "plain", "model_name": format!("up-{name}"),
            "provider_key_id": "key", "cost": {"input_per_1k": price, "output_per_1k": price}})
    };
    let targets = json!([{"model": "a"}, {"model": "b"}]);
    let group = json!({"display_name": "group", "routing": {"targets": targets, "retries": 1}});
    Setup::new()
        .add(Kind::Model, "a", model("a", 1.0))
        .add(Kind::Model, "b", model("b", 0.001))
        .add(Kind::Model, "group", group)
}

fn group_request() -> http::Request<Body> {
    let body = json!({"model": "group", "messages": [{"role": "user", "content": "hi"}]});
    testing::request("/v1/chat/completions", body.to_string())
}

#[tokio::test(start_paused = true)]
async fn what_a_group_does_counts_at_who_did_it() {
    let metrics = metrics();
    let upstream = Upstream::new();
    let gateway = build(group(), &upstream, &metrics);
    upstream.answer_for("up-a", Answer::refusal(503, "no"));
    upstream.answer_for("up-a", Answer::refusal(503, "no"));
    upstream.answer_for("up-b", Answer::chat("hello"));
    assert_eq!(send(&gateway, group_request()).await, 200);
    // Now that `a` cools down, `b` is asked first, and is nobody's fallback.
    upstream.answer_for("up-b", Answer::chat("hello"));
    assert_eq!(send(&gateway, group_request()).await, 200);

    let samples = Samples::of(&metrics);
    let (a, b) = (
        r#"model="a",upstream_model="up-a""#,
        r#"model="b",upstream_model="up-b""#,
    );
    let counts = |name: &str| [a, b].map(|labels| samples.sum(name, &[labels]));
    assert_eq!(counts("aisix_deployment_requests_total"), [2.0, 2.0]);
    assert_eq!(
        counts("aisix_deployment_success_responses_total"),
        [0.0, 2.0]
    );
    assert_eq!(
        counts("aisix_deployment_failure_responses_total"),
        [2.0, 0.0]
    );
    assert_eq!(counts("aisix_deployment_cooled_down_total"), [1.0, 0.0]);
    let labels = [r#"model="group",fallback_model="b""#];
    let taken = samples.sum("aisix_routing_successful_fallbacks_total", &labels);
    assert_eq!(taken, 1.0);
    assert_eq!(
        samples.sum("aisix_routing_failed_fallbacks_total", &[]),
        0.0
    );
    for (is_fallback, count) in [("true", 1.0), ("false", 1.0)] {
        let labels = [
            r#"model="group""#,
            &format!("is_fallback=\"{is_fallback}\""),
        ];
        assert_eq!(samples.sum("aisix_llm_requests_total", &labels), count);
    }
    let served = [r#"model="group",upstream_model="up-b""#];
    assert_eq!(samples.sum("aisix_llm_total_tokens_total", &served), 24.0);
    let spend = samples.sum("aisix_llm_spend_micro_usd_total", &served);
    assert!((spend - 24.0).abs() < 1e-6, "at the price of b: {spend}");
    assert_eq!(samples.sum("aisix_llm_total_tokens_total", &[]), 24.0);
}

#[tokio::test(start_paused = true)]
async fn fallbacks_that_fail_are_counted_once_and_abandoned_ones_not_at_all() {
    let metrics = metrics();
    let upstream = Upstream::new();
    for model in ["up-a", "up-b"] {
        upstream.answer_for(model, Answer::refusal(503, "no"));
        upstream.answer_for(model, Answer::refusal(503, "no"));
    }
    let gateway = build(group(), &upstream, &metrics);
    assert_eq!(send(&gateway, group_request()).await, 502);
    let counts = |name: &str| Samples::of(&metrics).sum(name, &[r#"fallback_model="b""#]);
    let failed = || counts("aisix_routing_failed_fallbacks_total");
    assert_eq!(failed(), 1.0);

    tokio::time::sleep(Duration::from_secs(60)).await;
    upstream.answer_for("up-a", Answer::refusal(503, "no"));
    upstream.answer_for("up-a", Answer::refusal(503, "no"));
    let mut exchange = upstream.answer_for("up-b", Answer::chat("hello").head_stall());
    let mut response = Box::pin(gateway.oneshot(group_request()));
    tokio::select! {
        _ = &mut response => panic!("there is no answer"),
        _ = exchange.request() => {}
    }
    drop(response);
    assert_eq!(failed(), 1.0);
    assert_eq!(counts("aisix_routing_successful_fallbacks_total"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn who_is_asked_beside_others_is_counted_by_what_came_of_it() {
    let metrics = metrics();
    let upstream = Upstream::new();
    let late = |millis| Answer::chat("hello").head_after(Duration::from_millis(millis));
    for (first, second) in [
        (late(900), late(10)),
        (late(150), late(300)),
        (late(900), Answer::refusal(400, "no")),
    ] {
        upstream.answer_for("up-a", first);
        upstream.answer_for("up-b", second);
    }
    let hedging =
        json!({"targets": [{"model": "a"}, {"model": "b"}], "hedging": {"max_extra_share": 1}});
    let setup = group().add(
        Kind::Model,
        "hedged",
        json!({"display_name": "hedged", "routing": hedging}),
    );
    let gateway = build(setup, &upstream, &metrics);
    let body =
        json!({"model": "hedged", "messages": [{"role": "user", "content": "how are you?"}]});
    for _ in 0..3 {
        let request = testing::request("/v1/chat/completions", body.to_string());
        assert_eq!(send(&gateway, request).await, 200);
    }
    let samples = Samples::of(&metrics);
    for outcome in ["served", "lost", "failed"] {
        let outcome = format!("outcome=\"{outcome}\"");
        let labels = [r#"model="hedged",hedge_model="b""#, &outcome];
        assert_eq!(
            samples.sum("aisix_routing_hedges_total", &labels),
            1.0,
            "{outcome}"
        );
    }
    for name in ["successful", "failed"] {
        let name = format!("aisix_routing_{name}_fallbacks_total");
        assert_eq!(samples.sum(&name, &[]), 0.0);
    }
    // Three answers of twelve tokens, and what the two that lost have read.
    let tokens = samples.sum("aisix_llm_total_tokens_total", &[]);
    assert!(tokens > 36.0 && tokens < 70.0, "{tokens}");
}

#[tokio::test(start_paused = true)]
async fn tokens_of_an_answer_that_is_withheld_were_used() {
    let metrics = metrics();
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let withhold = |call: Call, next: Next| async move {
        drop(next.run(call).await?);
        Err(Error::new(ErrorKind::Blocked, "no"))
    };
    let builder = Setup::new().builder(&upstream).hook(from_fn(withhold));
    let status = send(&finish(builder, &metrics), testing::chat_request("hi")).await;
    assert!((400..500).contains(&status), "{status}");
    let samples = Samples::of(&metrics);
    assert_eq!(samples.sum("aisix_llm_total_tokens_total", &[]), 12.0);
}

#[tokio::test(start_paused = true)]
async fn what_a_hook_asks_of_a_group_counts_as_what_callers_ask() {
    let metrics = metrics();
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::refusal(503, "no"));
    upstream.answer_for("up-a", Answer::refusal(503, "no"));
    upstream.answer_for("up-b", Answer::chat("hello"));
    upstream.answer(Answer::chat("hello"));
    let ask = |call: Call, next: Next| async move {
        let question = r#"{"messages":[{"role":"user","content":"hi"}]}"#;
        drop(
            call.ask("group", &CHAT_COMPLETIONS, question.into())
                .await?,
        );
        next.run(call).await
    };
    let builder = group().builder(&upstream).hook(from_fn(ask));
    let status = send(&finish(builder, &metrics), testing::chat_request("hi")).await;
    assert_eq!(status, 200);
    let samples = Samples::of(&metrics);
    let labels = [r#"model="group",fallback_model="b""#];
    let taken = samples.sum("aisix_routing_successful_fallbacks_total", &labels);
    assert_eq!(taken, 1.0);
    let tokens = |label| samples.sum("aisix_llm_total_tokens_total", &[label]);
    assert_eq!(tokens(r#"upstream_model="up-b""#), 12.0);
    assert_eq!(tokens(r#"upstream_model="upstream-model""#), 12.0);
    assert_eq!(samples.sum("aisix_llm_requests_total", &[]), 1.0);
}

#[tokio::test(start_paused = true)]
async fn the_owner_tells_how_models_fare() {
    let metrics = metrics();
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::refusal(503, "no"));
    upstream.answer_for("up-a", Answer::refusal(503, "no"));
    upstream.answer_for("up-b", Answer::chat("hello"));
    let off = json!({"display_name": "off", "provider": "plain", "model_name": "m",
        "provider_key_id": "key", "disabled": true});
    let config = group().add(Kind::Model, "off", off).config();
    let gateway = Gateway::builder(config.clone()).transport(upstream.clone());
    let gateway = gateway.build().unwrap();
    send(&gateway, group_request()).await;
    let states = || {
        let models: Vec<_> = health::all(&config.current()).collect();
        metrics.config().health(&models);
        let samples = Samples::of(&metrics);
        assert!(!samples.contains(r#"aisix_deployment_state{provider="unknown""#));
        ["a", "b", "off"].map(|model| {
            let label = format!("model=\"{model}\",");
            samples.sum("aisix_deployment_state", &[&label])
        })
    };
    assert_eq!(states(), [1.0, 0.0, 2.0]);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(states(), [0.0, 0.0, 2.0]);
}

#[tokio::test]
async fn probes_count_as_requests_of_the_proxy_only() {
    let metrics = metrics();
    let gateway = build(Setup::new(), &Upstream::new(), &metrics);
    let probe = http::Request::get("/livez").body(Body::empty()).unwrap();
    assert_eq!(send(&gateway, probe).await, 200);
    let samples = Samples::of(&metrics);
    assert_eq!(
        samples.sum("aisix_proxy_requests_total", &[r#"endpoint="/livez""#]),
        1.0
    );
    assert_eq!(samples.sum("aisix_requests_total", &[]), 0.0);
    assert_eq!(
        samples.sum("aisix_request_e2e_latency_seconds_count", &[]),
        0.0
    );
}

#[tokio::test]
async fn buckets_and_rules_are_the_configured_ones() {
    let metrics = Metrics::new(MetricsSettings {
        buckets: Buckets {
            request_e2e_latency: vec![100.0, 50.0, f64::NAN, -1.0],
            ..Buckets::default()
        },
        client_type_rules: vec![ClientTypeRule::new("^acme", "acme-bot").unwrap()],
        ..MetricsSettings::default()
    });
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let gateway = build(Setup::new(), &upstream, &metrics);
    let request = with_header(testing::chat_request("hi"), "user-agent", "acme/1");
    send(&gateway, request).await;

    let samples = Samples::of(&metrics);
    let bucket = "aisix_request_e2e_latency_seconds_bucket";
    let found: Vec<_> = samples
        .0
        .keys()
        .filter(|series| series.starts_with(bucket))
        .collect();
    assert_eq!(found.len(), 3, "{found:?}");
    for le in [r#"le="50""#, r#"le="100""#, r#"le="+Inf""#] {
        assert_eq!(samples.sum(bucket, &[le]), 1.0, "{le}");
    }
    assert!(samples.contains(r#"client_type="acme-bot""#));
}

#[test]
fn the_configuration_is_told_by_its_owner() {
    let metrics = metrics();
    assert!(!metrics.render().contains("aisix_config_"));
    let config = metrics.config();
    config.reloaded(std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    config.reload_failed(ReloadFailure::Parse);
    config.source_connected(true);
    config.observed_revision(8);
    config.applied_revision(7);
    config.rejected(&[("models", 2), ("api_keys", 1)]);
    config.rejected(&[("models", 3)]);
    config.stale_served(&[("models", 1)]);
    config.partially_compatible(&[("models", 1)]);
    config.served_hash("abc");
    config.served_hash("def");

    let samples = Samples::of(&metrics);
    let value = |series: &str| samples.0.get(series).map(String::as_str);
    assert_eq!(value("aisix_config_reloads_total"), Some("2"));
    assert_eq!(
        value(r#"aisix_config_reload_failures_total{reason="parse"}"#),
        Some("1")
    );
    assert_eq!(value("aisix_config_last_reload_successful"), Some("0"));
    let time = value("aisix_config_last_reload_success_timestamp_seconds");
    assert_eq!(time, Some("1700000000"));
    assert_eq!(value("aisix_config_source_connected"), Some("1"));
    assert_eq!(value("aisix_config_observed_revision"), Some("8"));
    assert_eq!(value("aisix_config_applied_revision"), Some("7"));
    assert_eq!(
        value(r#"aisix_config_rejected_resources{kind="models"}"#),
        Some("3")
    );
    assert!(!samples.contains("api_keys") && !samples.contains("abc"));
    assert_eq!(value(r#"aisix_config_hash_info{hash="def"}"#), Some("1"));
}

#[tokio::test]
async fn a_changed_configuration_counts_under_its_new_labels() {
    use aisix_core::config::{Change, Entry, resource::Kind};

    let metrics = metrics();
    let upstream = Upstream::new();
    let config = Setup::new().config();
    let builder = Gateway::builder(config.clone()).transport(upstream.clone());
    let gateway = finish(builder, &metrics);
    for name in ["first", "second", "second"] {
        let model = json!({"display_name": testing::MODEL, "provider": "plain",
            "model_name": name, "provider_key_id": "key"});
        config.apply([Change::Put(Entry::new(Kind::Model, "model", model))]);
        upstream.answer(Answer::chat("hello"));
        assert_eq!(send(&gateway, testing::chat_request("hi")).await, 200);
    }
    let samples = Samples::of(&metrics);
    let count = |name| samples.sum("aisix_deployment_requests_total", &[name]);
    assert_eq!(count(r#"upstream_model="first""#), 1.0);
    assert_eq!(count(r#"upstream_model="second""#), 2.0);
    let requests = samples.sum("aisix_llm_requests_total", &[r#"upstream_model="second""#]);
    assert_eq!(requests, 2.0);
}

#[tokio::test]
async fn what_guards_find_is_counted() {
    let upstream = Upstream::new();
    let metrics = metrics();
    let guard = |name: &str, mode: &str| {
        let settings = json!({"name": name, "enforcement_mode": mode,
            "patterns": [{"kind": "literal", "value": "forbidden"}]});
        json!({"name": "keyword_guard", "id": name, "settings": settings})
    };
    let plugins = json!([guard("watches", "monitor"), guard("blocks", "block")]);
    let setup = Setup::new().hooks(aisix_hooks::hooks());
    let bypassed = from_fn(|call: Call, next: Next| async move {
        call.trail().note_guard(&GuardVerdict {
            guard: "remote",
            kind: "lakera",
            phase: Phase::Input,
            ruling: Ruling::Bypassed("lakera_timeout"),
            latency: Duration::from_secs(5),
        });
        next.run(call).await
    });
    let setup = setup.model(json!({"plugins": plugins}));
    let gateway = finish(setup.builder(&upstream).hook(bypassed), &metrics);
    upstream.answer(Answer::chat("forbidden"));
    upstream.answer(Answer::stream().role().content("hi").finish().done());
    assert_eq!(send(&gateway, testing::chat_request("hi")).await, 422);
    assert_eq!(
        send(&gateway, testing::chat_request("forbidden")).await,
        422
    );
    assert_eq!(send(&gateway, stream_request()).await, 200);

    let samples = Samples::of(&metrics);
    for (guard, phase, result, expected) in [
        ("watches", "input", "allowed", 2.0),
        ("watches", "input", "would_block", 1.0),
        ("watches", "output", "would_block", 0.0),
        ("watches", "output", "allowed", 1.0),
        ("blocks", "input", "allowed", 2.0),
        ("blocks", "input", "blocked", 1.0),
        ("blocks", "output", "blocked", 1.0),
        ("blocks", "output", "allowed", 1.0),
    ] {
        let labels = [
            r#"env_id="unknown",guardrail="GUARD",kind="keyword""#.replace("GUARD", guard),
            format!(r#"phase="{phase}",result="{result}",error_type="none""#),
        ];
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let count = samples.sum("aisix_guardrail_latency_seconds_count", &labels);
        assert_eq!(count, expected, "{labels:?}");
    }
    let remote = r#"guardrail="remote",kind="lakera",phase="input",result="bypassed",error_type="lakera_timeout",le="#;
    let at = |bound: &str| {
        let label = format!("{remote}{bound:?}");
        samples.sum("aisix_guardrail_latency_seconds_bucket", &[&label])
    };
    assert_eq!((at("2.5"), at("5")), (0.0, 3.0));
    assert_eq!(samples.sum("aisix_guardrail_blocks_total", &[]), 2.0);
    let bypasses = [r#"reason="lakera_timeout""#];
    let bypasses = samples.sum("aisix_guardrail_bypasses_total", &bypasses);
    assert_eq!(bypasses, 3.0);
}

#[tokio::test(start_paused = true)]
async fn the_health_of_replicas_is_counted_by_their_names() {
    let metrics = metrics();
    let upstream = Upstream::new();
    upstream.answer(Answer::refusal(503, "no"));
    upstream.answer(Answer::chat("hello"));
    let breaker = json!({"consecutive_failures": 1});
    let targets = json!([{"id": "a", "host": "a.test"}, {"id": "b", "host": "b.test"}]);
    let own = json!({"name": "own", "targets": targets, "circuit_breaker": breaker});
    let config = Setup::new()
        .provider_key(json!({"upstream_id": "u"}))
        .add(Kind::Upstream, "u", own)
        .config();
    let gateway = Gateway::builder(config.clone()).transport(upstream.clone());
    let gateway = gateway.observe(metrics.clone()).build().unwrap();
    send(&gateway, testing::chat_request("hi")).await;
    send(&gateway, testing::chat_request("hi")).await;
    let models: Vec<_> = health::all(&config.current()).collect();
    metrics.config().health(&models);
    let samples = Samples::of(&metrics);
    let opened = r#"upstream="own",replica="a",turn="breaker_opened""#;
    assert_eq!(samples.sum("aisix_replica_turns_total", &[opened]), 1.0);
    assert_eq!(samples.sum("aisix_replica_turns_total", &[]), 1.0);
    let state = |replica| {
        let labels = format!(r#"upstream="own",replica="{replica}""#);
        samples.sum("aisix_replica_state", &[&labels])
    };
    assert_eq!(["a", "b"].map(state), [2.0, 0.0]);
}
