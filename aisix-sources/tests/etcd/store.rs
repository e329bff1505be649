//! Writing.

use std::pin::pin;

use aisix_core::config::{
    Change, Config, ConfigStore, Entry, KeyHash, Kind,
    store::{Edit, StoreErrorKind},
};
use aisix_sources::etcd::Etcd;
use etcd_client::GetOptions;
use jiff::Timestamp;
use serde_json::json;

use crate::{cluster::Cluster, document, etcd, key, next, put, told, within};

fn edit(changes: impl IntoIterator<Item = Change>) -> Edit {
    Edit {
        changes: changes.into_iter().collect(),
        by: "tester".to_owned(),
        at: Timestamp::UNIX_EPOCH,
    }
}

async fn store() -> (Cluster, Etcd) {
    let cluster = Cluster::one().await;
    let etcd = etcd(cluster.endpoints());
    (cluster, etcd)
}

#[tokio::test]
async fn what_is_committed_is_there_for_everybody() {
    let (cluster, store) = store().await;
    let other = etcd(cluster.endpoints());
    let mut changes = pin!(other.changes());
    assert_eq!(told(&next(&mut changes).await), "=");
    assert_eq!(store.revision().await.unwrap(), 0);

    let first = vec![edit([put("a", "1")])];
    assert_eq!(store.commit(Some(0), first).await.unwrap(), 1);
    assert_eq!(told(&next(&mut changes).await), "+api_keys/a");
    let more = vec![
        edit([put("b", "2"), put("a", "3")]),
        edit([Change::Delete(key("b")), put("c", "4")]),
    ];
    assert_eq!(store.commit(Some(1), more).await.unwrap(), 3);
    assert_eq!(
        told(&next(&mut changes).await),
        "+api_keys/a +api_keys/c",
        "all of a commit together, and nothing that came to nothing"
    );

    let config = Config::builder().build();
    tokio::select! {
        () = config.follow(other.changes()) => panic!("a source never ends"),
        () = within("the revision", config.until(store.told_as(3))) => {}
    }
    assert!(config.current().caller(&KeyHash::of("4")).is_some());

    let listing = other.list(None).await.unwrap();
    assert_eq!(listing.revision, 3);
    let listed = listing.entries.iter();
    let listed: Vec<_> = listed
        .map(|it| (&*it.entry.key.id, it.created, it.entry.revision))
        .collect();
    assert_eq!(listed, [("a", 1, 2), ("c", 3, 3)]);
    let stored = other.get(&key("a")).await.unwrap().unwrap();
    assert_eq!((stored.created, stored.entry.revision), (1, 2));
    assert_eq!(stored.entry.value, document("3"));
    assert!(other.get(&key("b")).await.unwrap().is_none());
    let models = other.list(Some(Kind::Model)).await.unwrap();
    assert!(models.entries.is_empty());
}

#[tokio::test]
async fn a_writer_that_was_slower_writes_nothing() {
    let (cluster, store) = store().await;
    let other = etcd(cluster.endpoints());
    for round in 0..20 {
        let ours = store.commit(Some(round), vec![edit([put("a", &format!("{round}-1"))])]);
        let theirs = other.commit(Some(round), vec![edit([put("a", &format!("{round}-2"))])]);
        let (ours, theirs) = tokio::join!(ours, theirs);
        let (winner, loser) = match (ours, theirs) {
            (Ok(revision), Err(error)) => ((revision, 1), error),
            (Err(error), Ok(revision)) => ((revision, 2), error),
            both => panic!("{both:?}"),
        };
        assert_eq!(winner.0, round + 1);
        assert_eq!(loser.kind(), StoreErrorKind::Conflict, "{loser}");
        let stored = store.get(&key("a")).await.unwrap().unwrap();
        assert_eq!(
            stored.entry.value,
            document(&format!("{round}-{}", winner.1))
        );
    }
    assert_eq!(store.history(0).await.unwrap().len(), 20);
}

#[tokio::test]
async fn writers_that_expect_nothing_all_get_through() {
    let (cluster, store) = store().await;
    let writers = (0..8).map(|writer| {
        let store = if writer % 2 == 0 {
            store.clone()
        } else {
            etcd(cluster.endpoints())
        };
        tokio::spawn(async move {
            for n in 0..5 {
                let change = put(&format!("{writer}-{n}"), "1");
                store.commit(None, vec![edit([change])]).await.unwrap();
            }
        })
    });
    for written in futures_util::future::join_all(writers.collect::<Vec<_>>()).await {
        written.unwrap();
    }
    let listing = store.list(None).await.unwrap();
    assert_eq!((listing.revision, listing.entries.len()), (40, 40));
}

#[tokio::test]
async fn history_tells_who_did_what_and_keeps_a_thousand() {
    let (cluster, store) = store().await;
    let reset = Change::Reset(vec![Entry::new(Kind::ApiKey, "c", document("1"))]);
    for changes in [
        vec![put("a", "1")],
        vec![put("a", "1")],
        vec![put("a", "2"), put("b", "1")],
        vec![reset],
    ] {
        store.commit(None, vec![edit(changes)]).await.unwrap();
    }
    let records = store.history(0).await.unwrap();
    let told: Vec<_> = records
        .iter()
        .map(|record| {
            let changes = record.changes.iter();
            let changes = changes.map(|it| (&*it.key.id, it.before.is_some(), it.after.is_some()));
            (record.revision, changes.collect::<Vec<_>>())
        })
        .collect();
    let expected = vec![
        (1, vec![("a", false, true)]),
        (2, vec![]),
        (3, vec![("a", true, true), ("b", false, true)]),
        (
            4,
            vec![("a", true, false), ("b", true, false), ("c", false, true)],
        ),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        (records[0].by.as_str(), records[0].at),
        ("tester", Timestamp::UNIX_EPOCH)
    );
    assert_eq!(records[2].changes[0].before, Some(document("1")));
    assert_eq!(store.history(3).await.unwrap().len(), 1);

    for hundred in 0..12 {
        let many = (0..100).map(|n| edit([put("a", &format!("{hundred}-{n}"))]));
        store.commit(None, many.collect()).await.unwrap();
    }
    let records = store.history(0).await.unwrap();
    assert_eq!((records.len(), records[0].revision), (1_000, 205));
    assert!(
        records
            .windows(2)
            .all(|two| two[0].revision + 1 == two[1].revision)
    );
    let mut client = cluster.client().await;
    let kept = GetOptions::new().with_prefix().with_count_only();
    let kept = client
        .get("/aisix-meta/history/", Some(kept))
        .await
        .unwrap();
    assert_eq!(
        kept.count(),
        10,
        "each commit's in one value, the old ones gone"
    );
}

#[tokio::test]
async fn too_much_at_once_is_refused_and_nothing_is_written() {
    let (_cluster, store) = store().await;
    assert_eq!(store.most_at_once(), 62);
    let some = (0..62).map(|n| put(&n.to_string(), "1"));
    assert_eq!(store.commit(Some(0), vec![edit(some)]).await.unwrap(), 1);
    let many = (0..63).map(|n| put(&n.to_string(), "2"));
    let error = store.commit(Some(1), vec![edit(many)]).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    assert_eq!(
        error.to_string(),
        "63 resources are too many for one transaction of etcd, which takes 128 operations"
    );
    let large = json!({"key_hash": "x".repeat(2 * 1024 * 1024)});
    let large = Change::Put(Entry::new(Kind::ApiKey, "0", large));
    let error = store
        .commit(Some(1), vec![edit([large])])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::TooLarge);
    let said = error.to_string();
    let (start, rest) = said.split_once(": ").unwrap();
    assert_eq!(start, "too large for one transaction of etcd");
    // The document, and once more in the history.
    assert!(rest.starts_with("4194"), "{said}");
    let stored = store.get(&key("0")).await.unwrap().unwrap();
    assert_eq!(
        (stored.entry.revision, stored.entry.value),
        (1, document("1"))
    );
}

#[tokio::test]
async fn what_others_have_written_is_seen_and_has_another_revision() {
    let (cluster, store) = store().await;
    let mut client = cluster.client().await;
    store
        .commit(None, vec![edit([put("a", "1")])])
        .await
        .unwrap();
    let before = store.get(&key("a")).await.unwrap().unwrap();
    let value = document("2").to_string();
    client.put("/aisix/api_keys/a", value, None).await.unwrap();
    let after = store.get(&key("a")).await.unwrap().unwrap();
    assert_eq!(after.entry.value, document("2"));
    assert_eq!((before.created, after.created), (1, 1));
    assert_ne!(after.entry.revision, before.entry.revision);
    store
        .commit(Some(1), vec![edit([put("a", "3")])])
        .await
        .unwrap();
    let records = store.history(1).await.unwrap();
    assert_eq!(records[0].changes[0].before, Some(document("2")));
    assert_eq!(
        store.get(&key("a")).await.unwrap().unwrap().entry.revision,
        2
    );
}

#[tokio::test]
async fn a_moment_tells_what_was_written_past_the_store() {
    let (cluster, store) = store().await;
    let mut client = cluster.client().await;
    let commit = async |text| {
        let edits = ["a", "b"].map(|id| edit([put(id, text)]));
        store.commit(None, edits.into()).await.unwrap()
    };
    let before = store.moment().await.unwrap();
    let revision = commit("1").await;
    let after = store.moment_after(before, revision);
    assert_eq!(after, Some(store.moment().await.unwrap()));
    assert!(after > Some(before));
    // Somebody else comes between, or afterwards.
    let before = store.moment().await.unwrap();
    client.put("/aisix/api_keys/c", "{}", None).await.unwrap();
    let revision = commit("2").await;
    assert_eq!(store.moment_after(before, revision), None);
    let before = store.moment().await.unwrap();
    client.delete("/aisix/api_keys/c", None).await.unwrap();
    assert_ne!(store.moment().await.unwrap(), before);
    assert_eq!(store.revision().await.unwrap(), revision);
}

#[tokio::test]
async fn writing_to_the_first_generation_brings_it_up_to_date() {
    let (cluster, store) = store().await;
    let mut client = cluster.client().await;
    let model =
        json!({"name": "m", "model": "openai/gpt-4o", "provider_config": {"api_key": "sk"}});
    client
        .put("/aisix/models/m", model.to_string(), None)
        .await
        .unwrap();
    let first = json!({"key": "sk-1", "allowed_models": ["*"]}).to_string();
    client
        .put("/aisix/apikeys/k", first.clone(), None)
        .await
        .unwrap();
    client
        .put("/aisix/apikeys/gone", first, None)
        .await
        .unwrap();
    let mut changes = pin!(store.changes());
    assert_eq!(
        told(&next(&mut changes).await),
        "= provider_keys/model-m models/m api_keys/gone api_keys/k"
    );

    assert_eq!(
        store.get(&key("k")).await.unwrap().unwrap().entry.value["key_hash"],
        document("sk-1")["key_hash"]
    );
    let keys = store.list(Some(Kind::ProviderKey)).await.unwrap();
    let provider_key = keys.entries[0].entry.clone();
    let models = store.list(Some(Kind::Model)).await.unwrap();
    let mut model = models.entries[0].entry.clone();
    assert_eq!(model.value["provider_key_id"], *provider_key.key.id);
    model.value["timeout"] = 1_000.into();
    let changed = edit([
        Change::Put(model.clone()),
        put("k", "sk-2"),
        Change::Delete(key("gone")),
    ]);
    store.commit(Some(0), vec![changed]).await.unwrap();
    let change = told(&next(&mut changes).await);
    for part in [
        "+models/m",
        "+provider_keys/model-m",
        "+api_keys/k",
        "-api_keys/gone",
    ] {
        assert!(change.contains(part), "{change}");
    }

    let all = GetOptions::new().with_prefix().with_keys_only();
    let all = client.get("/aisix/", Some(all)).await.unwrap();
    let names: Vec<_> = all.kvs().iter().map(|it| it.key_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "/aisix/api_keys/k",
            "/aisix/models/m",
            "/aisix/provider_keys/model-m"
        ]
    );
    let kept = store.get(&provider_key.key).await.unwrap().unwrap();
    assert_eq!(kept.entry.value, provider_key.value);
    assert_eq!(
        store.get(&model.key).await.unwrap().unwrap().entry.value,
        model.value
    );
}
