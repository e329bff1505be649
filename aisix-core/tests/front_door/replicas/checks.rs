//! Replicas that are checked in the background.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aisix_core::{
    BoxError, Gateway,
    balance::health::{Reason, Turn},
    body::Body,
    config::{Change, Config, Entry, Kind},
    observe::Observer,
    replicas,
    testing::{Answer, Endings, UPSTREAM_MODEL},
    upstream::Tls,
};
use http::{Request, Response};
use serde_json::{Value, json};
use tower::service_fn;

use super::{Fleet, setup, words};
use crate::ask::*;

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
    let checks = tokio::spawn(replicas::checks(config.clone(), fleet.transport(), []));
    (fleet, gateway, config, checks)
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
    let checks = tokio::spawn(replicas::checks(
        config.clone(),
        Fleet::new().transport(),
        [],
    ));
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

#[tokio::test(start_paused = true)]
async fn checks_trust_what_the_provider_keys_trust() {
    let targets = json!([{"base_url": "https://a.test"}]);
    let config = setup(json!({"targets": targets, "health_checks": {"active": {}}})).config();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let transport = service_fn({
        let asked = asked.clone();
        move |request: Request<Body>| {
            let tls = request.extensions().get::<Arc<Tls>>().cloned();
            asked.lock().unwrap().push(tls);
            async { Ok::<_, BoxError>(Response::new(Body::empty())) }
        }
    });
    let checks = tokio::spawn(replicas::checks(config.clone(), transport, []));
    let put = |id: &str, tls: Value| {
        let document =
            json!({"display_name": id, "api_key": "s", "upstream_id": "replicas", "tls": tls});
        config.apply([Change::Put(Entry::new(Kind::ProviderKey, id, document))]);
    };
    let pem =
        |text: &str| format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----");
    // What the last of the questions of a while had.
    let last = async || {
        asked.lock().unwrap().clear();
        tokio::time::sleep(Duration::from_secs(12)).await;
        asked.lock().unwrap().pop().unwrap()
    };
    assert_eq!(last().await, None);
    put("b", json!({"ca_cert": pem("bbbb")}));
    let one = last().await.unwrap();
    assert_eq!(one.ca_cert, Some(pem("bbbb")));
    assert!(one.verify);
    put("a", json!({"ca_cert": pem("aaaa")}));
    let both = Some(format!("{}\n{}", pem("aaaa"), pem("bbbb")));
    assert_eq!(last().await.unwrap().ca_cert, both);
    put("c", json!({"verify": false}));
    let all = last().await.unwrap();
    assert_eq!((&all.ca_cert, all.verify), (&both, false));
    // What changes nothing about it starts nothing anew.
    asked.lock().unwrap().clear();
    put("d", json!({"ca_cert": pem("bbbb")}));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = asked.lock().unwrap().len();
    assert!(Arc::ptr_eq(&last().await.unwrap(), &all));
    assert_eq!(before, 0);
    for id in ["a", "b", "c", "d"] {
        let key = Entry::new(Kind::ProviderKey, id, json!({})).key;
        config.apply([Change::Delete(key)]);
    }
    assert_eq!(last().await, None);
    checks.abort();
}

#[tokio::test(start_paused = true)]
async fn observers_are_told_what_checks_change() {
    let fleet = Fleet::new();
    let active = json!({"unhealthy_threshold": 1, "healthy_threshold": 1});
    let targets = json!([{"host": "a.test"}]);
    let members = json!({"targets": targets, "health_checks": {"active": active}});
    let config = setup(members).config();
    let endings = Endings::new();
    let observers: [Arc<dyn Observer>; 1] = [Arc::new(endings.clone())];
    let checks = tokio::spawn(replicas::checks(config, fleet.transport(), observers));
    for answer in [
        Answer::refused(),
        Answer::refused(),
        Answer::body(200, "text/plain", "up"),
    ] {
        fleet.at("a.test").always("", answer);
        tokio::time::sleep(Duration::from_secs(11)).await;
    }
    let reason = Reason::TransportError;
    let turns = [Turn::CheckFailed { reason }, Turn::CheckSucceeded];
    let turns = turns.map(|turn| ("a.test".to_owned(), turn));
    assert_eq!(endings.replica_turns(), turns);
    checks.abort();
}
