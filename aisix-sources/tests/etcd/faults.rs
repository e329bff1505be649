//! What happens to etcd, and to the way there.

use std::pin::pin;

use aisix_core::config::{Change, ConfigStore};
use futures_util::StreamExt;
use serde_json::json;

use crate::{cluster::Cluster, document, etcd, next, next_error, proxy::Line, told, within};

#[tokio::test]
async fn etcd_is_stopped_and_started_again() {
    let mut cluster = Cluster::one().await;
    let mut client = cluster.client().await;
    let etcd = etcd(cluster.endpoints());
    let mut changes = pin!(etcd.changes());
    assert_eq!(told(&next(&mut changes).await), "=");

    assert!(matches!(changes.next().await, Some(Ok(Change::At(_)))));
    assert!(etcd.standing().is_connected);

    cluster.kill(0);
    let said = next_error(&mut changes).await;
    assert!(said.contains("trying again"), "{said}");
    assert!(!etcd.standing().is_connected);
    assert!(etcd.revision().await.is_err());
    cluster.restart(0);
    let writing = async {
        client = cluster.client().await;
        client.put("/aisix/api_keys/a", "{}", None).await.unwrap();
    };
    // It goes on where it was.
    let (change, ()) = tokio::join!(next(&mut changes), writing);
    assert_eq!(told(&change), "+api_keys/a");
    assert!(etcd.standing().is_connected);
    assert_eq!(etcd.list(None).await.unwrap().entries.len(), 1);
}

#[tokio::test]
async fn etcd_that_stands_still_is_noticed() {
    let cluster = Cluster::one().await;
    let mut client = cluster.client().await;
    let etcd = etcd(cluster.endpoints());
    let mut changes = pin!(etcd.changes());
    next(&mut changes).await;

    cluster.pause(0);
    let said = next_error(&mut changes).await;
    assert!(said.contains("trying again"), "{said}");
    cluster.resume(0);
    let writing = client.put("/aisix/api_keys/a", "{}", None);
    let (change, written) = tokio::join!(next(&mut changes), writing);
    written.unwrap();
    assert_eq!(told(&change), "+api_keys/a");
}

#[tokio::test]
async fn a_quiet_watch_is_kept() {
    let cluster = Cluster::one().await;
    let mut client = cluster.client().await;
    let etcd = etcd(cluster.endpoints());
    let mut changes = pin!(etcd.changes());
    next(&mut changes).await;
    assert!(matches!(changes.next().await, Some(Ok(Change::At(_)))));
    // Several times as long as it takes to notice that nobody is there.
    let quiet = std::time::Duration::from_secs(4);
    let nothing = tokio::time::timeout(quiet, changes.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    client.put("/aisix/api_keys/a", "{}", None).await.unwrap();
    let change = within("a change", changes.next()).await.unwrap();
    assert_eq!(told(&change.unwrap()), "+api_keys/a");
}

#[tokio::test]
async fn what_was_missed_is_made_up_for() {
    let cluster = Cluster::one().await;
    let mut client = cluster.client().await;
    let line = Line::to(&cluster.endpoints()[0]).await;
    let etcd = etcd(vec![line.endpoint()]);
    let mut changes = pin!(etcd.changes());
    assert_eq!(told(&next(&mut changes).await), "=");

    line.cut();
    next_error(&mut changes).await;
    // More than etcd tells in one message.
    for n in 0..5 {
        let key = format!("/aisix/api_keys/{n}");
        let large = json!({"key_hash": "x".repeat(1024 * 1024)}).to_string();
        client.put(key, large, None).await.unwrap();
    }
    line.mend();
    for n in 0..5 {
        assert_eq!(told(&next(&mut changes).await), format!("+api_keys/{n}"));
    }
}

#[tokio::test]
async fn what_was_missed_and_compacted_is_read_again() {
    let cluster = Cluster::one().await;
    let mut client = cluster.client().await;
    let line = Line::to(&cluster.endpoints()[0]).await;
    let etcd = etcd(vec![line.endpoint()]);
    let mut changes = pin!(etcd.changes());
    client.put("/aisix/api_keys/a", "{}", None).await.unwrap();
    assert_eq!(told(&next(&mut changes).await), "= api_keys/a");

    line.cut();
    next_error(&mut changes).await;
    client.delete("/aisix/api_keys/a", None).await.unwrap();
    client.put("/aisix/api_keys/b", "{}", None).await.unwrap();
    let last = client.put("/aisix/api_keys/c", "{}", None).await.unwrap();
    let revision = last.header().unwrap().revision();
    client.compact(revision, None).await.unwrap();
    line.mend();
    assert_eq!(told(&next(&mut changes).await), "= api_keys/b api_keys/c");
    client.put("/aisix/api_keys/d", "{}", None).await.unwrap();
    assert_eq!(told(&next(&mut changes).await), "+api_keys/d");
}

#[tokio::test]
async fn another_etcd_in_the_same_place_is_read_from_the_start() {
    let mut cluster = Cluster::one().await;
    let mut client = cluster.client().await;
    let value = document("1").to_string();
    for id in ["a", "b"] {
        let key = format!("/aisix/api_keys/{id}");
        client.put(key, value.clone(), None).await.unwrap();
    }
    let etcd = etcd(cluster.endpoints());
    let mut changes = pin!(etcd.changes());
    assert_eq!(told(&next(&mut changes).await), "= api_keys/a api_keys/b");

    cluster.kill(0);
    next_error(&mut changes).await;
    cluster.empty(0);
    cluster.restart(0);
    assert_eq!(told(&next(&mut changes).await), "=");
}

#[tokio::test]
async fn a_cluster_that_loses_its_leader_is_followed() {
    let mut cluster = Cluster::three().await;
    let etcd = etcd(cluster.endpoints());
    let mut changes = pin!(etcd.changes());
    assert_eq!(told(&next(&mut changes).await), "=");
    // Each in turn, so that it is the one that is watched too.
    for round in 0..3 {
        let leader = cluster.leader().await;
        cluster.kill(leader);
        let writing = async {
            let mut client = within("a client", cluster.connect((leader + 1) % 3)).await;
            let key = format!("/aisix/api_keys/{round}");
            client.put(key, "{}", None).await.unwrap();
        };
        let (change, ()) = tokio::join!(next(&mut changes), writing);
        assert_eq!(told(&change), format!("+api_keys/{round}"));
        let listing = within("a listing", etcd.list(None)).await.unwrap();
        assert_eq!(listing.entries.len(), round + 1);
        cluster.restart(leader);
    }
}

#[tokio::test]
async fn a_member_that_stands_still_is_left_for_another() {
    let cluster = Cluster::three().await;
    let etcd = etcd(cluster.endpoints());
    let mut changes = pin!(etcd.changes());
    assert_eq!(told(&next(&mut changes).await), "=");
    for member in 0..3 {
        cluster.pause(member);
        let writing = async {
            let mut client = within("a client", cluster.connect((member + 1) % 3)).await;
            let key = format!("/aisix/api_keys/{member}");
            client.put(key, "{}", None).await.unwrap();
        };
        let (change, ()) = tokio::join!(next(&mut changes), writing);
        assert_eq!(told(&change), format!("+api_keys/{member}"));
        assert!(within("a listing", etcd.list(None)).await.is_ok());
        cluster.resume(member);
    }
}
