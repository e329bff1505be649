//! Whatever administrators do, what must hold holds.

use std::collections::{HashMap, HashSet};

use aisix_core::config::{
    Change, Config, ConfigStore, KeyHash, Kind, resource::targets, store::Listing,
};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::ask::*;

fn pick<'l>(rng: &mut Rng, list: &[&'l str]) -> &'l str {
    list[rng.usize(..list.len())]
}

/// A document of this kind, good or bad, from few names, so that they collide.
fn document(rng: &mut Rng, kind: Kind) -> Value {
    let name = pick(rng, &["a", "b", "c", "d"]);
    match (kind, rng.u8(..8)) {
        (Kind::Model, 0) => {
            json!({"name": name, "model": "openai/x", "provider_config": {"api_key": "k"}})
        }
        (Kind::Model, 1) => {
            json!({"display_name": name, "provider_key_id": pick(rng, &["one", "two", "nobody"])})
        }
        (Kind::Model, 2) => json!({"provider_config": {"api_base": "http://a"}}),
        (Kind::Model, 3..=4) => {
            let target = pick(rng, &["a", "b", "c", "x*", "x1"]);
            json!({"display_name": name, "routing": {"targets": [{"model": target}]}})
        }
        (Kind::Model, 5) => model("x*", pick(rng, &["one", "two"])),
        (Kind::Model, _) => model(name, pick(rng, &["one", "two", "three", "model-one"])),
        (Kind::ProviderKey, 0) => json!({"display_name": name, "colour": 1}),
        (Kind::ProviderKey, _) => provider_key(name),
        (_, 0) => json!({"key": name, "key_hash": name, "allowed_models": []}),
        (_, 1) => json!({"allowed_models": ["*"]}),
        (_, _) => json!({"key": name, "allowed_models": []}),
    }
}

async fn act(desk: &Desk, rng: &mut Rng) -> Answer {
    // Mostly those that there are documents of.
    let kind = match rng.u8(..4) {
        0 => Kind::ALL[rng.usize(..Kind::ALL.len())],
        _ => [Kind::ProviderKey, Kind::Model, Kind::ApiKey][rng.usize(..3)],
    };
    let id = pick(rng, &["one", "two", "three"]);
    let (all, one) = (
        format!("/aisix/admin/{kind}"),
        format!("/aisix/admin/{kind}/{id}"),
    );
    let body = document(rng, kind);
    match rng.u8(..10) {
        0 => desk.ask("POST", &all, body).await,
        1..=3 => desk.ask("PUT", &one, body).await,
        4..=5 => desk.ask("PATCH", &one, body).await,
        6..=7 => desk.ask("DELETE", &one, Value::Null).await,
        8 => {
            let grace = rng.u64(..2) * 60;
            let path = format!("/aisix/admin/api_keys/{id}/rotate");
            desk.ask("POST", &path, json!({"grace_seconds": grace}))
                .await
        }
        _ => {
            let now = desk.store.revision().await.unwrap();
            let body = json!({"revision": rng.u64(now.saturating_sub(8)..=now)});
            desk.ask("POST", "/aisix/admin/rollback", body).await
        }
    }
}

/// Names are unique, references lead somewhere, and no secret has gone astray.
fn check(listing: &Listing) {
    let keys: HashSet<_> = listing
        .entries
        .iter()
        .map(|stored| &stored.entry.key)
        .collect();
    let mut names = HashMap::new();
    for stored in &listing.entries {
        let (key, document) = (&stored.entry.key, &stored.entry.value);
        for (group, fields) in key.kind.identities().iter().enumerate() {
            for name in fields.iter().filter_map(|field| document[*field].as_str()) {
                let other = names.insert((key.kind, group, name), key);
                assert!(
                    other.is_none_or(|other| other == key),
                    "{key} and {other:?} share {name}"
                );
            }
        }
        for (path, name) in targets(key.kind, document) {
            assert!(is_served(listing, name), "{key}: {path} leads nowhere");
        }
        for (field, kind) in key.kind.references() {
            let Some(id) = document[*field].as_str().map(Into::into) else {
                continue;
            };
            let other = aisix_core::config::Key { kind: *kind, id };
            assert!(keys.contains(&other), "{key} refers to {other}");
        }
        assert!(!document.to_string().contains("***"), "{document}");
    }
}

/// Whether a direct model has this name, or nobody has it and a pattern matches.
fn is_served(listing: &Listing, name: &str) -> bool {
    let models = listing.entries.iter().map(|it| &it.entry);
    let models = models.filter(|it| it.key.kind == Kind::Model);
    let named = |name: &str| models.clone().find(|it| it.value["display_name"] == name);
    match named(name) {
        Some(model) => model.value.get("routing").is_none(),
        None => name.starts_with('x') && named("x*").is_some(),
    }
}

#[tokio::test]
async fn any_sequence_of_writes_leaves_a_store_that_is_whole() {
    for seed in 0..20 {
        let mut rng = Rng::with_seed(seed);
        let desk = Desk::new();
        let config = Config::builder().build();
        let mut statuses = HashMap::new();
        let acting = async {
            for _ in 0..120 {
                let answer = act(&desk, &mut rng).await;
                assert!(answer.status < 500, "seed {seed}: {answer:?}");
                *statuses.entry(answer.status).or_insert(0) += 1;
                check(&desk.store.list(None).await.unwrap());
            }
            config.until(desk.store.revision().await.unwrap()).await;
        };
        tokio::select! {
            () = config.follow(desk.store.changes()) => panic!("the store is open"),
            () = acting => {}
        }
        // Who has followed every change serves what somebody serves who comes now.
        let listing = desk.store.list(None).await.unwrap();
        let fresh = Config::builder().build();
        let entries: Vec<_> = listing
            .entries
            .iter()
            .map(|stored| stored.entry.clone())
            .collect();
        let rejected = fresh.apply([Change::Reset(entries)]).rejected;
        assert!(rejected.is_empty(), "seed {seed}: {rejected:?}");
        let (followed, fresh) = (config, fresh);
        let hash = |config: &Config| config.status().applied.unwrap().hash;
        assert_eq!(hash(&followed), hash(&fresh), "seed {seed}");
        for stored in &listing.entries {
            let document = &stored.entry.value;
            let snapshots = [followed.current(), fresh.current()];
            match stored.entry.key.kind {
                Kind::Model => {
                    let name = document["display_name"].as_str().unwrap();
                    let ids = snapshots.map(|it| it.model(name).unwrap().id().clone());
                    assert_eq!(
                        ids,
                        [stored.entry.key.id.clone(), stored.entry.key.id.clone()]
                    );
                }
                Kind::ApiKey => {
                    let hash = KeyHash::from_hex(document["key_hash"].as_str().unwrap()).unwrap();
                    let ids = snapshots.map(|it| it.caller(&hash).unwrap().id().clone());
                    assert_eq!(
                        ids,
                        [stored.entry.key.id.clone(), stored.entry.key.id.clone()]
                    );
                }
                _ => {}
            }
        }
        assert_eq!(
            followed.current().models().count(),
            fresh.current().models().count()
        );
        // The test itself must try what succeeds and what does not.
        for status in [200, 201, 400, 404, 409] {
            assert!(
                statuses.contains_key(&status),
                "seed {seed}: no {status} in {statuses:?}"
            );
        }
    }
}
