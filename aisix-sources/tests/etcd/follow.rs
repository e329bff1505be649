//! What is told of what is there.

use std::{collections::BTreeMap, pin::pin};

use aisix_core::config::{Change, Config, ConfigStore, Entry, Key, KeyHash, Kind};
use aisix_sources::etcd::{DOCUMENT_BYTES, Etcd};
use etcd_client::{Client, DeleteOptions, Txn, TxnOp};
use futures_util::{StreamExt, future::join_all};
use serde_json::{Value, json};

use crate::{cluster::Cluster, document, etcd, next, settings, told, until, within};

async fn put(client: &mut Client, key: &str, value: impl ToString) -> u64 {
    let answer = client.put(key, value.to_string(), None).await.unwrap();
    answer.header().unwrap().revision().try_into().unwrap()
}

#[tokio::test]
async fn documents_are_read_and_followed() {
    let cluster = Cluster::one().await;
    let mut client = cluster.client().await;
    let first = put(&mut client, "/aisix/api_keys/a", document("1")).await;
    put(&mut client, "/aisix-meta/revision", 7).await;
    put(&mut client, "/aisixer/api_keys/x", document("1")).await;

    let etcd = etcd(cluster.endpoints());
    let mut changes = pin!(etcd.changes());
    let Change::All { entries, .. } = next(&mut changes).await else {
        panic!("everything comes first")
    };
    let [entry] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    assert_eq!(
        (entry.key.to_string().as_str(), entry.revision),
        ("api_keys/a", first)
    );
    assert_eq!(entry.value, document("1"));

    let second = put(&mut client, "/aisix/api_keys/b/c", document("2")).await;
    let change = next(&mut changes).await;
    assert_eq!(told(&change), "+api_keys/b/c");
    let Change::Together(together) = change else {
        panic!("{change:?}")
    };
    let [Change::Put(entry), Change::At(at)] = together.as_slice() else {
        panic!("{together:?}")
    };
    assert_eq!((entry.revision, *at), (second, second));
    assert_eq!(entry.value, document("2"));

    put(&mut client, "/aisix-meta/revision", 8).await;
    let together = Txn::new().and_then([
        TxnOp::put("/aisix/api_keys/c", document("3").to_string(), None),
        TxnOp::delete("/aisix/api_keys/a", None),
    ]);
    client.txn(together).await.unwrap();
    let change = next(&mut changes).await;
    assert_eq!(told(&change), "+api_keys/c -api_keys/a");
    assert!(matches!(change, Change::Together(_)), "{change:?}");

    let all = DeleteOptions::new().with_prefix();
    client.delete("/aisix/", Some(all)).await.unwrap();
    assert_eq!(told(&next(&mut changes).await), "-api_keys/b/c -api_keys/c");
}

#[tokio::test]
async fn an_environment_has_its_own_prefix() {
    let cluster = Cluster::one().await;
    let mut client = cluster.client().await;
    put(&mut client, "/gw/prod/api_keys/a", document("1")).await;
    put(&mut client, "/gw/api_keys/b", document("1")).await;
    let mut settings = settings(cluster.endpoints());
    (settings.prefix, settings.env_id) = ("/gw/".to_owned(), "prod".to_owned());
    let etcd = Etcd::new(settings).unwrap();
    assert_eq!(told(&next(pin!(etcd.changes())).await), "= api_keys/a");
}

#[tokio::test]
async fn what_is_wrong_stops_nobody_and_the_last_good_version_stays() {
    let cluster = Cluster::start(1, None, &["--max-request-bytes=10485760"]).await;
    let mut client = cluster.client().await;
    put(&mut client, "/aisix/api_keys/a", document("sk-a")).await;
    put(&mut client, "/aisix/widgets/w", "{}").await;
    put(&mut client, "/aisix/models", "{}").await;
    put(&mut client, "/aisix/models/broken", "{").await;

    let etcd = etcd(cluster.endpoints());
    {
        let mut changes = pin!(etcd.changes());
        let first = next(&mut changes).await;
        let bad = "!models/broken !unknown//aisix/models !widgets/w";
        assert_eq!(told(&first), format!("= api_keys/a {bad}"));
        client.delete("/aisix/widgets/w", None).await.unwrap();
        assert_eq!(told(&next(&mut changes).await), "?widgets/w");
        client.delete("/aisix/models/broken", None).await.unwrap();
        assert_eq!(told(&next(&mut changes).await), "-models/broken");
    }

    let config = Config::builder().build();
    let is_there = |text: &str| config.current().caller(&KeyHash::of(text)).is_some();
    let checks = async {
        until(&config, || is_there("sk-a")).await;
        let large = format!("{{\"key_hash\": \"{}\"}}", "x".repeat(5 * 1024 * 1024));
        assert!(large.len() > DOCUMENT_BYTES);
        let no_map = json!(["sk-b"]).to_string();
        let wrong_type = json!({"key_hash": 7, "allowed_models": []}).to_string();
        for bad in ["sk-b", "", &large, &no_map, &wrong_type] {
            put(&mut client, "/aisix/api_keys/a", bad).await;
        }
        let mut unknown_field = document("sk-b");
        unknown_field["colour"] = "red".into();
        put(&mut client, "/aisix/api_keys/b", unknown_field).await;
        until(&config, || is_there("sk-b")).await;
        assert!(is_there("sk-a"), "the last good version stays");
        client.delete("/aisix/api_keys/a", None).await.unwrap();
        until(&config, || !is_there("sk-a")).await;
    };
    tokio::select! {
        () = config.follow(etcd.changes()) => panic!("a source never ends"),
        () = checks => {}
    }
}

#[tokio::test]
async fn documents_of_the_first_generation_are_those_of_today() {
    let cluster = Cluster::one().await;
    let mut client = cluster.client().await;
    let model = json!({"name": "gpt", "model": "openai/gpt-4o", "timeout": 1000,
        "provider_config": {"api_key": "sk-up", "api_base": "http://127.0.0.1:1"}});
    put(&mut client, "/aisix/models/m", model).await;
    let api_key = json!({"key": "sk-me", "allowed_models": ["gpt"], "rate_limit": {"rpm": 7}});
    put(&mut client, "/aisix/apikeys/k", api_key).await;
    let short_lived = json!({"name": "late", "provider_id": "p", "model": "gpt-4o"});
    put(&mut client, "/aisix/models/late", short_lived).await;

    let etcd = etcd(cluster.endpoints());
    let mut changes = pin!(etcd.changes());
    let reset = next(&mut changes).await;
    assert_eq!(
        told(&reset),
        "= provider_keys/model-m models/m api_keys/k !models/late"
    );
    client.delete("/aisix/models/m", None).await.unwrap();
    assert_eq!(
        told(&next(&mut changes).await),
        "-models/m -provider_keys/model-m"
    );

    let config = Config::builder().build();
    let report = config.apply([reset]);
    assert_eq!(report.rejected.len(), 1, "{report}");
    assert_eq!(&*report.rejected[0].name.id, "late");
    assert!(
        report
            .to_string()
            .contains("`provider_id` belongs to a form that is not read")
    );
    assert!(report.unknown.is_empty(), "{report}");
    let snapshot = config.current();
    assert!(snapshot.caller(&KeyHash::of("sk-me")).is_some());
    assert!(snapshot.model("gpt").is_some());
}

#[tokio::test]
async fn a_storm_ends_as_etcd_does() {
    let cluster = Cluster::one().await;
    let client = cluster.client().await;
    let etcd = etcd(cluster.endpoints());
    let mut changes = pin!(etcd.changes());
    let mut known: BTreeMap<Key, Value> = BTreeMap::new();
    apply(&mut known, next(&mut changes).await);
    let writers = (0..20_u32).map(|writer| {
        let mut client = client.clone();
        tokio::spawn(async move {
            for n in 0..100_u32 {
                let id = format!("/aisix/api_keys/{}", (writer * 7 + n * 13) % 50);
                if n % 5 == 0 {
                    client.delete(id, None).await.unwrap();
                } else {
                    let text = format!("{writer}-{n}");
                    put(&mut client, &id, document(&text)).await;
                }
            }
        })
    });
    let writing = join_all(writers.collect::<Vec<_>>());
    let end = Entry::new(Kind::ApiKey, "end", document("end"));
    let reading = async {
        while !known.contains_key(&end.key) {
            apply(&mut known, next(&mut changes).await);
        }
    };
    let writing = async {
        for written in writing.await {
            written.unwrap();
        }
        put(&mut client.clone(), "/aisix/api_keys/end", &end.value).await;
    };
    within("the storm", futures_util::future::join(writing, reading)).await;
    let listing = etcd.list(None).await.unwrap();
    let listed = listing.entries.into_iter().map(|it| it.entry);
    let listed: BTreeMap<Key, Value> = listed.map(|it| (it.key, it.value)).collect();
    assert_eq!(known, listed);
}

#[tokio::test]
async fn many_and_large_documents_are_read_in_pieces() {
    let cluster = Cluster::start(1, None, &["--max-request-bytes=4194304"]).await;
    let mut client = cluster.client().await;
    for n in 0..40 {
        let document = json!({"key_hash": "x".repeat(2 * 1024 * 1024)});
        put(
            &mut client,
            &format!("/aisix/api_keys/large-{n:02}"),
            document,
        )
        .await;
    }
    for hundred in 0..12 {
        let puts = (0..100).map(|n| {
            let key = format!("/aisix/api_keys/{hundred}-{n}");
            TxnOp::put(key, document("1").to_string(), None)
        });
        let puts = Txn::new().and_then(puts.collect::<Vec<_>>());
        client.txn(puts).await.unwrap();
    }
    let etcd = etcd(cluster.endpoints());
    let Change::All { entries, .. } = next(pin!(etcd.changes())).await else {
        panic!("everything comes first")
    };
    assert_eq!(entries.len(), 1_240);
    let mut ids: Vec<_> = entries.iter().map(|entry| &entry.key.id).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1_240);
}

fn apply(known: &mut BTreeMap<Key, Value>, change: Change) {
    match change {
        Change::All { entries, .. } | Change::Reset(entries) => {
            known.clear();
            known.extend(entries.into_iter().map(|entry| (entry.key, entry.value)));
        }
        Change::Put(entry) => drop(known.insert(entry.key, entry.value)),
        Change::Delete(key) => drop(known.remove(&key)),
        Change::Together(changes) => changes.into_iter().for_each(|it| apply(known, it)),
        Change::At(_) | Change::Hash(_) | Change::Reject(_) | Change::Forget(_) => {}
    }
}

#[tokio::test]
async fn nobody_there_is_told_again_and_again() {
    let etcd = etcd(vec!["http://127.0.0.1:1".to_owned()]);
    let mut changes = pin!(etcd.changes());
    for _ in 0..3 {
        let item = within("an error", changes.next()).await.unwrap();
        let said = item.unwrap_err().to_string();
        assert!(
            said.contains("http://127.0.0.1:1") || said.contains("refused"),
            "{said}"
        );
        assert!(said.contains("trying again in"), "{said}");
    }
}
