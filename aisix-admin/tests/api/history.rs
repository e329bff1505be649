//! What was done, and how it is undone.

use aisix_core::config::{Change, ConfigStore, Entry, Kind, store::Edit};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::ask::*;

#[tokio::test]
async fn history_tells_who_when_and_what() {
    let desk = Desk::new().with_model().await;
    desk.ask(
        "PATCH",
        "/aisix/admin/provider_keys/up",
        json!({"api_key": "sk-rotated-0123456789-last"}),
    )
    .await;
    desk.ask("DELETE", "/aisix/admin/models/m", Value::Null)
        .await;
    let history = desk.get("/aisix/admin/history").await.json;
    assert_eq!(history["total"], 4);
    let [deleted, patched, _, created] = history["list"].as_array().unwrap().as_slice() else {
        panic!("{history}")
    };
    assert_eq!(deleted["changes"][0]["action"], "delete");
    assert_eq!(patched["revision"], 3);
    assert_eq!(
        patched["changes"],
        json!([{"key": "/provider_keys/up", "action": "update",
        "diff": [{"path": "api_key", "before": "***6789", "after": "***last"}]}])
    );
    let diff = created["changes"][0]["diff"].as_array().unwrap();
    assert!(
        diff.contains(&json!({"path": "display_name", "after": "up"})),
        "{diff:?}"
    );
    for record in history["list"].as_array().unwrap() {
        let by = record["by"].as_str().unwrap();
        assert!(by.len() == 8 && !ADMIN_KEY.contains(by), "{by}");
        let at: Timestamp = record["at"].as_str().unwrap().parse().unwrap();
        assert!((Timestamp::now() - at).get_seconds() < 60);
    }
    let page = desk
        .get("/aisix/admin/history?page=2&page_size=3")
        .await
        .json;
    assert_eq!(
        (&page["total"], &page["list"][0]["revision"]),
        (&json!(4), &json!(1))
    );
}

#[tokio::test]
async fn rollback_brings_a_revision_back_and_is_a_change_itself() {
    let desk = Desk::new().with_model().await;
    let before = desk.store.list(None).await.unwrap();
    desk.ask(
        "PATCH",
        "/aisix/admin/provider_keys/up",
        json!({"api_key": "sk-other-0123456789"}),
    )
    .await;
    desk.ask("DELETE", "/aisix/admin/models/m", Value::Null)
        .await;
    desk.ask("POST", "/aisix/admin/models", model("m", "up"))
        .await;

    let path = "/aisix/admin/rollback";
    let dry = desk
        .ask(
            "POST",
            &format!("{path}?dry_run=true"),
            json!({"revision": 2}),
        )
        .await;
    assert_eq!(
        (dry.status, dry.json["changes"].as_array().unwrap().len()),
        (200, 3),
        "{dry:?}"
    );
    assert_eq!(desk.store.revision().await.unwrap(), 5);

    let back = desk.ask("POST", path, json!({"revision": 2})).await;
    assert_eq!(
        (back.status, &back.json["revision"]),
        (200, &json!(6)),
        "{back:?}"
    );
    assert!(!back.text.contains(SECRET), "{back:?}");
    let after = desk.store.list(None).await.unwrap();
    let documents = |listing: &aisix_core::config::store::Listing| -> Vec<_> {
        listing
            .entries
            .iter()
            .map(|it| (it.entry.key.clone(), it.entry.value.clone()))
            .collect()
    };
    assert_eq!(documents(&after), documents(&before));

    // The rollback can be rolled back, and names are known again.
    let again = desk.ask("POST", path, json!({"revision": 5})).await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(
        desk.ask("POST", "/aisix/admin/models", model("m", "up"))
            .await
            .status,
        409
    );
    // To the very beginning.
    assert_eq!(
        desk.ask("POST", path, json!({"revision": 0})).await.status,
        200
    );
    assert!(desk.store.list(None).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn a_rollback_that_cannot_be_says_why() {
    let desk = Desk::new().with_model().await;
    let path = "/aisix/admin/rollback";
    for (body, status, message) in [
        (
            json!({}),
            400,
            "`revision` must be the number of a revision",
        ),
        (json!({"revision": "2"}), 400, "`revision`"),
        (
            json!({"revision": 1, "force": true}),
            400,
            "`force` is not a known field",
        ),
        (
            json!({"revision": 99}),
            404,
            "there is no revision 99 yet: the last one is 2",
        ),
    ] {
        let answer = desk.ask("POST", path, body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.message().contains(message), "{answer:?}");
    }
    let now = desk.ask("POST", path, json!({"revision": 2})).await;
    assert_eq!(
        (now.status, &now.json["changes"]),
        (200, &json!([])),
        "nothing to do"
    );

    let edits = (0..1_000).map(|n| Edit {
        changes: vec![Change::Put(Entry::new(
            Kind::Model,
            "m",
            model(&format!("m{n}"), "up"),
        ))],
        by: "test".to_owned(),
        at: Timestamp::now(),
    });
    desk.store.commit(None, edits.collect()).await.unwrap();
    let gone = desk.ask("POST", path, json!({"revision": 1})).await;
    assert_eq!(
        (gone.status, gone.message()),
        (404, "revision 1 is gone: the last 1000 changes are kept")
    );
    assert_eq!(
        desk.ask("POST", path, json!({"revision": 2})).await.status,
        200
    );
}

#[tokio::test]
async fn a_clock_that_jumps_reorders_nothing() {
    let desk = Desk::new();
    let now = Timestamp::now();
    let clock = [now, Timestamp::MAX, Timestamp::MIN, now];
    for (n, at) in clock.into_iter().enumerate() {
        let entry = Entry::new(Kind::ProviderKey, "up", provider_key(&n.to_string()));
        let by = "a clock".to_owned();
        let changes = vec![Change::Put(entry)];
        let edit = Edit { changes, by, at };
        desk.store.commit(None, vec![edit]).await.unwrap();
    }
    let history = desk.get("/aisix/admin/history").await.json;
    let told = history["list"].as_array().unwrap().iter().map(|record| {
        let at: Timestamp = record["at"].as_str().unwrap().parse().unwrap();
        (record["revision"].as_u64().unwrap(), at)
    });
    let wanted = (1..).zip(clock).collect::<Vec<_>>().into_iter().rev();
    assert_eq!(told.collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
    // To before the jumps.
    let body = json!({"revision": 1});
    let back = desk.ask("POST", "/aisix/admin/rollback", body).await;
    assert_eq!(back.status, 200, "{back:?}");
    let up = desk.get("/aisix/admin/provider_keys/up").await.json;
    assert_eq!(up["value"]["display_name"], "0");
}
