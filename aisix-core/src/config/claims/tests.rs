use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Value, json};

use crate::{
    config::{Change, Config, Entry, Key, KeyHash, Kind},
    testing::Plain,
    upstream::Registry,
};

fn config() -> Config {
    let providers = Registry::new().provider(Plain);
    Config::builder().providers(providers).build()
}

fn put(kind: Kind, id: &str, document: Value) -> Change {
    Change::Put(Entry::new(kind, id, document))
}

fn delete(kind: Kind, id: &str) -> Change {
    let id = id.into();
    Change::Delete(Key { kind, id })
}

fn model(name: &str) -> Value {
    json!({"display_name": name, "provider": "plain", "model_name": "m", "provider_key_id": "1"})
}

fn api_key(secret: &str) -> Value {
    json!({"key_hash": KeyHash::of(secret).to_hex(), "allowed_models": []})
}

fn rotated(secret: &str, old: &str) -> Value {
    let mut document = api_key(secret);
    document["previous_key_hash"] = KeyHash::of(old).to_hex().into();
    document["previous_expires_at"] = "2999-01-01T00:00:00Z".into();
    document
}

/// Who serves a model of this name.
fn serves(config: &Config, name: &str) -> Option<String> {
    let snapshot = config.current();
    snapshot.model(name).map(|model| model.id().to_string())
}

fn caller(config: &Config, secret: &str) -> Option<String> {
    let snapshot = config.current();
    let caller = snapshot.caller(&KeyHash::of(secret))?;
    Some(caller.id().to_string())
}

/// What is told about resources that stand behind others.
fn hidden(config: &Config) -> Vec<(Key, String)> {
    let rejected = config.status().rejected.into_iter();
    let rejected = rejected.filter_map(|it| Some((it.name.key()?, it.message)));
    rejected.filter(|(_, it)| it.contains("also")).collect()
}

#[test]
fn of_two_models_with_one_name_the_first_id_is_served_and_the_other_takes_over() {
    for name in ["gpt", "gpt-*"] {
        for order in [["a", "b"], ["b", "a"]] {
            let config = config();
            config.apply(order.map(|id| put(Kind::Model, id, model(name))));
            assert_eq!(serves(&config, name).as_deref(), Some("a"), "{order:?}");
            let status = config.status();
            assert_eq!(status.state(), "degraded");
            let told = "`display_name` is also that of models/a, which is served";
            assert_eq!(status.to_json()["rejected"][0]["last_error"], told);
            assert_eq!(&*status.rejected[0].name.id, "b");

            config.apply([put(Kind::Model, "a", model("other"))]);
            assert_eq!(serves(&config, name).as_deref(), Some("b"), "renamed");
            assert_eq!(config.status().state(), "synced");
            config.apply([put(Kind::Model, "a", model(name))]);
            assert_eq!(serves(&config, name).as_deref(), Some("a"), "and back");
            config.apply([delete(Kind::Model, "a")]);
            assert_eq!(serves(&config, name).as_deref(), Some("b"), "gone");
            config.apply([delete(Kind::Model, "b")]);
            assert_eq!(serves(&config, name), None);
        }
    }
}

#[test]
fn one_that_is_hidden_can_change_without_being_seen() {
    let config = config();
    config.apply(["a", "b"].map(|id| put(Kind::Model, id, model("gpt"))));
    let mut other = model("gpt");
    other["model_name"] = "other".into();
    config.apply([put(Kind::Model, "b", other)]);
    assert_eq!(serves(&config, "gpt").as_deref(), Some("a"));
    config.apply([delete(Kind::Model, "a")]);
    let model = config.current().model("gpt").cloned();
    assert_eq!(&**model.unwrap().target().unwrap().model_name(), "other");
}

#[test]
fn a_credential_of_today_comes_before_one_of_the_past_and_then_the_first_id() {
    let config = config();
    config.apply([
        put(Kind::ApiKey, "a", rotated("new", "shared")),
        put(Kind::ApiKey, "c", api_key("shared")),
        put(Kind::ApiKey, "b", api_key("shared")),
    ]);
    assert_eq!(caller(&config, "shared").as_deref(), Some("b"));
    assert_eq!(caller(&config, "new").as_deref(), Some("a"));
    let told: Vec<_> = hidden(&config).into_iter().map(|it| it.1).collect();
    let by = |field| format!("`{field}` is also that of api_keys/b, which is served");
    assert_eq!(told, [by("previous_key_hash"), by("key_hash")]);
    config.apply([delete(Kind::ApiKey, "b")]);
    assert_eq!(caller(&config, "shared").as_deref(), Some("c"));
    config.apply([put(Kind::ApiKey, "c", api_key("other"))]);
    assert_eq!(caller(&config, "shared").as_deref(), Some("a"));
    assert!(hidden(&config).is_empty());
    // One that is rotated to what it was.
    config.apply([put(Kind::ApiKey, "a", rotated("same", "same"))]);
    assert_eq!(caller(&config, "same").as_deref(), Some("a"));
    assert!(hidden(&config).is_empty());
    config.apply([delete(Kind::ApiKey, "a")]);
    assert_eq!(caller(&config, "same"), None);
}

#[test]
fn many_that_have_one_name_cost_no_more_than_many_that_have_not() {
    let time = |name: &dyn Fn(usize) -> String| {
        let config = config();
        let ids = || (10_000..20_000).map(|n| n.to_string());
        let start = std::time::Instant::now();
        config.apply(
            ids()
                .enumerate()
                .map(|(n, id)| put(Kind::Model, &id, model(&name(n)))),
        );
        config.apply(ids().map(|id| delete(Kind::Model, &id)));
        assert_eq!(config.current().models().count(), 0);
        start.elapsed()
    };
    let (other, same) = (time(&|n| n.to_string()), time(&|_| "one".to_owned()));
    assert!(same < other * 5, "{same:?}, not {other:?}");
}

fn pick<'l>(rng: &mut Rng, list: &[&'l str]) -> &'l str {
    list[rng.usize(..list.len())]
}

/// A resource from few names, so that they collide; one in eight is no resource.
fn entry(rng: &mut Rng) -> Entry {
    let kind = Kind::ALL[rng.usize(..Kind::ALL.len())];
    let id = pick(rng, &["1", "2", "3", "4"]);
    let name = pick(rng, &["x", "y", "x*", "xy*"]);
    let mut document = match kind {
        Kind::Model => model(name),
        Kind::ApiKey if rng.bool() => rotated(name, pick(rng, &["x", "y", "z"])),
        Kind::ApiKey => api_key(name),
        _ => json!({"display_name": name, "api_key": name}),
    };
    if kind == Kind::Model {
        document["provider_key_id"] = pick(rng, &["1", "2", "3"]).into();
    }
    if rng.u8(..8) == 0 {
        document = json!({"display_name": 1});
    }
    Entry::new(kind, id, document)
}

fn change(rng: &mut Rng) -> Change {
    match rng.u8(..10) {
        0 => Change::Reset((0..rng.usize(..6)).map(|_| entry(rng)).collect()),
        1..=3 => Change::Delete(entry(rng).key),
        4 => Change::Together(vec![change(rng), change(rng)]),
        _ => Change::Put(entry(rng)),
    }
}

/// What is left at the end: of each resource its last good version.
fn settle(state: &mut BTreeMap<Key, Value>, change: &Change) {
    match change {
        Change::Put(entry) if entry.value["display_name"] != 1 => {
            state.insert(entry.key.clone(), entry.value.clone());
        }
        Change::Put(_) => {}
        Change::Delete(key) => drop(state.remove(key)),
        Change::Together(changes) => changes.iter().for_each(|it| settle(state, it)),
        Change::Reset(entries) => {
            state.retain(|key, _| entries.iter().any(|entry| entry.key == *key));
            for entry in entries {
                settle(state, &Change::Put(entry.clone()));
            }
        }
        _ => unreachable!("no such change is made here"),
    }
}

/// All that a request can see of a snapshot.
fn seen(config: &Config) -> Vec<String> {
    let snapshot = config.current();
    let models = snapshot.models().map(|model| {
        let target = model.target().unwrap();
        let key = target.key();
        let endpoint = target.endpoint().map_err(|error| error.to_string()).err();
        let (name, id, by) = (model.name(), model.id(), (key.id(), key.name()));
        format!("{name} {id} {by:?} {endpoint:?}")
    });
    let callers = ["x", "y", "z", "x*", "xy*"].map(|secret| {
        let hash = KeyHash::of(secret);
        let far = "3000-01-01T00:00:00Z".parse().unwrap();
        let caller = snapshot.caller(&hash);
        let caller = caller.map(|it| (it.id().clone(), it.is_expired(far)));
        format!("{secret}: {caller:?}")
    });
    models.chain(callers).collect()
}

#[test]
fn of_two_gateways_with_one_name_the_first_id_counts() {
    let gateway = || json!({"name": "default"});
    let config = config();
    config.apply(["b", "a"].map(|id| put(Kind::Gateway, id, gateway())));
    let told = "`name` is also that of gateways/a, which is served".to_owned();
    let (kind, id) = (Kind::Gateway, "b".into());
    assert_eq!(hidden(&config), [(Key { kind, id }, told)]);
    let (kind, id) = (Kind::Gateway, "a".into());
    config.apply([Change::Delete(Key { kind, id })]);
    assert_eq!(config.status().state(), "synced");
}

#[test]
fn any_sequence_of_changes_comes_to_what_is_left_at_its_end() {
    for seed in 0..1_000 {
        let mut rng = Rng::with_seed(seed);
        let (config, mut state) = (config(), BTreeMap::new());
        for _ in 0..rng.usize(1..40) {
            let change = change(&mut rng);
            settle(&mut state, &change);
            config.apply([change]);
        }
        let fresh = self::config();
        let entries = state.iter();
        let entries =
            entries.map(|(key, value)| Entry::new(key.kind, key.id.clone(), value.clone()));
        let mut entries: Vec<_> = entries.collect();
        rng.shuffle(&mut entries);
        fresh.apply([Change::Reset(entries)]);

        assert_eq!(seen(&config), seen(&fresh), "seed {seed}");
        let (status, wanted) = (config.status(), fresh.status());
        let hash = |status: &crate::config::Status| status.applied.as_ref().unwrap().hash.clone();
        assert_eq!(hash(&status), hash(&wanted), "seed {seed}");
        // What is wrong with a later version of a resource goes before its being hidden.
        let mut told = hidden(&fresh);
        let is_told = |key: &Key| status.rejected.iter().any(|it| it.name == key.into());
        assert!(told.iter().all(|(key, _)| is_told(key)), "seed {seed}");
        let found = hidden(&config);
        told.retain(|(key, _)| found.iter().any(|(found, _)| found == key));
        assert_eq!(found, told, "seed {seed}");
    }
}
