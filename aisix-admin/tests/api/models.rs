//! Models in one document.

use aisix_core::config::{ConfigStore, Key, Kind};
use serde_json::{Value, json};

use crate::ask::*;

fn one_document() -> Value {
    json!({"name": "gpt", "model": "openai/gpt-4o", "timeout": 5000,
        "provider_config": {"api_key": SECRET, "api_base": "http://127.0.0.1:9/v1"}})
}

#[tokio::test]
async fn one_document_makes_a_model_and_its_key() {
    let desk = Desk::new();
    let created = desk
        .ask("POST", "/aisix/admin/models", one_document())
        .await;
    assert_eq!(created.status, 201, "{created:?}");
    let own = format!("model-{}", created.id());
    let expected = json!({"timeout": 5000, "display_name": "gpt", "provider": "openai",
        "model_name": "gpt-4o", "provider_key_id": own});
    assert_eq!(created.json["value"], expected);
    let key = desk
        .get(&format!("/aisix/admin/provider_keys/{own}"))
        .await
        .json;
    assert_eq!(
        key["value"],
        json!({"api_key": "***6789", "api_base": "http://127.0.0.1:9/v1", "display_name": "gpt"})
    );
    // One edit, so that nobody ever saw the one without the other.
    let history = desk.get("/aisix/admin/history").await.json;
    assert_eq!(
        (
            &history["total"],
            history["list"][0]["changes"].as_array().unwrap().len()
        ),
        (&json!(1), 2)
    );

    // Patching the config changes the key; the secret goes nowhere else.
    let path = format!("/aisix/admin/models/{}", created.id());
    let patch =
        json!({"model": "openai/gpt-5", "provider_config": {"api_base": "http://127.0.0.1:10"}});
    assert_eq!(
        desk.ask("PATCH", &path, patch).await.json["value"]["model_name"],
        "gpt-5"
    );
    let id = Key {
        kind: Kind::ProviderKey,
        id: own.as_str().into(),
    };
    let stored = desk.store.get(&id).await.unwrap().unwrap().entry.value;
    assert_eq!(
        (&stored["api_key"], &stored["api_base"]),
        (&json!(SECRET), &json!("http://127.0.0.1:10"))
    );
    // Replacing the model without the config keeps its key.
    let put = desk
        .ask(
            "PUT",
            &path,
            json!({"name": "gpt", "model": "openai/gpt-6"}),
        )
        .await;
    assert_eq!(
        (put.status, &put.json["value"]["provider_key_id"]),
        (200, &json!(own)),
        "{put:?}"
    );

    assert_eq!(
        desk.ask("DELETE", &path, Value::Null).await.json["deleted"],
        1
    );
    assert!(
        desk.store.list(None).await.unwrap().entries.is_empty(),
        "the key goes with its model"
    );
}

#[tokio::test]
async fn a_model_that_becomes_a_group_loses_its_key() {
    let group = |target: &str| json!({"targets": [{"model": target}]});
    let desk = Desk::new().with_model().await;
    for (method, document) in [
        ("PUT", json!({"display_name": "gpt", "routing": group("m")})),
        (
            "PATCH",
            json!({"routing": group("m"), "provider": null, "model_name": null, "provider_key_id": null}),
        ),
    ] {
        let created = desk
            .ask("POST", "/aisix/admin/models", one_document())
            .await;
        let own = format!("/aisix/admin/provider_keys/model-{}", created.id());
        assert_eq!(desk.get(&own).await.status, 200);
        let path = format!("/aisix/admin/models/{}", created.id());
        let answer = desk.ask(method, &path, document).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(desk.get(&own).await.status, 404);
        assert_eq!(desk.ask("DELETE", &path, Value::Null).await.status, 200);
    }
}

#[tokio::test]
async fn a_key_that_others_use_too_stays() {
    let desk = Desk::new();
    let created = desk
        .ask("POST", "/aisix/admin/models", one_document())
        .await;
    let own = created.json["value"]["provider_key_id"].as_str().unwrap();
    desk.ask("POST", "/aisix/admin/models", model("other", own))
        .await;
    let path = format!("/aisix/admin/models/{}", created.id());
    assert_eq!(desk.ask("DELETE", &path, Value::Null).await.status, 200);
    assert_eq!(
        desk.get(&format!("/aisix/admin/provider_keys/{own}"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn what_is_wrong_with_one_document_is_told_by_the_names_that_were_sent() {
    let desk = Desk::new();
    let with = |member: &str, value: Value| {
        let mut document = one_document();
        document[member] = value;
        document
    };
    for (document, field) in [
        (with("model", json!("gpt-4o")), "model"),
        (with("model", json!(["a"])), "model"),
        (
            with("provider_config", json!({})),
            "provider_config.api_key",
        ),
        (
            with("provider_config", json!({"api_key": "x", "api_bse": "y"})),
            "provider_config.api_bse",
        ),
        (
            with("provider_config", json!({"api_key": "x", "api_base": "y"})),
            "provider_config.api_base",
        ),
        (with("provider_config", json!("x")), "provider_config"),
        (with("provider_id", json!("x")), "provider_id"),
        (with("display_name", json!("x")), "name"),
    ] {
        let answer = desk.ask("POST", "/aisix/admin/models", document).await;
        assert_eq!(
            (answer.status, &answer.json["field"]),
            (400, &json!(field)),
            "{answer:?}"
        );
        assert!(!answer.text.contains(SECRET), "{answer:?}");
    }
    assert!(desk.store.list(None).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn a_provider_key_may_be_named() {
    let desk = Desk::new().with_model().await;
    let by_name =
        json!({"display_name": "n", "provider": "openai", "model_name": "x", "provider_key": "up"});
    let answer = desk
        .ask("POST", "/aisix/admin/models", by_name.clone())
        .await;
    assert_eq!(
        (answer.status, &answer.json["value"]["provider_key_id"]),
        (201, &json!("up"))
    );
    let mut stranger = by_name;
    stranger["provider_key"] = "nobody".into();
    let answer = desk.ask("POST", "/aisix/admin/models", stranger).await;
    assert_eq!(
        (answer.status, &answer.json["field"]),
        (409, &json!("provider_key"))
    );
}
