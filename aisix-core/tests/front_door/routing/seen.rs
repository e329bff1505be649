//! What is seen of the health of targets.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aisix_core::{
    balance::health::{Reason, Turn},
    call::{AttemptRecord, Call, Trail},
    config::Config,
    explain::{Explainer, Question},
    hook::CallService,
    models::health::{self, Grade},
    observe::Observer,
    reply::Outcome,
    testing::{self, API_KEY, Answer, Endings, Upstream},
};
use serde_json::{Value, json};
use tower::{ServiceExt, layer::layer_fn, service_fn};

use super::*;

/// How a model fares.
fn status(config: &Config, id: &str) -> Value {
    let told = health::to_json(&config.current());
    let told = told.as_array().unwrap();
    told.iter().find(|told| told["id"] == id).unwrap().clone()
}

/// The seconds from now to a time that was told.
fn seconds_to(time: &Value) -> i64 {
    assert!(time["nanos_since_epoch"].is_u64(), "{time}");
    let millis = |seconds: i64, nanos: i64| seconds * 1_000 + nanos / 1_000_000;
    let told = millis(
        time["secs_since_epoch"].as_i64().unwrap(),
        time["nanos_since_epoch"].as_i64().unwrap(),
    );
    let left = told - jiff::Timestamp::now().as_millisecond();
    (left + 500).div_euclid(1_000)
}

#[tokio::test(start_paused = true)]
async fn a_model_that_cools_down_says_why_and_until_when() {
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::refusal(429, "slowly"));
    upstream.always("up-b", Answer::chat("hello"));
    let setup = setup(json!({"retry_on_429": true}));
    let config = setup.config();
    let endings = Endings::new();
    let gateway = aisix_core::Gateway::builder(config.clone())
        .transport(upstream.clone())
        .observe(endings.clone())
        .build()
        .unwrap();
    assert_eq!(send(&gateway, ask_group()).await.status(), 200);
    tokio::time::sleep(Duration::from_secs(10)).await;

    let told = status(&config, "a");
    assert_eq!(
        (&told["status"], &told["status_reason"], &told["kind"]),
        (
            &json!("cooldown"),
            &json!("upstream_rate_limited"),
            &json!("direct")
        )
    );
    let times = (
        seconds_to(&told["since"]),
        seconds_to(&told["cooldown_until"]),
    );
    assert_eq!(times, (-10, 20));
    let group = status(&config, GROUP);
    assert_eq!(group["status"], "not_applicable");
    let targets = json!([{"model": "a", "status": "cooldown"}, {"model": "b", "status": "healthy"},
        {"model": "c", "status": "healthy"}]);
    assert_eq!(group["targets"], targets);
    let cooling = Turn::Cooling {
        reason: Reason::UpstreamRateLimited,
        time: Duration::from_secs(30),
    };
    assert_eq!(endings.turns(), [("a".to_owned(), cooling)]);

    tokio::time::sleep(Duration::from_secs(20)).await;
    let well = json!({"id": "a", "display_name": "a", "kind": "direct", "status": "healthy", "in_flight": 0});
    assert_eq!(status(&config, "a"), well);
}

#[tokio::test(start_paused = true)]
async fn each_opening_and_closing_of_a_breaker_is_told_once() {
    let upstream = Upstream::new();
    for _ in 0..3 {
        upstream.answer_for("up-a", Answer::refusal(500, "no"));
    }
    upstream.always("up-a", Answer::chat("hello"));
    upstream.always("up-b", Answer::chat("hello"));
    let breaker = json!({"cooldown": {"enabled": false},
        "circuit_breaker": {"consecutive_failures": 2, "open_seconds": 10}});
    let config = setup_with(json!({}), |_| breaker.clone()).config();
    let endings = Endings::new();
    let gateway = aisix_core::Gateway::builder(config.clone())
        .transport(upstream.clone())
        .observe(endings.clone())
        .build()
        .unwrap();
    for _ in 0..5 {
        send(&gateway, ask_group()).await;
    }
    let told = status(&config, "a");
    assert_eq!(
        (&told["status"], &told["status_reason"]),
        (&json!("unhealthy"), &json!("circuit_open"))
    );
    for seconds in [10, 20] {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        send(&gateway, ask_group()).await;
    }
    send(&gateway, ask_group()).await;
    let opened = |seconds| Turn::BreakerOpened {
        time: Duration::from_secs(seconds),
    };
    let turns: Vec<_> = endings.turns().into_iter().map(|(_, turn)| turn).collect();
    assert_eq!(turns, [opened(10), opened(20), Turn::BreakerClosed]);
    assert_eq!(status(&config, "a")["status"], "healthy");
}

#[tokio::test(start_paused = true)]
async fn a_refused_credential_is_told_of_every_model_that_uses_it() {
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::refusal(401, "bad key"));
    let config = setup(json!({})).config();
    let gateway = aisix_core::Gateway::builder(config.clone()).transport(upstream);
    send(&gateway.build().unwrap(), ask_group()).await;
    for model in ["a", "b", "c"] {
        let told = status(&config, model);
        assert_eq!(
            (&told["status"], &told["status_reason"]),
            (&json!("cooldown"), &json!("upstream_auth_failure")),
            "{model}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn four_failures_in_a_row_are_degraded_and_eight_are_down() {
    let upstream = Upstream::new();
    let config = setup(json!({"targets": [{"model": "a"}], "retries": 0})).config();
    let gateway = aisix_core::Gateway::builder(config.clone()).transport(upstream.clone());
    let gateway = gateway.build().unwrap();
    let grades = || {
        let snapshot = config.current();
        let all = health::all(&snapshot);
        let all = all.filter(|it| ["a", GROUP].contains(&&**it.model.name()));
        all.map(|health| health.grade).collect::<Vec<_>>()
    };
    let mut seen = Vec::new();
    for _ in 0..8 {
        upstream.answer_for("up-a", Answer::refusal(500, "no"));
        send(&gateway, ask_group()).await;
        assert_eq!(grades()[0], grades()[1]);
        seen.push(grades()[0]);
    }
    let (well, degraded, down) = (Grade::Well, Grade::Degraded, Grade::Down);
    assert_eq!(
        seen,
        [
            well, well, well, degraded, degraded, degraded, degraded, down
        ]
    );
    upstream.answer_for("up-a", Answer::chat("hello"));
    testing::text(send(&gateway, ask_group()).await).await;
    assert_eq!(grades(), [well, well]);
}

#[tokio::test(start_paused = true)]
async fn who_is_out_of_service_says_so() {
    for word in ["disabled", "draining"] {
        let setup = setup_with(json!({}), |_| json!({ word: true }));
        let told = status(&setup.config(), "a");
        let expected = json!({"id": "a", "display_name": "a", "kind": "direct",
            "status": "unhealthy", "status_reason": word, "in_flight": 0});
        assert_eq!(told, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_only_explained_does_not_change_how_anybody_fares() {
    let upstream = Upstream::new();
    upstream.answer_for("up-a", Answer::refusal(401, "bad key"));
    let config = setup(json!({"targets": [{"model": "a"}]})).config();
    let builder = aisix_core::Gateway::builder(config.clone()).transport(upstream);
    let gateway = builder.clone().build().unwrap();
    send(&gateway, ask_group()).await;
    let question = Question::new().key(API_KEY).model(GROUP);
    let explained = Explainer::new(builder).explain(question).await.unwrap();
    assert!(explained.is_sent());
    assert_eq!(status(&config, "a")["status"], "cooldown");
}

/// The attempts of the last request, as observers find them at its end.
#[derive(Clone, Default)]
struct Last(Arc<Mutex<(u32, Vec<AttemptRecord>)>>);

impl Observer for Last {
    fn ended(&self, trail: &Trail, _: &Outcome<'_>) {
        *self.0.lock().unwrap() = (trail.attempt_count(), trail.attempts());
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_attempts_the_first_and_the_last_are_remembered() {
    let targets: Vec<_> = (0..16).map(|n| json!({"model": format!("m{n}")})).collect();
    let mut setup = setup(json!({ "targets": targets, "retries": 0 }));
    let upstream = Upstream::new();
    for n in 0..16 {
        let model = json!({"display_name": format!("m{n}"), "provider": "plain",
            "model_name": format!("up-{n}"), "provider_key_id": "key"});
        setup = setup.add(Kind::Model, &format!("m{n}"), model);
        upstream.answer_for(&format!("up-{n}"), Answer::refusal(500, "no"));
    }
    upstream.always("up-0", Answer::refusal(500, "no"));
    upstream.always("up-1", Answer::chat("hello"));
    let twice = layer_fn(|inner: CallService| {
        service_fn(move |call: Call| {
            let inner = inner.clone();
            async move {
                let first = inner.clone().oneshot(call.clone()).await;
                assert!(first.is_err());
                inner.oneshot(call).await
            }
        })
    });
    let last = Last::default();
    let builder = setup.builder(&upstream).hook(twice).observe(last.clone());
    let response = send(&builder.build().unwrap(), ask_group()).await;
    testing::text(response).await;
    let (count, attempts) = &*last.0.lock().unwrap();
    assert_eq!((*count, attempts.len()), (18, 16));
    assert_eq!(&**attempts[14].model.name(), "m14");
    assert_eq!(
        (&**attempts[15].model.name(), attempts[15].error),
        ("m1", None)
    );
}
