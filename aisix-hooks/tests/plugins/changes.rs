//! Chains that change while calls flow, and chains that must not notice what else changes.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use aisix_core::{
    Gateway,
    call::{Call, Trail},
    config::{
        Change, Config, Entry, KeyHash, Kind,
        resource::{Invalid, Stage},
    },
    hook::{Built, Context, Hooks, Next, PluginFactory, Stages, from_fn},
    observe::Observer,
    reply::Outcome,
    testing::{self, Answer, Setup, Upstream},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};

use crate::{ask::*, every::every_hook, services};

/// A hook that notes which version of a chain it is of, and its place there.
struct Station;

#[derive(Deserialize, JsonSchema)]
struct Stop {
    version: u32,
    place: usize,
}

impl PluginFactory for Station {
    type Settings = Stop;

    fn name(&self) -> &'static str {
        "station"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn build(&self, stop: Stop, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        let stop = Arc::new(stop);
        Ok(Built::hook(from_fn(move |call: Call, next: Next| {
            let stop = stop.clone();
            async move {
                // Others run meanwhile, changes among them.
                tokio::task::yield_now().await;
                let Stop { version, place } = *stop;
                call.trail().mark("station", format!("{version} {place}"));
                next.run(call).await
            }
        })))
    }
}

/// What each request has passed.
#[derive(Clone, Default)]
struct Passed(Arc<Mutex<Vec<Vec<String>>>>);

impl Observer for Passed {
    fn ended(&self, trail: &Trail, _: &Outcome<'_>) {
        let marks = trail.marks().into_iter();
        let marks = marks.filter_map(|(name, mark)| (name == "station").then_some(mark));
        self.0.lock().unwrap().push(marks.collect());
    }
}

fn gateway_document(plugins: Value) -> Change {
    let document = json!({"name": "default", "plugins": plugins});
    Change::Put(Entry::new(Kind::Gateway, "default", document))
}

/// Ten hooks in an order of their own for each version.
fn stations(version: u32) -> Value {
    let mut plugins: Vec<_> = (0..10_usize)
        .map(|place| {
            json!({"name": "station", "id": format!("{}", (place * 3 + version as usize) % 10),
                "priority": place, "settings": {"version": version, "place": place}})
        })
        .collect();
    plugins.rotate_left(version as usize * 7 % 10);
    json!(plugins)
}

/// Calls from several tasks while a configuration is changed from another; stops when all changes are made.
async fn under_way(
    gateway: &Gateway,
    upstream: &Upstream,
    config: &Config,
    changes: impl Iterator<Item = Change> + Send + 'static,
) -> Vec<u16> {
    let (end, ended) = watch::channel(());
    let mut callers = JoinSet::new();
    for _ in 0..4 {
        let (gateway, upstream, ended) = (gateway.clone(), upstream.clone(), ended.clone());
        callers.spawn(async move {
            let mut statuses = Vec::new();
            while ended.has_changed().is_ok() || statuses.len() < 50 {
                upstream.answer(Answer::chat("hello"));
                let request = from("192.0.2.1:1", testing::chat_request("hi"));
                let response = send(&gateway, request).await;
                statuses.push(response.status().as_u16());
                testing::text(response).await;
                // A refusal waits for nothing, and the changes must go on.
                tokio::task::yield_now().await;
            }
            statuses
        });
    }
    let config = config.clone();
    let changing = tokio::spawn(async move {
        for change in changes {
            assert!(config.apply([change]).into_result().is_ok());
            tokio::task::yield_now().await;
        }
        drop(end);
    });
    changing.await.unwrap();
    callers.join_all().await.concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_hooks_change_places_and_each_request_sees_one_whole_order() {
    let (upstream, passed) = (Upstream::new(), Passed::default());
    let config = Setup::new().hooks(Hooks::new().plugin(Station)).config();
    config.apply([gateway_document(stations(0))]);
    let builder = Gateway::builder(config.clone()).transport(upstream.clone());
    let gateway = builder.observe(passed.clone()).build().unwrap();
    let changes = (1..=300).map(|version| gateway_document(stations(version)));
    let statuses = under_way(&gateway, &upstream, &config, changes).await;
    assert!(statuses.iter().all(|status| *status == 200));
    let passed = passed.0.lock().unwrap();
    let mut versions = BTreeSet::new();
    for marks in &*passed {
        let version = marks[0].split(' ').next().unwrap();
        let expected: Vec<_> = (0..10).map(|place| format!("{version} {place}")).collect();
        assert_eq!(*marks, expected);
        versions.insert(version);
    }
    assert!(versions.len() > 2, "they changed meanwhile: {versions:?}");
}

/// Changes that have nothing to do with chains, nor with who calls and what is called.
fn unrelated(count: usize) -> impl Iterator<Item = Change> + Send {
    (0..count).map(|number| {
        let id = format!("other-{}", number % 7);
        let hash = KeyHash::of(format!("sk-other-{number}")).to_hex();
        let (kind, document) = match number % 3 {
            0 => (
                Kind::ApiKey,
                json!({"key_hash": hash, "allowed_models": ["*"]}),
            ),
            1 => (
                Kind::ProviderKey,
                json!({"display_name": id, "api_key": format!("sk-{number}")}),
            ),
            _ => (
                Kind::Model,
                json!({"display_name": id, "provider": "plain", "model_name": format!("m-{number}"),
                    "provider_key_id": "key"}),
            ),
        };
        match number % 11 {
            10 => Change::Delete(Entry::new(Kind::ApiKey, id, Value::Null).key),
            _ => Change::Put(Entry::new(kind, id, document)),
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_of_other_things_reset_no_count() {
    let mut hooks = every_hook();
    let limits = json!({"global": {"limit": 70, "window": "1h"}});
    for hook in &mut hooks {
        if hook["name"] == "rate_limiter" {
            hook["settings"] = json!({"limits": limits});
        }
    }
    let upstream = Upstream::new();
    let config = Setup::new()
        .hooks(aisix_hooks::hooks())
        .api_key(json!({"rate_limit": {"rpd": 1_000_000, "concurrency": 4}}))
        .config();
    config
        .apply([gateway_document(json!(hooks))])
        .into_result()
        .unwrap();
    let builder = Gateway::builder(config.clone()).transport(services::beside(&upstream));
    let gateway = builder.build().unwrap();
    let statuses = under_way(&gateway, &upstream, &config, unrelated(1_000)).await;
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert!(statuses.len() >= 200);
    assert_eq!((count(200), count(429)), (70, statuses.len() - 70));
}

/// Every hook between stations, in an order of their own for each version.
fn mixed(version: u32) -> Value {
    let hooks = every_hook();
    let count = hooks.len();
    let hooks = hooks.into_iter().enumerate().map(|(place, mut hook)| {
        hook["priority"] = match hook["name"] == "cache" {
            // Where it finds the answer, no hook behind it sees the call.
            true => json!(count),
            false => json!((place * 5 + version as usize * 3) % count),
        };
        hook
    });
    let mut plugins = stations(version).as_array().unwrap().clone();
    plugins.extend(hooks);
    json!(plugins)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_hook_changes_places_and_no_call_fails() {
    let (upstream, passed) = (Upstream::new(), Passed::default());
    let hooks = aisix_hooks::hooks().plugin(Station);
    let config = Setup::new().hooks(hooks).config();
    let first = config.apply([gateway_document(mixed(0))]);
    first.into_result().unwrap();
    let builder = Gateway::builder(config.clone()).transport(services::beside(&upstream));
    let gateway = builder.observe(passed.clone()).build().unwrap();
    let changes = (1..=6).map(|version| gateway_document(mixed(version)));
    let statuses = under_way(&gateway, &upstream, &config, changes).await;
    assert!(statuses.iter().all(|status| *status == 200));
    let passed = passed.0.lock().unwrap();
    let mut versions = BTreeSet::new();
    for stops in &*passed {
        let version = stops[0].split(' ').next().unwrap();
        let whole: Vec<_> = (0..10).map(|place| format!("{version} {place}")).collect();
        assert_eq!(*stops, whole);
        versions.insert(version);
    }
    assert!(versions.len() > 2, "they changed meanwhile: {versions:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_forget_no_answer() {
    let upstream = Upstream::new();
    let config = Setup::new().hooks(aisix_hooks::hooks()).config();
    let cache = |priority: usize| json!([{"name": "cache", "priority": priority}]);
    let first = config.apply([gateway_document(cache(0))]);
    first.into_result().unwrap();
    let gateway = Gateway::builder(config.clone()).transport(upstream.clone());
    let gateway = gateway.build().unwrap();
    upstream.answer(Answer::chat("hello"));
    testing::text(send(&gateway, testing::chat_request("hi")).await).await;
    // Now and then the hook itself is built again.
    let changes = unrelated(1_000).enumerate();
    let changes = changes.map(move |(number, change)| match number % 10 {
        0 => gateway_document(cache(number)),
        _ => change,
    });
    let statuses = under_way(&gateway, &upstream, &config, changes).await;
    assert!(statuses.len() >= 200 && statuses.iter().all(|status| *status == 200));
    assert_eq!(upstream.requests().len(), 1, "all others were hits");
}
