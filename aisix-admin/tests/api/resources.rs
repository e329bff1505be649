//! Resources of every kind.

use aisix_core::config::{KeyHash, Kind};
use serde_json::{Value, json};

use crate::ask::*;

fn example(kind: Kind, name: &str) -> Value {
    match kind {
        Kind::Upstream => json!({"name": name, "targets": [{"host": "a"}]}),
        Kind::ProviderKey => provider_key(name),
        Kind::Model => model(name, "up"),
        Kind::ApiKey => {
            json!({"key_hash": KeyHash::of(name).to_hex(), "allowed_models": ["m"], "display_name": name})
        }
        Kind::RateLimitPolicy => json!({"name": name, "limits": {"rpm": 1}, "group_by": ["team"]}),
        Kind::CachePolicy => json!({"name": name, "ttl_seconds": 60}),
        other => panic!("an example of {other} is missing"),
    }
}

#[tokio::test]
async fn every_kind_is_created_read_replaced_patched_listed_and_deleted() {
    // Gateways are in `plugins.rs`, guardrails and their attachments in `guardrails.rs`.
    let elsewhere = [Kind::Gateway, Kind::Guardrail, Kind::GuardrailAttachment];
    for kind in Kind::ALL.into_iter().filter(|it| !elsewhere.contains(it)) {
        let name = kind.name_field();
        let desk = Desk::new().with_model().await;
        let all = format!("/aisix/admin/{kind}");
        let before = desk.get(&all).await.json["total"].as_u64().unwrap();

        let created = desk.ask("POST", &all, example(kind, "one")).await;
        assert_eq!(created.status, 201, "{created:?}");
        assert_eq!(created.json["key"], format!("/{kind}/{}", created.id()));
        assert_eq!(created.json["value"][name], "one");
        let one = format!("{all}/{}", created.id());

        let got = desk.get(&one).await;
        assert_eq!((got.status, got.etag()), (200, created.etag()));
        assert_eq!(got.json["value"], created.json["value"]);
        assert_eq!(got.json["created_index"], got.json["modified_index"]);

        let replaced = desk.ask("PUT", &one, example(kind, "two")).await;
        assert_eq!(
            (replaced.status, &replaced.json["value"][name]),
            (200, &json!("two"))
        );
        assert_ne!(replaced.etag(), created.etag());

        let patched = desk.ask("PATCH", &one, json!({ name: "three" })).await;
        assert_eq!(
            (patched.status, &patched.json["value"][name]),
            (200, &json!("three"))
        );

        let listed = desk.get(&all).await.json;
        assert_eq!(listed["total"], before + 1);
        let last = listed["list"].as_array().unwrap().last().unwrap();
        assert_eq!(
            (&last["key"], &last["value"]),
            (&created.json["key"], &patched.json["value"])
        );
        assert!(last["created_index"].as_u64() < last["modified_index"].as_u64());

        let v1 = desk
            .get(&format!("/admin/v1/{kind}/{}", created.id()))
            .await
            .json;
        assert_eq!(
            (&v1["id"], &v1["value"]),
            (&json!(created.id()), &patched.json["value"])
        );
        assert_eq!(
            desk.get(&format!("/admin/v1/{kind}"))
                .await
                .json
                .as_array()
                .unwrap()
                .len() as u64,
            before + 1
        );

        let deleted = desk.ask("DELETE", &one, Value::Null).await;
        assert_eq!(
            (deleted.status, &deleted.json),
            (200, &json!({"deleted": 1, "key": created.json["key"]}))
        );
        assert_eq!(desk.get(&one).await.status, 404);
        let again = desk.ask("DELETE", &one, Value::Null).await;
        assert_eq!(again.status, 404);
        assert!(
            again
                .message()
                .ends_with(&format!("with ID {} not found", created.id())),
            "{again:?}"
        );
        assert_eq!(desk.ask("PATCH", &one, json!({})).await.status, 404);

        // A PUT under an id that nobody has makes it.
        let put = desk
            .ask("PUT", &format!("{all}/mine"), example(kind, "mine"))
            .await;
        assert_eq!(
            (put.status, &put.json["key"]),
            (201, &json!(format!("/{kind}/mine")))
        );
        for id in ["a%20b", "..a", "%2e%2e", &"x".repeat(129)] {
            let put = desk
                .ask("PUT", &format!("{all}/{id}"), example(kind, "bad"))
                .await;
            assert_eq!(
                (put.status, &put.json["field"]),
                (400, &json!("id")),
                "{id}: {put:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_document_is_told_with_its_field() {
    let desk = Desk::new().with_model().await;
    for (document, field, message) in [
        (
            json!({"rate_limit": {"rpm": "many"}}),
            "rate_limit.rpm",
            "must be a whole number",
        ),
        (
            json!({"time_out": 5}),
            "time_out",
            "did you mean `timeout`?",
        ),
        (
            json!({"routing": {"targets": []}}),
            "model_name",
            "must not be given besides `routing`",
        ),
        (json!({"provider": "Open AI"}), "provider", "must match"),
    ] {
        let answer = desk.ask("PATCH", "/aisix/admin/models/m", document).await;
        assert_eq!(
            (answer.status, &answer.json["field"]),
            (400, &json!(field)),
            "{answer:?}"
        );
        assert!(
            answer
                .message()
                .starts_with("JSON schema validation error: "),
            "{answer:?}"
        );
        assert!(answer.message().contains(message), "{answer:?}");
    }
    assert_eq!(
        desk.get("/aisix/admin/models/m").await.json["value"],
        model("m", "up")
    );
}

#[tokio::test]
async fn names_are_unique_and_the_other_one_is_named() {
    let desk = Desk::new().with_model().await;
    let answer = desk
        .ask("POST", "/aisix/admin/models", model("m", "up"))
        .await;
    assert_eq!(
        (answer.status, &answer.json["field"]),
        (409, &json!("display_name"))
    );
    assert_eq!(
        answer.message(),
        "display_name \"m\" is already in use by models/m"
    );
    // Another kind may have the same name, and a name is free again when it is given up.
    let answer = desk
        .ask("POST", "/aisix/admin/provider_keys", provider_key("m"))
        .await;
    assert_eq!(answer.status, 201);
    desk.ask(
        "PATCH",
        "/aisix/admin/models/m",
        json!({"display_name": "n"}),
    )
    .await;
    assert_eq!(
        desk.ask("POST", "/aisix/admin/models", model("m", "up"))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn references_lead_somewhere_and_what_is_in_use_stays() {
    let desk = Desk::new().with_model().await;
    let answer = desk
        .ask("POST", "/aisix/admin/models", model("x", "nobody"))
        .await;
    assert_eq!(
        (answer.status, &answer.json["field"]),
        (409, &json!("provider_key_id"))
    );
    assert!(
        answer
            .message()
            .contains("provider_keys/nobody, which does not exist"),
        "{answer:?}"
    );

    let answer = desk
        .ask("DELETE", "/aisix/admin/provider_keys/up", Value::Null)
        .await;
    assert_eq!(
        (answer.status, answer.message()),
        (409, "provider_keys/up is in use by models/m")
    );
    desk.ask("DELETE", "/aisix/admin/models/m", Value::Null)
        .await;
    let answer = desk
        .ask("DELETE", "/aisix/admin/provider_keys/up", Value::Null)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn a_provider_key_names_its_upstream() {
    let desk = Desk::new();
    let upstream =
        json!({"name": "replicas", "targets": [{"host": "a", "headers": {"x-auth": "secret"}}]});
    let created = desk.ask("PUT", "/aisix/admin/upstreams/u", upstream).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(
        created.json["value"]["targets"][0]["headers"]["x-auth"],
        "***"
    );
    let key = |name: &str| json!({"display_name": "k", "api_key": "s", "upstream": name});
    let path = "/aisix/admin/provider_keys/k";
    let refused = desk.ask("PUT", path, key("nobody")).await;
    assert_eq!(
        (refused.status, refused.message()),
        (409, "`upstream` names no upstream")
    );
    let created = desk.ask("PUT", path, key("replicas")).await;
    assert_eq!(created.json["value"]["upstream_id"], "u", "{created:?}");
    let delete = async |path: &str| desk.ask("DELETE", path, Value::Null).await;
    let refused = delete("/aisix/admin/upstreams/u").await;
    assert_eq!(
        (refused.status, refused.message()),
        (409, "upstreams/u is in use by provider_keys/k")
    );
    assert_eq!(delete(path).await.status, 200);
    assert_eq!(delete("/aisix/admin/upstreams/u").await.status, 200);
}

#[tokio::test]
async fn groups_are_made_of_direct_models_and_keep_them() {
    let desk = Desk::new().with_model().await;
    let put = async |id: &str, document: Value| {
        let path = format!("/aisix/admin/models/{id}");
        let answer = desk.ask("PUT", &path, document).await;
        (
            answer.status,
            answer.json["error_msg"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        )
    };
    let group = |targets: &[&str]| {
        let targets: Vec<Value> = targets.iter().map(|name| json!({"model": name})).collect();
        json!({"display_name": "group", "routing": {"targets": targets}})
    };
    let conflict = |message: &str| (409, message.to_owned());
    assert_eq!(
        put("g", group(&["m", "n"])).await,
        conflict("`routing.targets[1].model` names no model: \"n\"")
    );
    assert_eq!(
        put("g", group(&["group"])).await,
        conflict("`routing.targets[0].model` is not a direct model: \"group\"")
    );
    assert_eq!(put("any", model("any/*", "up")).await.0, 201);
    assert_eq!(put("g", group(&["m", "any/x", "*"])).await.0, 201);

    // Neither the model nor the pattern can go, be renamed or become a group.
    let delete = async |id: &str| {
        let path = format!("/aisix/admin/models/{id}");
        desk.ask("DELETE", &path, Value::Null).await
    };
    for id in ["m", "any"] {
        let answer = delete(id).await;
        let expected = format!("models/{id} is in use by models/g");
        assert_eq!((answer.status, answer.message()), (409, &*expected));
    }
    assert_eq!(
        put("m", model("renamed", "up")).await,
        conflict("models/m is in use by models/g, as the direct model \"m\"")
    );
    assert_eq!(
        put("any", model("other/*", "up")).await,
        conflict("models/any is in use by models/g, as the direct model \"any/x\"")
    );
    let other = json!({"display_name": "m", "routing": {"targets": [{"model": "any/y"}]}});
    assert_eq!(
        put("m", other.clone()).await,
        conflict("models/m is in use by models/g, as the direct model \"m\"")
    );
    // Nor may a group hide what the pattern serves.
    let mut hides = other;
    hides["display_name"] = "any/x".into();
    assert_eq!(
        put("h", hides).await,
        conflict("models/h is in use by models/g, as the direct model \"any/x\"")
    );

    // Somebody else may serve the name.
    assert_eq!(put("x", model("any/x", "up")).await.0, 201);
    assert_eq!(delete("any").await.status, 200);
    assert_eq!(delete("g").await.status, 200);
    assert_eq!(delete("m").await.status, 200);
}

#[tokio::test]
async fn a_merge_patch_changes_what_it_names_and_null_takes_away() {
    let desk = Desk::new().with_model().await;
    let path = "/aisix/admin/models/m";
    let patch = json!({"rate_limit": {"rpm": 5, "tpm": 7}, "timeout": 9});
    desk.ask("PATCH", path, patch).await;
    let answer = desk
        .ask(
            "PATCH",
            path,
            json!({"rate_limit": {"rpm": null}, "timeout": null}),
        )
        .await;
    let mut expected = model("m", "up");
    expected["rate_limit"] = json!({"tpm": 7});
    assert_eq!(answer.json["value"], expected);
    let answer = desk.ask("PATCH", path, json!({"display_name": null})).await;
    assert_eq!(
        (answer.status, &answer.json["field"]),
        (400, &json!("display_name"))
    );
    // A patch may come under its own media type.
    let merge = [("content-type", "application/merge-patch+json")];
    assert_eq!(
        desk.ask_if("PATCH", path, json!({}), &merge).await.status,
        200
    );
}

#[tokio::test]
async fn secrets_are_written_and_never_read() {
    let desk = Desk::new();
    let mut document = provider_key("up");
    document["request"] =
        json!({"default_headers": {"X-Auth-Token": "top-secret", "x-title": "mine"}});
    let created = desk
        .ask("POST", "/aisix/admin/provider_keys", document)
        .await;
    let path = format!("/aisix/admin/provider_keys/{}", created.id());
    desk.ask("PATCH", &path, json!({"api_base": "https://other.example"}))
        .await;
    for path in [
        &path,
        "/aisix/admin/provider_keys",
        "/admin/v1/provider_keys",
        "/aisix/admin/history",
    ] {
        let answer = desk.get(path).await;
        assert!(answer.text.contains("***6789"), "{answer:?}");
        assert!(!answer.text.contains(SECRET), "{answer:?}");
        assert!(!answer.text.contains("top-secret"), "{answer:?}");
    }

    // What was read can be written back; the secrets stay.
    let mut shown = desk.get(&path).await.json["value"].take();
    assert_eq!(shown["request"]["default_headers"]["x-title"], "mine");
    shown["display_name"] = "renamed".into();
    assert_eq!(desk.ask("PUT", &path, shown).await.status, 200);
    let key = aisix_core::config::Key {
        kind: Kind::ProviderKey,
        id: created.id().into(),
    };
    let stored = aisix_core::config::ConfigStore::get(&desk.store, &key)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stored.entry.value["api_key"], SECRET);
    assert_eq!(
        stored.entry.value["request"]["default_headers"]["X-Auth-Token"],
        "top-secret"
    );
    assert_eq!(stored.entry.value["display_name"], "renamed");

    // A mask of something else is no secret.
    for masked in ["***", "***0000"] {
        let answer = desk.ask("PATCH", &path, json!({"api_key": masked})).await;
        assert_eq!(
            (answer.status, &answer.json["field"]),
            (400, &json!("api_key"))
        );
    }
    let answer = desk
        .ask(
            "POST",
            "/aisix/admin/provider_keys",
            json!({"display_name": "x", "api_key": "***6789"}),
        )
        .await;
    assert_eq!(answer.status, 400);
    // The other spelling is kept by the one name.
    let answer = desk
        .ask(
            "PATCH",
            &path,
            json!({"secret": "sk-other-0123456789-wxyz"}),
        )
        .await;
    assert_eq!(
        (answer.status, &answer.json["value"]["api_key"]),
        (200, &json!("***wxyz"))
    );
}

#[tokio::test]
async fn lists_are_filtered_and_cut_into_pages() {
    let desk = Desk::new().with_model().await;
    for n in 0..25 {
        let mut document = model(&format!("Chat-{n:02}"), "up");
        document["model_name"] = if n % 2 == 0 { "even" } else { "odd" }.into();
        desk.ask("POST", "/aisix/admin/models", document).await;
    }
    let names = async |query: &str| {
        let answer = desk.get(&format!("/aisix/admin/models?{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let list = answer.json["list"].as_array().unwrap().clone();
        let names: Vec<_> = list
            .iter()
            .map(|it| it["value"]["display_name"].as_str().unwrap().to_owned())
            .collect();
        (answer.json["total"].as_u64().unwrap(), names)
    };
    assert_eq!(names("").await.1.len(), 26);
    let (total, page) = names("name=chat&page=3&page_size=10").await;
    assert_eq!((total, page.len(), page[0].as_str()), (25, 5, "Chat-20"));
    assert_eq!(names("name=chat&page=4&page_size=10").await, (25, vec![]));
    assert_eq!(names("model_name=odd").await.0, 12);
    assert_eq!(
        names("display_name=Chat-07").await,
        (1, vec!["Chat-07".to_owned()])
    );
    assert_eq!(
        names("name=%43hat-0&model_name=even&page_size=2").await,
        (5, vec!["Chat-00".to_owned(), "Chat-02".to_owned()])
    );
}

#[tokio::test]
async fn a_dry_run_checks_and_shows_and_changes_nothing() {
    let desk = Desk::new().with_model().await;
    let path = "/aisix/admin/models/m?dry_run=true";
    let answer = desk
        .ask("PATCH", path, json!({"timeout": 5, "model_name": "other"}))
        .await;
    assert_eq!(
        (answer.status, &answer.json["dry_run"]),
        (200, &json!(true))
    );
    assert_eq!(answer.json["value"]["timeout"], 5);
    assert_eq!(
        answer.json["changes"],
        json!([{
            "key": "/models/m", "action": "update",
            "diff": [{"path": "model_name", "before": "gpt", "after": "other"}, {"path": "timeout", "after": 5}],
        }])
    );
    let answer = desk
        .ask(
            "DELETE",
            "/aisix/admin/provider_keys/up?dry_run=true",
            Value::Null,
        )
        .await;
    assert_eq!(answer.status, 409, "it is in use");
    let answer = desk.ask("DELETE", path, Value::Null).await;
    assert_eq!(
        (answer.status, &answer.json["changes"][0]["action"]),
        (200, &json!("delete"))
    );
    let answer = desk
        .ask(
            "POST",
            "/aisix/admin/api_keys?dry_run=1",
            json!({"allowed_models": []}),
        )
        .await;
    assert_eq!(
        (answer.status, &answer.json["plaintext"]),
        (200, &Value::Null)
    );
    assert_eq!(
        desk.get("/aisix/admin/models/m").await.json["value"],
        model("m", "up")
    );
    assert_eq!(desk.get("/aisix/admin/history").await.json["total"], 2);
}
