//! Policies, which are caches behind every chain.

use std::sync::{Arc, Mutex};

use aisix_core::{
    Gateway,
    call::Trail,
    config::{Change, Config, Entry, Key, KeyHash, Kind},
    explain::{Explainer, Question},
    hook::Hooks,
    observe::Observer,
    reply::Outcome,
    testing::{self, API_KEY, Answer, MODEL, Setup, Upstream},
};
use http::HeaderValue;
use serde_json::{Value, json};

use crate::ask::*;

/// The policy of the last call at a cache, and what came of it.
#[derive(Clone, Default)]
struct Last(Arc<Mutex<Option<(String, String)>>>);

impl Last {
    fn take(&self) -> Option<(String, String)> {
        self.0.lock().unwrap().take()
    }
}

impl Observer for Last {
    fn ended(&self, trail: &Trail, _: &Outcome<'_>) {
        trail.with_marks(|marks| {
            let find = |name| {
                let found = marks.iter().find(|mark| mark.0 == name);
                found.map(|(_, value)| value.clone())
            };
            *self.0.lock().unwrap() = find("cache_policy").zip(find("cache_status"));
        });
    }
}

struct House {
    upstream: Upstream,
    config: Config,
    gateway: Gateway,
    last: Last,
}

/// A gateway with two models and two callers.
fn house(setup: Setup) -> House {
    let model = json!({"display_name": "other", "provider": "plain",
        "model_name": "upstream-model", "provider_key_id": "key"});
    let key = json!({"key_hash": KeyHash::of("sk-other").to_hex(), "allowed_models": ["*"]});
    let setup = setup
        .add(Kind::Model, "other", model)
        .add(Kind::ApiKey, "other", key);
    let (upstream, config, last) = (Upstream::new(), setup.config(), Last::default());
    let gateway = Gateway::builder(config.clone())
        .transport(upstream.clone())
        .observe(last.clone())
        .build()
        .unwrap();
    House {
        upstream,
        config,
        gateway,
        last,
    }
}

impl House {
    fn put(&self, id: &str, policy: Value) {
        let change = Change::Put(Entry::new(Kind::CachePolicy, id, policy));
        let result = self.config.apply([change]).into_result();
        assert!(result.is_ok(), "{result:?}");
    }

    fn delete(&self, id: &str) {
        let (kind, id) = (Kind::CachePolicy, id.into());
        self.config.apply([Change::Delete(Key { kind, id })]);
    }

    /// Which policy a call of a model comes to, and what comes of it.
    async fn asked(&self, caller: &str, model: &str) -> Option<(String, String)> {
        self.upstream.answer(Answer::chat("hello"));
        let message = json!({"role": "user", "content": "hi"});
        let body = json!({"model": model, "messages": [message]});
        let mut request = testing::request("/v1/chat/completions", body.to_string());
        let key = HeaderValue::try_from(format!("Bearer {caller}")).unwrap();
        request.headers_mut().insert("authorization", key);
        testing::text(send(&self.gateway, request).await).await;
        let last = self.last.take();
        let policy = last.as_ref().map(|(policy, _)| policy.as_str());
        assert_eq!(self.explained(caller, model).await.as_deref(), policy);
        last
    }

    /// Which policy an explanation of the same call names.
    async fn explained(&self, caller: &str, model: &str) -> Option<String> {
        let question = Question::new().model(model).key(caller);
        let builder = Gateway::builder(self.config.clone()).transport(self.upstream.clone());
        let explanation = Explainer::new(builder).explain(question).await.unwrap();
        let mut names = explanation.hooks.iter();
        names.find_map(|name| Some(name.strip_prefix("cache_policy:")?.to_owned()))
    }
}

fn told(policy: &str, status: &str) -> Option<(String, String)> {
    Some((policy.to_owned(), status.to_owned()))
}

#[tokio::test]
async fn the_most_specific_policy_runs_then_the_one_whose_id_is_first() {
    let house = house(Setup::new().hooks(aisix_hooks::hooks()));
    assert_eq!(house.asked(API_KEY, MODEL).await, None);
    house.put("9", json!({"name": "late"}));
    house.put("5", json!({"name": "all", "applies_to": "all"}));
    house.put(
        "7",
        json!({"name": "model", "applies_to": format!("model:{MODEL}")}),
    );
    house.put("8", json!({"name": "key", "applies_to": "api_key:other"}));
    house.put("1", json!({"name": "off", "enabled": false}));
    house.put(
        "2",
        json!({"name": "nobody's", "applies_to": "api_key:gone"}),
    );
    assert_eq!(house.asked(API_KEY, "other").await, told("all", "miss"));
    assert_eq!(house.asked(API_KEY, MODEL).await, told("model", "miss"));
    assert_eq!(house.asked("sk-other", MODEL).await, told("key", "miss"));
    assert_eq!(house.asked("sk-other", MODEL).await, told("key", "hit"));
    house.delete("8");
    assert_eq!(house.asked("sk-other", MODEL).await, told("model", "miss"));
    assert_eq!(house.asked(API_KEY, "other").await, told("all", "hit"));
    house.delete("5");
    assert_eq!(house.asked(API_KEY, "other").await, told("late", "miss"));
    house.delete("9");
    assert_eq!(house.asked(API_KEY, "other").await, None);
}

#[tokio::test]
async fn a_model_of_many_names_is_meant_by_one_of_them_or_by_all() {
    let model = json!({"display_name": "wild-*", "provider": "plain", "model_name": "*",
        "provider_key_id": "key"});
    let setup = Setup::new().hooks(aisix_hooks::hooks());
    let house = house(setup.add(Kind::Model, "wild", model));
    house.put("1", json!({"name": "any", "applies_to": "model:wild-*"}));
    house.put("2", json!({"name": "one", "applies_to": "model:wild-a"}));
    assert_eq!(house.asked(API_KEY, "wild-a").await, told("one", "miss"));
    assert_eq!(house.asked(API_KEY, "wild-b").await, told("any", "miss"));
}

#[tokio::test]
async fn answers_outlive_changes_of_a_policy_and_of_others() {
    let house = house(Setup::new().hooks(aisix_hooks::hooks()));
    house.put("1", json!({"name": "a"}));
    assert_eq!(house.asked(API_KEY, MODEL).await, told("a", "miss"));
    house.put("1", json!({"name": "b", "ttl_seconds": 60}));
    house.put("2", json!({"name": "c"}));
    assert_eq!(house.asked(API_KEY, MODEL).await, told("b", "hit"));
    house.put("1", json!({"name": "b", "purge_generation": 1}));
    assert_eq!(house.asked(API_KEY, MODEL).await, told("b", "miss"));
    house.put(
        "1",
        json!({"name": "b", "purge_generation": 1, "enabled": false}),
    );
    assert_eq!(house.asked(API_KEY, MODEL).await, told("c", "miss"));
}

#[tokio::test]
async fn a_policy_stands_behind_every_hook_of_a_chain() {
    let house = house(Setup::new().hooks(aisix_hooks::hooks()));
    let chain = |word: &str| {
        let patterns = json!([{"kind": "literal", "value": word}]);
        json!({"name": "default", "plugins": [
            {"name": "keyword_guard", "priority": 999, "settings": {"patterns": patterns}}]})
    };
    let guard = |word| {
        let change = Change::Put(Entry::new(Kind::Gateway, "default", chain(word)));
        assert!(house.config.apply([change]).into_result().is_ok());
    };
    house.put("1", json!({"name": "a"}));
    guard("other");
    assert_eq!(house.asked(API_KEY, MODEL).await, told("a", "miss"));
    guard("hello");
    let refused = send(&house.gateway, testing::chat_request("hi")).await;
    assert_eq!(refused.status(), 422);
    testing::text(refused).await;
    assert_eq!(house.last.take(), told("a", "hit"));
}

#[tokio::test]
async fn what_is_wrong_with_a_policy_is_told_by_its_field() {
    let wrong = |hooks: Hooks, policy: Value| {
        let config = Setup::new().hooks(hooks).config();
        let entry = Entry::new(Kind::CachePolicy, "1", policy);
        config.apply([Change::Put(entry)]).to_string()
    };
    for (policy, message) in [
        (json!({}), "`name` is required"),
        (
            json!({"name": "a", "applies_to": "team:x"}),
            "`applies_to` must be `all`, `model:<name>` or `api_key:<id>`",
        ),
        (
            json!({"name": "a", "ttl_seconds": 0}),
            "`ttl_seconds` must be at least 1",
        ),
        (
            json!({"name": "a", "max_bytes": 70_000}),
            "`max_entry_bytes` must not be more than `max_bytes`",
        ),
    ] {
        let said = wrong(aisix_hooks::hooks(), policy);
        assert!(said.contains(message), "{said}");
    }
    let said = wrong(Hooks::new(), json!({"name": "a"}));
    assert!(
        said.contains("cannot be served: there is no hook `cache`"),
        "{said}"
    );
}
