//! Models that are asked in the background.

use std::{pin::pin, time::Duration};

use aisix_core::{
    Gateway,
    config::{Change, Config, Entry, Key, Kind},
    models::health::{self, HealthStatus},
    testing::{Answer, Endings, Upstream},
};
use futures_util::FutureExt;
use serde_json::json;
use tokio::time::sleep;

use super::*;

const INTERVAL: Duration = Duration::from_secs(10);

/// A group whose member `a` is checked every 10 seconds; members are merged into the check.
fn setup_of(check: Value) -> Setup {
    let mut whole = json!({"enabled": true, "interval_seconds": 10, "timeout_seconds": 2, "prompt": "ping",
        "max_tokens": 3, "stale_after_seconds": 60});
    let members = check.as_object().unwrap().clone();
    whole.as_object_mut().unwrap().extend(members);
    setup_with(json!({}), |name| match name {
        "a" => json!({"background_model_check": whole}),
        _ => json!({}),
    })
}

/// Everything that a check does until `time` has passed.
async fn checked(config: &Config, upstream: &Upstream, time: Duration) {
    let builder = Gateway::builder(config.clone()).transport(upstream.clone());
    let checks = pin!(builder.checks().unwrap().run());
    let over = pin!(sleep(time));
    futures_util::future::select(checks, over).await;
}

fn status(config: &Config, id: &str) -> (HealthStatus, Option<u16>, bool) {
    let config = config.current();
    let mut healths = health::all(&config);
    let health = healths.find(|health| &**health.model.id() == id).unwrap();
    let status = health.last_check_status.map(|status| status.as_u16());
    (health.status, status, health.last_checked_at.is_some())
}

#[tokio::test(start_paused = true)]
async fn a_model_is_asked_in_its_interval_with_its_prompt_and_nothing_of_callers() {
    let upstream = Upstream::new();
    upstream.always("up-a", Answer::chat("pong"));
    let config = setup_of(json!({})).config();
    checked(&config, &upstream, INTERVAL * 3).await;
    assert_eq!(asked(&upstream), ["a", "a", "a"]);
    let request = upstream.last_request();
    let body = json!({"model": "up-a", "messages": [{"role": "user", "content": "ping"}], "max_tokens": 3});
    assert_eq!(request.json(), body);
    assert!(request.header("authorization").is_some());
    assert_eq!(
        status(&config, "a"),
        (HealthStatus::Healthy, Some(200), true)
    );
    assert_eq!(status(&config, "b"), (HealthStatus::Healthy, None, false));
}

#[tokio::test(start_paused = true)]
async fn who_fails_a_check_gets_no_calls_until_one_succeeds_or_it_is_stale() {
    let upstream = Upstream::new();
    upstream.always("up-a", Answer::refusal(500, "no"));
    upstream.always("up-b", Answer::chat("hello"));
    let setup = setup_of(json!({}));
    let config = setup.config();
    let gateway = Gateway::builder(config.clone()).transport(upstream.clone());
    let gateway = gateway.build().unwrap();
    let served_by =
        async || header(&send(&gateway, ask_group()).await, "x-aisix-served-by").to_owned();
    checked(&config, &upstream, INTERVAL).await;
    assert_eq!(
        status(&config, "a"),
        (HealthStatus::Unhealthy, Some(500), true)
    );
    let before = upstream.count("up-a");
    assert_eq!(served_by().await, "b");
    assert_eq!(upstream.count("up-a"), before);

    upstream.always("up-a", Answer::chat("hello"));
    checked(&config, &upstream, INTERVAL).await;
    assert_eq!(status(&config, "a").0, HealthStatus::Healthy);
    assert_eq!(served_by().await, "a");

    upstream.always("up-a", Answer::refusal(500, "no"));
    checked(&config, &upstream, INTERVAL).await;
    assert_eq!(status(&config, "a").0, HealthStatus::Unhealthy);
    sleep(Duration::from_secs(61)).await;
    assert_eq!(status(&config, "a").0, HealthStatus::Healthy);
}

#[tokio::test(start_paused = true)]
async fn what_is_to_be_ignored_says_nothing_and_408_stands_for_no_answer() {
    let late = Answer::chat("late").head_stall();
    for (ignored, answer, expected) in [
        (json!([]), late.clone(), HealthStatus::Unhealthy),
        (json!([408]), late, HealthStatus::Healthy),
        (
            json!([]),
            Answer::refusal(503, "no"),
            HealthStatus::Unhealthy,
        ),
        (
            json!([503]),
            Answer::refusal(503, "no"),
            HealthStatus::Healthy,
        ),
        (
            json!([]),
            Answer::refusal(400, "no"),
            HealthStatus::Unhealthy,
        ),
        (
            json!([400]),
            Answer::refusal(400, "no"),
            HealthStatus::Healthy,
        ),
        (json!([]), Answer::unreachable(), HealthStatus::Unhealthy),
        (
            json!([]),
            Answer::body(200, "text/html", "<html>"),
            HealthStatus::Unhealthy,
        ),
    ] {
        let upstream = Upstream::new();
        upstream.always("up-a", answer.clone());
        let config = setup_of(json!({"ignore_statuses": ignored})).config();
        checked(&config, &upstream, INTERVAL + Duration::from_secs(2)).await;
        assert_eq!(status(&config, "a").0, expected, "{ignored} {answer:?}");
        assert!(status(&config, "a").2, "{ignored} {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_fails_a_check_of_the_model_does_not_take_the_model_out() {
    let check = json!({"enabled": true, "interval_seconds": 10, "timeout_seconds": 2, "prompt": "ping",
        "max_tokens": 3, "stale_after_seconds": 60});
    for (status_code, expected) in [(500, HealthStatus::Healthy), (404, HealthStatus::Unhealthy)] {
        let upstream = Upstream::new();
        upstream.always("up", Answer::refusal(status_code, "no"));
        let replicas = json!({"name": "pool", "targets": [{"host": "a.test"}, {"host": "b.test"}]});
        let model = json!({"display_name": "m", "provider": "plain", "model_name": "up", "provider_key_id": "pooled",
            "background_model_check": check});
        let key = json!({"display_name": "pooled", "api_key": "sk-up", "upstream_id": "pool"});
        let setup = Setup::new()
            .add(Kind::Upstream, "pool", replicas)
            .add(Kind::ProviderKey, "pooled", key)
            .add(Kind::Model, "m", model);
        let config = setup.config();
        checked(&config, &upstream, INTERVAL).await;
        assert_eq!(upstream.count("up"), 1);
        assert_eq!(status(&config, "m").0, expected, "{status_code}");
    }
}

#[tokio::test(start_paused = true)]
async fn four_are_asked_at_a_time_and_the_others_wait() {
    let upstream = Upstream::new();
    upstream.always("up", Answer::chat("late").head_stall());
    let check = json!({"enabled": true, "interval_seconds": 5, "timeout_seconds": 100, "prompt": "ping",
        "max_tokens": 3, "stale_after_seconds": 60});
    let models = (0..9).map(|n| {
        (
            format!("m{n}"),
            json!({"display_name": format!("m{n}"), "provider": "plain",
        "model_name": "up", "provider_key_id": "key", "background_model_check": check}),
        )
    });
    let config = models
        .fold(Setup::new(), |setup, (id, model)| {
            setup.add(Kind::Model, &id, model)
        })
        .config();
    checked(&config, &upstream, Duration::from_secs(50)).await;
    assert_eq!(upstream.count("up"), 4);
}

#[tokio::test(start_paused = true)]
async fn changes_are_heeded_at_once_and_without_checks_nothing_is_done() {
    let upstream = Upstream::new();
    upstream.always("up-a", Answer::chat("pong"));
    let off = setup_of(json!({"enabled": false}));
    let config = off.config();
    let builder = Gateway::builder(config.clone()).transport(upstream.clone());
    let mut checks = Box::pin(builder.checks().unwrap().run());
    let mut go_on = async |time| {
        let over = pin!(sleep(time));
        futures_util::future::select(&mut checks, over).await;
    };
    go_on(Duration::from_secs(1_000)).await;
    assert_eq!(upstream.requests().len(), 0);

    let document = |check: Value| {
        json!({"display_name": "a", "provider": "plain", "model_name": "up-a",
        "provider_key_id": "key", "background_model_check": check})
    };
    let on = json!({"enabled": true, "interval_seconds": 10, "timeout_seconds": 2, "prompt": "ping",
        "max_tokens": 3, "stale_after_seconds": 60});
    let put = Change::Put(Entry::new(Kind::Model, "a", document(on)));
    config.apply([put]).into_result().unwrap();
    go_on(INTERVAL).await;
    assert_eq!(upstream.requests().len(), 1);
    let key = Key {
        kind: Kind::Model,
        id: "a".into(),
    };
    config.apply([Change::Delete(key)]).into_result().unwrap();
    go_on(INTERVAL * 10).await;
    assert_eq!(upstream.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_disabled_or_stands_for_many_names_is_not_asked() {
    let upstream = Upstream::new();
    let check = json!({"enabled": true, "interval_seconds": 5, "timeout_seconds": 2, "prompt": "ping",
        "max_tokens": 3, "stale_after_seconds": 60});
    let model = |name: &str, members: Value| {
        let mut model = json!({"display_name": name, "provider": "plain", "model_name": "up",
            "provider_key_id": "key", "background_model_check": check});
        let members = members.as_object().unwrap().clone();
        model.as_object_mut().unwrap().extend(members);
        model
    };
    let setup = Setup::new()
        .add(Kind::Model, "off", model("off", json!({"disabled": true})))
        .add(
            Kind::Model,
            "any",
            model("any/*", json!({"model_name": "*"})),
        );
    checked(&setup.config(), &upstream, INTERVAL * 3).await;
    assert_eq!(upstream.requests().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn observers_are_told_as_of_a_question_and_nobodys_limits_are_charged() {
    let upstream = Upstream::new();
    upstream.always("up-a", Answer::chat("pong"));
    let setup = setup_of(json!({})).model(json!({"rate_limit": {"rpm": 1}}));
    let config = setup.config();
    let endings = Endings::new();
    let builder = Gateway::builder(config.clone()).transport(upstream.clone());
    let builder = builder.observe(endings.clone());
    let gateway = builder.clone().build().unwrap();
    let checks = pin!(builder.checks().unwrap().run());
    let over = pin!(sleep(INTERVAL * 4));
    futures_util::future::select(checks, over).await;
    assert_eq!(upstream.count("up-a"), 4);
    assert!(endings.all().is_empty());
    assert_eq!(
        send(&gateway, ask_group())
            .now_or_never()
            .map(|it| it.status().as_u16()),
        Some(200)
    );
}
