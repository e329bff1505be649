//! Upstreams with several replicas.

use std::{collections::HashMap, time::Duration};

use aisix_core::{
    ErrorKind, Gateway,
    body::Body,
    call::AttemptKind,
    config::{Change, Config, Entry, Kind},
    models::health,
    replicas,
    testing::{self, Answer, Endings, Setup, UPSTREAM_MODEL, Upstream},
    upstream::Transport,
};
use http::Request;
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};

use crate::ask::*;

/// Replicas in memory, by their hosts: each answers `hello` unless it is told otherwise.
#[derive(Clone)]
struct Fleet(HashMap<&'static str, Upstream>);

impl Fleet {
    fn new() -> Self {
        let fleet = ["a.test", "b.test", "c.test"].map(|host| {
            let upstream = Upstream::new();
            upstream.always(UPSTREAM_MODEL, Answer::chat("hello"));
            (host, upstream)
        });
        Self(fleet.into())
    }

    fn at(&self, host: &str) -> &Upstream {
        &self.0[host]
    }

    /// How many requests each has had.
    fn counts(&self) -> [usize; 3] {
        ["a.test", "b.test", "c.test"].map(|host| self.at(host).requests().len())
    }

    fn gateway(&self, setup: Setup, endings: &Endings) -> Gateway {
        self.serve(&setup.config(), endings)
    }

    fn serve(&self, config: &Config, endings: &Endings) -> Gateway {
        let builder = Gateway::builder(config.clone()).transport(self.transport());
        builder.observe(endings.clone()).build().unwrap()
    }

    fn transport(&self) -> impl Transport + use<> {
        let fleet = self.clone();
        service_fn(move |request: Request<Body>| {
            let upstream = fleet.at(request.uri().host().unwrap()).clone();
            upstream.oneshot(request)
        })
    }
}

/// A setup whose model is served by the replicas `a`, `b` and `c`; members are merged into the upstream.
fn setup(members: Value) -> Setup {
    let targets = ["a", "b", "c"].map(|name| json!({"base_url": format!("http://{name}.test/x")}));
    let mut upstream = json!({"name": "replicas", "targets": targets});
    let document = upstream.as_object_mut().unwrap();
    document.extend(members.as_object().unwrap().clone());
    Setup::new()
        .provider_key(json!({"upstream_id": "replicas"}))
        .add(Kind::Upstream, "replicas", upstream)
}

/// A gateway with these replicas, and what has become of its requests.
fn scene(members: Value) -> (Fleet, Gateway, Endings) {
    let (fleet, endings) = (Fleet::new(), Endings::new());
    let gateway = fleet.gateway(setup(members), &endings);
    (fleet, gateway, endings)
}

#[tokio::test(start_paused = true)]
async fn replicas_take_turns_at_their_own_addresses() {
    let (fleet, gateway, endings) = scene(json!({}));
    for _ in 0..6 {
        assert_eq!(chat(&gateway).await.status(), 200);
    }
    assert_eq!(fleet.counts(), [2, 2, 2]);
    let sent = fleet.at("b.test").last_request();
    assert_eq!(sent.head.uri, "http://b.test/x/v1/chat/completions");
    let records = endings.records();
    let named = records.iter().map(|it| it.target.replica().unwrap().name());
    let named: Vec<_> = named.map(|name| &**name).take(3).collect();
    assert_eq!(named, ["a.test/x", "b.test/x", "c.test/x"]);
}

#[tokio::test(start_paused = true)]
async fn weights_priorities_and_states_decide_who_is_asked() {
    for (targets, expected) in [
        (
            json!([{"host": "a.test", "weight": 3}, {"host": "b.test"}]),
            [9, 3, 0],
        ),
        (
            json!([{"host": "a.test", "priority": 1}, {"host": "b.test"}]),
            [0, 12, 0],
        ),
        (
            json!([{"host": "a.test", "state": "draining"}, {"host": "b.test", "state": "disabled"},
            {"host": "c.test"}]),
            [0, 0, 12],
        ),
    ] {
        let (fleet, gateway, _) = scene(json!({"targets": targets}));
        for _ in 0..12 {
            assert_eq!(chat(&gateway).await.status(), 200);
        }
        assert_eq!(fleet.counts(), expected, "{targets}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_algorithm_spreads_requests_its_own_way() {
    for algorithm in [
        "round-robin",
        "weighted-round-robin",
        "least-conn",
        "least-connections",
        "random",
        "power-of-two",
        "least-latency",
        "consistent-hash",
    ] {
        let (fleet, gateway, _) = scene(json!({"algorithm": algorithm}));
        for _ in 0..60 {
            assert_eq!(chat(&gateway).await.status(), 200);
        }
        let used = fleet.counts().iter().filter(|count| **count > 0).count();
        match algorithm {
            "round-robin" | "weighted-round-robin" => assert_eq!(fleet.counts(), [20, 20, 20]),
            "consistent-hash" => assert_eq!(used, 1),
            "random" | "power-of-two" => assert_eq!(used, 3, "{algorithm}"),
            _ => assert!(used >= 1),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_key_goes_to_the_same_replica() {
    let (fleet, gateway, _) = scene(json!({"algorithm": "consistent-hash"}));
    for number in 0..90 {
        let mut request = testing::chat_request("hi");
        let key = format!("user-{}", number % 30).parse().unwrap();
        request.headers_mut().insert("x-aisix-routing-key", key);
        assert_eq!(send(&gateway, request).await.status(), 200);
    }
    let counts = fleet.counts();
    assert!(
        counts.iter().all(|count| *count > 0 && count % 3 == 0),
        "{counts:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn least_conn_counts_what_is_under_way() {
    let (fleet, gateway, _) = scene(json!({"algorithm": "least-conn"}));
    let held = fleet
        .at("a.test")
        .answer(Answer::stream().content("Hel").stall());
    let streaming = stream(&gateway).await;
    for _ in 0..4 {
        assert_eq!(chat(&gateway).await.status(), 200);
    }
    assert_eq!(fleet.counts(), [1, 4, 0]);
    drop(streaming);
    drop(held);
    assert_eq!(chat(&gateway).await.status(), 200);
    assert_eq!(fleet.counts(), [2, 4, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_refuses_the_connection_is_replaced_at_once() {
    let (fleet, gateway, endings) = scene(json!({}));
    fleet.at("a.test").always(UPSTREAM_MODEL, Answer::refused());
    let before = tokio::time::Instant::now();
    // More than any budget of retries would allow.
    for _ in 0..300 {
        assert_eq!(chat(&gateway).await.status(), 200);
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(fleet.counts(), [150, 150, 150]);
    let records = endings.records();
    let first: Vec<_> = records
        .iter()
        .take(2)
        .map(|it| (it.kind, it.error))
        .collect();
    assert_eq!(
        first,
        [
            (AttemptKind::Initial, Some(ErrorKind::Transport)),
            (AttemptKind::Retry, None)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn without_retries_too_and_for_what_may_not_be_sent_twice() {
    let (fleet, endings) = (Fleet::new(), Endings::new());
    let gateway = fleet.gateway(setup(json!({})).model(json!({"retries": 0})), &endings);
    fleet.at("a.test").always(UPSTREAM_MODEL, Answer::refused());
    fleet.at("b.test").always(UPSTREAM_MODEL, Answer::refused());
    for _ in 0..3 {
        assert_eq!(chat(&gateway).await.status(), 200);
    }
    fleet.at("c.test").always(UPSTREAM_MODEL, Answer::refused());
    let before: usize = fleet.counts().iter().sum();
    assert_eq!(chat(&gateway).await.status(), 502);
    // Each was asked once.
    assert_eq!(fleet.counts().iter().sum::<usize>(), before + 3);
    // What was sent may have had an effect: that is a matter of retries.
    fleet
        .at("a.test")
        .always(UPSTREAM_MODEL, Answer::unreachable());
    fleet
        .at("b.test")
        .always(UPSTREAM_MODEL, Answer::unreachable());
    fleet
        .at("c.test")
        .always(UPSTREAM_MODEL, Answer::unreachable());
    let before: usize = fleet.counts().iter().sum();
    assert_eq!(chat(&gateway).await.status(), 502);
    assert_eq!(fleet.counts().iter().sum::<usize>(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_goes_to_a_replica_that_has_not_failed_in_this_call() {
    let (fleet, gateway, _) = scene(json!({"algorithm": "consistent-hash"}));
    for host in ["a.test", "b.test", "c.test"] {
        fleet.at(host).answer(Answer::refusal(500, "no"));
    }
    assert_eq!(chat(&gateway).await.status(), 502);
    assert_eq!(fleet.counts(), [1, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn passive_health_leaves_a_replica_alone_after_some_failures_in_a_row() {
    let checks = json!({"passive": true, "threshold": 2, "interval": 10});
    let (fleet, gateway, _) = scene(json!({"health_checks": checks}));
    fleet
        .at("a.test")
        .always(UPSTREAM_MODEL, Answer::refusal(500, "no"));
    for _ in 0..12 {
        assert_eq!(chat(&gateway).await.status(), 200);
    }
    assert_eq!(fleet.counts()[0], 2);
    tokio::time::sleep(Duration::from_secs(11)).await;
    fleet
        .at("a.test")
        .always(UPSTREAM_MODEL, Answer::chat("hello"));
    for _ in 0..12 {
        assert_eq!(chat(&gateway).await.status(), 200);
    }
    assert_eq!(fleet.counts()[0], 6);
}

#[tokio::test(start_paused = true)]
async fn failures_that_are_far_apart_do_not_add_up() {
    let checks = json!({"passive": true, "threshold": 2, "interval": 10});
    let targets = json!([{"host": "a.test"}, {"host": "b.test", "priority": 1}]);
    let (fleet, gateway, _) = scene(json!({"health_checks": checks, "targets": targets}));
    for _ in 0..5 {
        fleet.at("a.test").answer(Answer::refused());
        assert_eq!(chat(&gateway).await.status(), 200);
        tokio::time::sleep(Duration::from_secs(11)).await;
    }
    assert_eq!(fleet.counts(), [5, 5, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_the_caller_or_the_credential_did_is_no_fault_of_a_replica() {
    let checks = json!({"passive": true, "threshold": 1, "interval": 100});
    let (fleet, gateway, _) = scene(json!({"health_checks": checks}));
    for status in [400, 401, 404] {
        fleet.at("a.test").answer(Answer::refusal(status, "no"));
        assert_eq!(chat(&gateway).await.status().as_u16(), status);
        chat(&gateway).await;
        chat(&gateway).await;
    }
    assert_eq!(fleet.counts(), [3, 3, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_keeps_everything_from_a_replica() {
    let breaker = json!({"consecutive_failures": 1, "open_seconds": 20});
    let targets = json!([{"host": "a.test"}]);
    let (fleet, endings) = (Fleet::new(), Endings::new());
    let setup = setup(json!({"circuit_breaker": breaker, "targets": targets}));
    let config = setup.config();
    let gateway = fleet.serve(&config, &endings);
    fleet.at("a.test").answer(Answer::refusal(500, "no"));
    assert_eq!(chat(&gateway).await.status(), 502);
    assert_eq!(chat(&gateway).await.status(), 503);
    assert_eq!(fleet.counts()[0], 1);
    let told = health::to_json(&config.current());
    assert_eq!(told[0]["status"], "unhealthy", "{told}");
    assert_eq!(told[0]["status_reason"], "circuit_open");
    let replica = &told[0]["replicas"][0];
    assert_eq!(replica["name"], "a.test");
    assert_eq!(
        (&replica["status"], &replica["status_reason"]),
        (&json!("unhealthy"), &json!("circuit_open"))
    );
    assert!(replica["since"]["secs_since_epoch"].as_i64().unwrap() > 0);
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert_eq!(chat(&gateway).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_model_whose_replicas_are_all_down_is_passed_over() {
    let (fleet, endings) = (Fleet::new(), Endings::new());
    let breaker = json!({"consecutive_failures": 1, "open_seconds": 20});
    let targets = json!([{"host": "a.test"}, {"host": "b.test"}]);
    let other = json!({"display_name": "other", "api_key": "sk", "api_base": "http://c.test"});
    let model = json!({"display_name": "other", "provider": "plain", "model_name": UPSTREAM_MODEL,
        "provider_key_id": "other"});
    let targets_of = json!([{"model": testing::MODEL}, {"model": "other"}]);
    let setup = setup(json!({"circuit_breaker": breaker, "targets": targets}))
        .add(Kind::ProviderKey, "other", other)
        .add(Kind::Model, "other", model)
        .add(
            Kind::Model,
            "group",
            json!({"display_name": "group", "routing": {"targets": targets_of}}),
        );
    let gateway = fleet.gateway(setup, &endings);
    let ask = || testing::request(CHAT, chat_body(&json!({"model": "group"})));
    for host in ["a.test", "b.test"] {
        fleet.at(host).answer(Answer::refusal(500, "no"));
        assert_eq!(send(&gateway, ask()).await.status(), 200);
    }
    assert_eq!(fleet.counts(), [1, 1, 2]);
    assert_eq!(send(&gateway, ask()).await.status(), 200);
    assert_eq!(fleet.counts(), [1, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn headers_of_a_target_are_set_whatever_the_caller_sent() {
    let targets = json!([{"host": "a.test", "headers": {"x-pool": "blue ${model.name}"}}, {"host": "b.test"}]);
    let forward = json!({"request": {"forward_client_headers": ["x-*"]}});
    let (fleet, endings) = (Fleet::new(), Endings::new());
    let gateway = fleet.gateway(
        setup(json!({"targets": targets})).provider_key(forward),
        &endings,
    );
    for _ in 0..2 {
        let mut request = testing::chat_request("hi");
        request
            .headers_mut()
            .insert("x-pool", "mine".parse().unwrap());
        assert_eq!(send(&gateway, request).await.status(), 200);
    }
    let pool = |host| fleet.at(host).last_request().head.headers["x-pool"].clone();
    assert_eq!(pool("a.test"), format!("blue {}", testing::MODEL));
    assert_eq!(pool("b.test"), "mine");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_changes_is_heeded_at_once_and_keeps_what_is_known() {
    let breaker = json!({"consecutive_failures": 1, "open_seconds": 100});
    let (fleet, endings) = (Fleet::new(), Endings::new());
    let config = setup(json!({"circuit_breaker": breaker})).config();
    let gateway = fleet.serve(&config, &endings);
    fleet.at("a.test").answer(Answer::refusal(500, "no"));
    assert_eq!(chat(&gateway).await.status(), 200);
    let targets = json!([{"base_url": "http://a.test/x"}, {"base_url": "http://c.test/x"}]);
    let document = json!({"name": "replicas", "targets": targets, "circuit_breaker": breaker});
    let changed = Entry::new(Kind::Upstream, "replicas", document);
    config.apply([Change::Put(changed)]);
    let before = fleet.counts();
    for _ in 0..4 {
        assert_eq!(chat(&gateway).await.status(), 200);
    }
    assert_eq!(fleet.counts(), [before[0], before[1], before[2] + 4]);
    let key = Entry::new(Kind::Upstream, "replicas", json!({})).key;
    config.apply([Change::Delete(key)]);
    let (status, body) = refusal(chat(&gateway).await).await;
    assert_eq!(status, 503, "{body}");
}

/// A gateway whose replicas are checked in the background, every 10 s and up to 1 s more.
async fn checked(active: Value) -> (Fleet, Gateway, Config, tokio::task::JoinHandle<()>) {
    let (fleet, endings) = (Fleet::new(), Endings::new());
    for host in ["a.test", "b.test", "c.test"] {
        fleet
            .at(host)
            .always("", Answer::body(200, "text/plain", "up"));
    }
    let config = setup(json!({"health_checks": {"active": active}})).config();
    let gateway = fleet.serve(&config, &endings);
    let checks = tokio::spawn(replicas::checks(config.clone(), fleet.transport()));
    (fleet, gateway, config, checks)
}

/// The words of the three replicas.
fn words(config: &Config) -> Vec<String> {
    let told = health::to_json(&config.current());
    let replicas = told[0]["replicas"].as_array().unwrap().iter();
    let word = |it: &Value| it["status_reason"].as_str().unwrap_or("healthy").to_owned();
    replicas.map(word).collect()
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_checks_find_unhealthy_takes_nothing_until_it_is_well() {
    let active = json!({"path": "/health?full", "headers": {"x-probe": "yes"}, "healthy_threshold": 2,
        "unhealthy_threshold": 3});
    let (fleet, gateway, config, checks) = checked(active).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let probe = fleet.at("a.test").last_request();
    assert_eq!(
        (
            probe.head.method.as_str(),
            probe.head.uri.to_string().as_str()
        ),
        ("GET", "http://a.test/health?full")
    );
    assert_eq!(probe.head.headers["x-probe"], "yes");
    fleet
        .at("a.test")
        .always("", Answer::refusal(503, "loading"));
    tokio::time::sleep(Duration::from_secs(22)).await;
    assert_eq!(words(&config), ["healthy"; 3], "two bad answers");
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(
        words(&config),
        ["upstream_server_error", "healthy", "healthy"]
    );
    for _ in 0..4 {
        assert_eq!(chat(&gateway).await.status(), 200);
    }
    assert_eq!(fleet.at("a.test").count(UPSTREAM_MODEL), 0);
    fleet
        .at("a.test")
        .always("", Answer::body(200, "text/plain", "up"));
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(
        words(&config)[0],
        "upstream_server_error",
        "one good answer"
    );
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(words(&config), ["healthy"; 3]);
    assert_eq!(chat(&gateway).await.status(), 200);
    assert_eq!(chat(&gateway).await.status(), 200);
    assert_eq!(chat(&gateway).await.status(), 200);
    assert_eq!(fleet.at("a.test").count(UPSTREAM_MODEL), 1);
    checks.abort();
}

#[tokio::test(start_paused = true)]
async fn status_body_and_time_of_an_answer_are_looked_at() {
    let active = json!({"expected_status": [204, 200], "body_pattern": "^u.$", "timeout_seconds": 2,
        "unhealthy_threshold": 1, "healthy_threshold": 1});
    for (answer, word) in [
        (Answer::body(204, "text/plain", "up"), "healthy"),
        (Answer::body(201, "text/plain", "up"), "unexpected_answer"),
        (Answer::body(200, "text/plain", "down"), "unexpected_answer"),
        (Answer::refused(), "transport_error"),
        (Answer::new(200).send("u").cut(), "transport_error"),
        (Answer::new(200).stall(), "request_timeout"),
    ] {
        let (fleet, _, config, checks) = checked(active.clone()).await;
        fleet.at("b.test").always("", answer);
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(words(&config), ["healthy", word, "healthy"]);
        checks.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn checks_follow_the_configuration_and_end_with_their_future() {
    let (fleet, _, config, checks) = checked(json!({"unhealthy_threshold": 1})).await;
    fleet.at("a.test").always("", Answer::refused());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(words(&config)[0], "transport_error");
    let document = |checks: Value| {
        let targets =
            ["a", "b", "c"].map(|name| json!({"base_url": format!("http://{name}.test/x")}));
        json!({"name": "replicas", "targets": targets, "health_checks": checks})
    };
    let change = |checks: Value| {
        let entry = Entry::new(Kind::Upstream, "replicas", document(checks));
        config.apply([Change::Put(entry)]);
    };
    change(json!({}));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        words(&config),
        ["healthy"; 3],
        "what nobody checks any more is not kept out"
    );
    let before = fleet.counts();
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(fleet.counts(), before);
    change(json!({"active": {"path": "/other"}}));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(fleet.at("a.test").last_request().head.uri.path(), "/other");
    checks.abort();
    let before = fleet.counts();
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(fleet.counts(), before);
}

#[tokio::test]
async fn a_connection_is_a_check_too() {
    let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ports = [&open, &closed].map(|it| it.local_addr().unwrap().port());
    drop(closed);
    let targets = ports.map(|port| json!({"host": "127.0.0.1", "port": port}));
    let active = json!({"type": "tcp", "unhealthy_threshold": 1, "interval_seconds": 1});
    let config = setup(json!({"targets": targets, "health_checks": {"active": active}})).config();
    let checks = tokio::spawn(replicas::checks(config.clone(), Fleet::new().transport()));
    open.accept().await.unwrap();
    let both = async {
        while words(&config) != ["healthy", "transport_error"] {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), both)
        .await
        .unwrap();
    checks.abort();
}
