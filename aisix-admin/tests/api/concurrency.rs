//! Several administrators at a time.

use std::collections::BTreeSet;

use aisix_core::config::{Change, ConfigStore, Entry, Kind, store::Edit};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::ask::*;

#[tokio::test]
async fn who_has_read_an_older_state_does_not_overwrite_a_newer_one() {
    let desk = Desk::new().with_model().await;
    let path = "/aisix/admin/models/m";
    let read = desk.get(path).await;
    let seen = [("if-match", read.etag())];
    let first = desk
        .ask_if("PATCH", path, json!({"timeout": 1}), &seen)
        .await;
    assert_eq!(first.status, 200, "{first:?}");
    for (method, body) in [
        ("PATCH", json!({"timeout": 2})),
        ("PUT", model("m", "up")),
        ("DELETE", Value::Null),
    ] {
        let late = desk.ask_if(method, path, body, &seen).await;
        assert_eq!(late.status, 412, "{late:?}");
        assert_eq!(
            late.message(),
            format!("the resource has changed: its ETag is {}", first.etag())
        );
    }
    let now = [("if-match", first.etag())];
    assert_eq!(
        desk.ask_if("DELETE", path, Value::Null, &now).await.status,
        200
    );
    let any = [("if-match", "*")];
    assert_eq!(
        desk.ask_if("PUT", path, model("m", "up"), &any)
            .await
            .status,
        412,
        "it is gone"
    );
    let none = [("if-none-match", "*")];
    assert_eq!(
        desk.ask_if("PUT", path, model("m", "up"), &none)
            .await
            .status,
        201
    );
    assert_eq!(
        desk.ask_if("PUT", path, model("m", "up"), &none)
            .await
            .status,
        412
    );
    let unchanged = [("if-none-match", desk.get(path).await.etag().to_owned())];
    let unchanged = [(unchanged[0].0, unchanged[0].1.as_str())];
    assert_eq!(
        desk.ask_if("GET", path, Value::Null, &unchanged)
            .await
            .status,
        304
    );
}

#[tokio::test]
async fn of_two_who_want_one_name_one_gets_it() {
    let desk = Desk::new().with_model().await;
    let asked = (0..20).map(|_| desk.ask("POST", "/aisix/admin/models", model("wanted", "up")));
    let mut statuses: Vec<u16> = join_all(asked).await.iter().map(|it| it.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201);
    assert!(
        statuses[1..].iter().all(|status| *status == 409),
        "{statuses:?}"
    );
}

#[tokio::test]
async fn increments_by_etag_are_never_lost() {
    let desk = Desk::new().with_model().await;
    let path = "/aisix/admin/models/m";
    desk.ask("PATCH", path, json!({"timeout": 0})).await;
    let increments = (0..8).map(|_| async {
        for _ in 0..5 {
            loop {
                let read = desk.get(path).await;
                let next = read.json["value"]["timeout"].as_u64().unwrap() + 1;
                let seen = [("if-match", read.etag())];
                let answer = desk
                    .ask_if("PATCH", path, json!({"timeout": next}), &seen)
                    .await;
                if answer.status == 200 {
                    break;
                }
                assert_eq!(answer.status, 412, "{answer:?}");
            }
        }
    });
    join_all(increments).await;
    assert_eq!(desk.get(path).await.json["value"]["timeout"], 40);
}

#[tokio::test]
async fn writes_that_come_together_are_each_their_own_revision() {
    let desk = Desk::new().with_model().await;
    let asked = (0..200).map(|n| {
        let body = json!({"key": format!("sk-{n}"), "allowed_models": []});
        desk.ask("POST", "/aisix/admin/api_keys", body)
    });
    let answers = join_all(asked).await;
    assert!(answers.iter().all(|answer| answer.status == 201));
    let tags: BTreeSet<&str> = answers.iter().map(Answer::etag).collect();
    assert_eq!(tags.len(), 200);
    for answer in &answers {
        let got = desk
            .get(&format!("/aisix/admin/api_keys/{}", answer.id()))
            .await;
        assert_eq!(got.etag(), answer.etag());
    }
    assert_eq!(desk.store.revision().await.unwrap(), 202);
}

#[tokio::test]
async fn what_another_writer_does_to_the_store_is_seen() {
    let desk = Desk::new().with_model().await;
    let other = Entry::new(Kind::Model, "other", model("theirs", "up"));
    let edit = Edit {
        changes: vec![Change::Put(other)],
        by: "import".to_owned(),
        at: jiff::Timestamp::now(),
    };
    desk.store.commit(None, vec![edit]).await.unwrap();
    let answer = desk
        .ask("POST", "/aisix/admin/models", model("theirs", "up"))
        .await;
    assert_eq!(
        (answer.status, answer.message()),
        (
            409,
            "display_name \"theirs\" is already in use by models/other"
        )
    );
    let answer = desk
        .ask("POST", "/aisix/admin/models", model("ours", "up"))
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
}

#[tokio::test]
async fn of_two_that_have_one_name_each_can_be_changed_and_nobody_else_gets_it() {
    let desk = Desk::new().with_model().await;
    let twin = |id| Change::Put(Entry::new(Kind::Model, id, model("twin", "up")));
    let edit = Edit {
        changes: vec![twin("a"), twin("b")],
        by: "somebody else".to_owned(),
        at: jiff::Timestamp::now(),
    };
    desk.store.commit(None, vec![edit]).await.unwrap();
    let merge = async |id: &str, patch| {
        let path = format!("/aisix/admin/models/{id}");
        desk.ask("PATCH", &path, patch).await
    };
    for id in ["a", "b"] {
        assert_eq!(merge(id, json!({"timeout": 1})).await.status, 200, "{id}");
    }
    let refused = merge("m", json!({"display_name": "twin"})).await;
    assert_eq!(refused.status, 409);
    assert!(refused.message().contains("models/a"), "{refused:?}");
    desk.ask("DELETE", "/aisix/admin/models/a", Value::Null)
        .await;
    let made = desk
        .ask("POST", "/aisix/admin/models", model("twin", "up"))
        .await;
    assert_eq!(made.status, 409, "the other one still has it");
    assert!(made.message().contains("models/b"), "{made:?}");
    assert_eq!(
        merge("b", json!({"display_name": "free"})).await.status,
        200
    );
    let made = desk
        .ask("POST", "/aisix/admin/models", model("twin", "up"))
        .await;
    assert_eq!(made.status, 201, "{made:?}");
}

#[tokio::test]
async fn a_client_that_leaves_takes_nobody_with_it() {
    let desk = Desk::new().with_model().await;
    for n in 0..50 {
        let stay = desk.ask(
            "POST",
            "/aisix/admin/models",
            model(&format!("stay-{n}"), "up"),
        );
        let leave = desk.ask(
            "POST",
            "/aisix/admin/models",
            model(&format!("leave-{n}"), "up"),
        );
        let left = async {
            tokio::select! {
                biased;
                _ = leave => {}
                () = tokio::task::yield_now() => {}
            }
        };
        let (stayed, ()) = tokio::join!(stay, left);
        assert_eq!(stayed.status, 201, "{stayed:?}");
    }
}
