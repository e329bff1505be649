//! API keys: told once, kept as a hash, rotated.

use aisix_core::config::KeyHash;
use serde_json::{Value, json};

use crate::ask::*;

#[tokio::test]
async fn a_generated_key_is_told_once() {
    let desk = Desk::new();
    let created = desk
        .ask(
            "POST",
            "/aisix/admin/api_keys",
            json!({"allowed_models": ["*"]}),
        )
        .await;
    assert_eq!(created.status, 201, "{created:?}");
    let plaintext = created.json["plaintext"].as_str().unwrap();
    assert!(
        plaintext.len() == 35 && plaintext.starts_with("sk-"),
        "{plaintext}"
    );
    assert_eq!(
        created.json["value"]["key_hash"],
        KeyHash::of(plaintext).to_hex()
    );
    for path in [
        "/aisix/admin/api_keys",
        "/aisix/admin/history",
        "/admin/v1/api_keys",
    ] {
        let text = desk.get(path).await.text;
        assert!(
            !text.contains(plaintext) && !text.contains("plaintext"),
            "{text}"
        );
    }
    let other = desk
        .ask(
            "POST",
            "/aisix/admin/api_keys",
            json!({"allowed_models": ["*"]}),
        )
        .await;
    assert_ne!(other.json["plaintext"], created.json["plaintext"]);
}

#[tokio::test]
async fn the_first_generations_name_and_form_are_kept_as_a_hash() {
    let desk = Desk::new();
    let body = json!({"key": "sk-given", "allowed_models": ["m"], "rate_limit": {"rpm": 5}});
    let created = desk.ask("POST", "/aisix/admin/apikeys", body.clone()).await;
    assert_eq!(
        (created.status, &created.json["plaintext"]),
        (201, &json!("sk-given"))
    );
    assert_eq!(created.json["key"], format!("/apikeys/{}", created.id()));
    let expected = json!({"allowed_models": ["m"], "rate_limit": {"rpm": 5}, "key_hash": KeyHash::of("sk-given").to_hex()});
    assert_eq!(created.json["value"], expected);
    let by_both = [
        format!("/aisix/admin/api_keys/{}", created.id()),
        format!("/aisix/admin/apikeys/{}", created.id()),
    ];
    for path in &by_both {
        assert_eq!(desk.get(path).await.json["value"], expected);
    }
    let twice = desk.ask("POST", "/aisix/admin/apikeys", body).await;
    assert_eq!(
        (twice.status, &twice.json["field"]),
        (409, &json!("key_hash"))
    );
    assert_eq!(
        twice.message(),
        format!(
            "API key already exists: it is that of api_keys/{}",
            created.id()
        )
    );

    // Replacing the rest keeps the key; a new one takes its place.
    let put = desk
        .ask("PUT", &by_both[1], json!({"allowed_models": []}))
        .await;
    assert_eq!(
        put.json["value"],
        json!({"allowed_models": [], "key_hash": KeyHash::of("sk-given").to_hex()})
    );
    let put = desk
        .ask(
            "PUT",
            &by_both[1],
            json!({"allowed_models": [], "key": "sk-new"}),
        )
        .await;
    assert_eq!(
        put.json["value"]["key_hash"],
        KeyHash::of("sk-new").to_hex()
    );
    for bad in [json!(5), json!(""), json!("with space"), json!("ü")] {
        let answer = desk.ask("PATCH", &by_both[0], json!({"key": bad})).await;
        assert_eq!((answer.status, &answer.json["field"]), (400, &json!("key")));
    }
    let both = json!({"key": "a", "key_hash": KeyHash::of("b").to_hex(), "allowed_models": []});
    assert_eq!(
        desk.ask("POST", "/aisix/admin/apikeys", both).await.status,
        400
    );
}

#[tokio::test]
async fn rotation_gives_a_new_key_and_keeps_the_old_one_for_a_while() {
    let desk = Desk::new();
    let created = desk
        .ask(
            "POST",
            "/aisix/admin/api_keys",
            json!({"key": "sk-old", "allowed_models": []}),
        )
        .await;
    let path = format!("/aisix/admin/api_keys/{}/rotate", created.id());
    let begin = jiff::Timestamp::now();
    let rotated = desk.ask("POST", &path, json!({"grace_seconds": 60})).await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let new = rotated.json["plaintext"].as_str().unwrap();
    let value = &rotated.json["value"];
    assert_eq!(value["key_hash"], KeyHash::of(new).to_hex());
    assert_eq!(value["previous_key_hash"], KeyHash::of("sk-old").to_hex());
    let end: jiff::Timestamp = value["previous_expires_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let seconds = (end - begin).get_seconds();
    assert!((59..=120).contains(&seconds), "{seconds}");

    // Nobody else may have either of them.
    for taken in ["sk-old", new] {
        let answer = desk
            .ask(
                "POST",
                "/aisix/admin/api_keys",
                json!({"key": taken, "allowed_models": []}),
            )
            .await;
        assert_eq!(answer.status, 409, "{answer:?}");
    }
    // Without a body there is a default, and zero cuts the old one off.
    let rotated = desk.ask("POST", &path, Value::Null).await;
    assert!(
        rotated.json["value"]["previous_expires_at"].is_string(),
        "{rotated:?}"
    );
    let rotated = desk
        .ask("POST", &path, json!({"grace_seconds": 0, "key": "sk-mine"}))
        .await;
    assert_eq!(rotated.json["plaintext"], "sk-mine");
    assert_eq!(
        rotated.json["value"],
        json!({"allowed_models": [], "key_hash": KeyHash::of("sk-mine").to_hex()})
    );
    for bad in [
        json!({"grace_seconds": -1}),
        json!({"grace_seconds": 99_999_999}),
        json!({"grace": 5}),
        json!({"key": 5}),
    ] {
        assert_eq!(desk.ask("POST", &path, bad).await.status, 400);
    }
    assert_eq!(
        desk.ask("POST", "/aisix/admin/api_keys/nobody/rotate", json!({}))
            .await
            .status,
        404
    );
    assert_eq!(
        desk.ask("POST", "/aisix/admin/models/nobody/rotate", json!({}))
            .await
            .status,
        404
    );
}
