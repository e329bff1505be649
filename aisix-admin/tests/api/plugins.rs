//! Chains of hooks.

use aisix_core::{
    config::{
        Config,
        resource::{Invalid, Stage},
    },
    hook::{Built, Context, Hooks, Next, PluginFactory, Stages, from_fn},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::ask::*;

struct Nothing;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {
    api_key: String,
}

impl PluginFactory for Nothing {
    type Settings = Settings;

    fn name(&self) -> &'static str {
        "nothing"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
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

fn desk() -> Desk {
    let hooks = Hooks::new().plugin(Nothing).unsupported("older", None);
    let config = Config::builder().hooks(hooks);
    Desk::built(|admin| admin.config(config.build()))
}

const GATEWAY: &str = "/aisix/admin/gateways/default";

#[tokio::test]
async fn the_hooks_that_chains_can_name_are_listed() {
    let listed = desk().get("/aisix/admin/plugins").await;
    assert_eq!(listed.status, 200);
    assert_eq!(listed.json["total"], 1);
    let plugin = &listed.json["list"][0];
    assert_eq!(plugin["name"], "nothing");
    assert_eq!(plugin["stages"], json!(["pre_request"]));
    assert_eq!(plugin["fixed"], true);
    assert_eq!(plugin["schema"]["properties"]["api_key"]["type"], "string");
    assert_eq!(
        Desk::new().get("/aisix/admin/plugins").await.json["total"],
        0
    );
}

#[tokio::test]
async fn a_chain_is_kept_with_its_secrets_hidden() {
    let desk = desk();
    let chain = |secret: &str| json!({"name": "default", "plugins": [{"name": "nothing", "settings": {"api_key": secret}}]});
    let written = desk.ask("PUT", GATEWAY, chain(SECRET)).await;
    assert_eq!(written.status, 201, "{written:?}");
    let shown = desk.get(GATEWAY).await.json["value"].clone();
    assert_eq!(shown, chain("***6789"));
    assert_eq!(desk.ask("PUT", GATEWAY, shown).await.status, 200);
    assert_eq!(
        desk.get(GATEWAY).await.json["modified_index"],
        1,
        "the secret is kept"
    );
}

#[tokio::test]
async fn a_chain_that_could_not_run_is_refused_by_the_field() {
    let desk = desk();
    for (plugin, field, said) in [
        (
            json!({"name": "other"}),
            "plugins[0].name",
            "is no known hook",
        ),
        (
            json!({"name": "older"}),
            "plugins[0].name",
            "is not supported yet",
        ),
        (
            json!({"name": "nothing"}),
            "plugins[0].settings.api_key",
            "is required",
        ),
        (
            json!({"name": "nothing", "settings": {"api_key": "wrong"}}),
            "plugins[0].settings.api_key",
            "is wrong",
        ),
        (
            json!({"name": "nothing", "settings": {"api_key": "k", "more": 1}}),
            "plugins[0].settings.more",
            "is not a known field",
        ),
    ] {
        let body = json!({"name": "default", "plugins": [plugin]});
        for path in [GATEWAY.to_owned(), format!("{GATEWAY}?dry_run=true")] {
            let refused = desk.ask("PUT", &path, body.clone()).await;
            assert_eq!(refused.status, 422, "{refused:?}");
            assert_eq!(refused.json["field"], field);
            assert!(refused.text.contains(said), "{refused:?}");
        }
    }
    let refused = desk.ask("PUT", GATEWAY, json!({"name": "other"})).await;
    assert_eq!(
        (refused.status, &refused.json["field"]),
        (400, &json!("name"))
    );
    assert_eq!(desk.get("/aisix/admin/gateways").await.json["total"], 0);
}
