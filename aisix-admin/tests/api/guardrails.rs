//! Guardrails and what they are attached to.

use aisix_core::{
    config::{
        Config,
        resource::{Invalid, Stage},
    },
    hook::{Built, Context, Hooks, Next, PluginFactory, Stages, from_fn},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ask::*;

struct Remote;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    api_key: String,
}

impl PluginFactory for Remote {
    type Settings = Settings;

    fn name(&self) -> &'static str {
        "remote_guard"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn guardrail(&self) -> Option<&'static str> {
        Some("remote")
    }

    fn build(&self, settings: Settings, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        match settings.api_key.as_str() {
            "wrong" => Err(vec![Invalid::new("api_key", "is wrong")]),
            _ => Ok(Built::hook(from_fn(async |call, next: Next| {
                next.run(call).await
            }))),
        }
    }
}

/// A desk whose configuration follows what is written.
fn desk() -> Desk {
    let config = Config::builder().hooks(Hooks::new().plugin(Remote)).build();
    let desk = Desk::built(|admin| admin.config(config.clone()));
    let changes = desk.store.changes();
    tokio::spawn(async move { config.follow(changes).await });
    desk
}

const GUARDRAILS: &str = "/aisix/admin/guardrails";
const ATTACHMENTS: &str = "/aisix/admin/guardrail_attachments";

fn guardrail(secret: &str) -> Value {
    json!({"name": "words", "kind": "remote", "api_key": secret, "fail_open": false})
}

#[tokio::test]
async fn a_guardrail_is_written_shown_patched_and_deleted_with_its_secrets_hidden() {
    let desk = desk();
    let created = desk.ask("POST", GUARDRAILS, guardrail(SECRET)).await;
    assert_eq!(created.status, 201, "{created:?}");
    let one = format!("{GUARDRAILS}/{}", created.id());
    let shown = desk.get(&one).await.json["value"].clone();
    assert_eq!(shown, guardrail("***6789"));
    assert_eq!(desk.ask("PUT", &one, shown).await.status, 200);
    assert_eq!(
        desk.get(&one).await.json["modified_index"],
        1,
        "the secret is kept"
    );
    let patched = desk.ask("PATCH", &one, json!({"enabled": false})).await;
    assert_eq!(patched.json["value"]["enabled"], false);
    let listed = desk
        .get(&format!("{GUARDRAILS}?name=wor&kind=remote"))
        .await;
    assert_eq!(listed.json["total"], 1);
    let again = desk.ask("POST", GUARDRAILS, guardrail(SECRET)).await;
    assert_eq!((again.status, &again.json["field"]), (409, &json!("name")));
    assert_eq!(desk.ask("DELETE", &one, Value::Null).await.status, 200);
    assert_eq!(desk.get(&one).await.status, 404);
}

#[tokio::test]
async fn a_guardrail_that_could_not_run_is_refused_by_the_field() {
    let desk = desk();
    for (members, status, field, said) in [
        (
            json!({"kind": "other"}),
            422,
            "kind",
            "is unknown; there are: remote",
        ),
        (
            json!({"kind": "semantic"}),
            422,
            "kind",
            "is not supported yet",
        ),
        (json!({"api_key": 7}), 422, "api_key", "must be a string"),
        (json!({"api_key": "wrong"}), 422, "api_key", "is wrong"),
        (json!({"more": 1}), 422, "more", "is not a known field"),
        (
            json!({"enabled": 1}),
            400,
            "enabled",
            "must be true or false",
        ),
        (json!({"name": ""}), 400, "name", "must not be empty"),
    ] {
        let mut document = guardrail("key");
        let members = members.as_object().unwrap().clone();
        document.as_object_mut().unwrap().extend(members);
        let refused = desk.ask("POST", GUARDRAILS, document).await;
        assert_eq!(refused.status, status, "{refused:?}");
        assert_eq!(refused.json["field"], field, "{refused:?}");
        assert!(refused.text.contains(said), "{refused:?}");
    }
    assert_eq!(desk.get(GUARDRAILS).await.json["total"], 0);
}

#[tokio::test]
async fn an_attachment_needs_its_guardrail() {
    let desk = Desk::new();
    let attachment = |id: &str| json!({"guardrail_id": id, "priority": -3, "scope_type": "model", "scope_id": "m"});
    let refused = desk.ask("POST", ATTACHMENTS, attachment("gone")).await;
    assert_eq!(
        (refused.status, &refused.json["field"]),
        (409, &json!("guardrail_id"))
    );
    let guardrail = desk.ask("POST", GUARDRAILS, guardrail("key")).await;
    let created = desk
        .ask("POST", ATTACHMENTS, attachment(guardrail.id()))
        .await;
    assert_eq!(created.status, 201, "{created:?}");
    let same = desk
        .ask("POST", ATTACHMENTS, attachment(guardrail.id()))
        .await;
    assert_eq!(same.status, 201, "nothing about it is unique: {same:?}");
    let of_it = format!("{ATTACHMENTS}?guardrail_id={}", guardrail.id());
    assert_eq!(desk.get(&of_it).await.json["total"], 2);

    let guardrail = format!("{GUARDRAILS}/{}", guardrail.id());
    let refused = desk.ask("DELETE", &guardrail, Value::Null).await;
    assert_eq!(refused.status, 409, "it is in use: {refused:?}");
    for attachment in [created, same] {
        let path = format!("{ATTACHMENTS}/{}", attachment.id());
        assert_eq!(desk.ask("DELETE", &path, Value::Null).await.status, 200);
    }
    assert_eq!(
        desk.ask("DELETE", &guardrail, Value::Null).await.status,
        200
    );

    for (document, field) in [
        (
            json!({"guardrail_id": "g", "priority": 0, "scope_type": "planet", "scope_id": "x"}),
            "scope_type",
        ),
        (
            json!({"guardrail_id": "g", "priority": 0, "scope_type": "team"}),
            "scope_id",
        ),
        (
            json!({"guardrail_id": "g", "scope_type": "env"}),
            "priority",
        ),
        (
            json!({"guardrail_id": "g", "priority": 3_000_000_000_u64, "scope_type": "env"}),
            "priority",
        ),
    ] {
        let refused = desk.ask("POST", ATTACHMENTS, document).await;
        assert_eq!(
            (refused.status, &refused.json["field"]),
            (400, &json!(field))
        );
    }
}
