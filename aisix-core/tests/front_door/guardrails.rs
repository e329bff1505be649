//! Guardrails: which of them apply, and in which order.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use aisix_core::{
    Gateway,
    call::Call,
    config::{
        Change, Config, Entry, Key, Kind,
        resource::{HookPoint, Invalid, Stage},
    },
    explain::{Explainer, Question},
    hook::{Built, Context, Hooks, Next, PluginFactory, Stages, from_fn},
    testing::{self, Answer, MODEL, Setup, Upstream},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ask::*;

/// A guard that tells when it looks; one kind of them replaces parts.
#[derive(Clone, Default)]
struct Looks {
    masks: bool,
    log: Arc<Mutex<Vec<String>>>,
    built: Arc<AtomicUsize>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Word {
    name: String,
    #[serde(default)]
    hook_point: HookPoint,
    #[serde(default)]
    word: Option<String>,
}

/// One that is only ever asked about requests.
struct Asked;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Looks {
    fn take(&self) -> String {
        std::mem::take(&mut *self.log.lock().unwrap()).join(" ")
    }

    fn hooks(&self) -> Hooks {
        let masking = Self {
            masks: true,
            ..self.clone()
        };
        Hooks::new()
            .plugin(self.clone())
            .plugin(masking)
            .plugin(Asked)
    }
}

impl PluginFactory for Looks {
    type Settings = Word;

    fn name(&self) -> &'static str {
        if self.masks { "masks" } else { "looks" }
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest, Stage::PreResponse])
    }

    fn guardrail(&self) -> Option<&'static str> {
        Some(if self.masks { "mask" } else { "look" })
    }

    fn masks(&self) -> bool {
        self.masks
    }

    fn build(&self, settings: Word, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        self.built.fetch_add(1, Ordering::Relaxed);
        if settings.word.as_deref() == Some("taken") {
            return Err(vec![Invalid::new("word", "is taken")]);
        }
        let (log, point) = (self.log.clone(), settings.hook_point);
        let name: Arc<str> = settings.name.into();
        Ok(Built::hook(from_fn(move |call: Call, next: Next| {
            let (log, name) = (log.clone(), name.clone());
            async move {
                let tell = |sign| log.lock().unwrap().push(format!("{sign}{name}"));
                if point.is_input() {
                    tell("?");
                }
                let reply = next.run(call).await;
                if point.is_output() {
                    tell("!");
                }
                reply
            }
        })))
    }
}

impl PluginFactory for Asked {
    type Settings = Nothing;

    fn name(&self) -> &'static str {
        "asked"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn guardrail(&self) -> Option<&'static str> {
        Some("ask")
    }

    fn build(&self, _: Nothing, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        Ok(Built::hook(from_fn(|call: Call, next: Next| {
            next.run(call)
        })))
    }
}

fn put(kind: Kind, id: &str, document: Value) -> Change {
    Change::Put(Entry::new(kind, id, document))
}

fn delete(kind: Kind, id: &str) -> Change {
    let id = id.into();
    Change::Delete(Key { kind, id })
}

/// A guardrail whose id is its name.
fn guardrail(name: &str, members: Value) -> Change {
    let mut document = json!({"name": name, "kind": "look"});
    let members = members.as_object().unwrap().clone();
    document.as_object_mut().unwrap().extend(members);
    put(Kind::Guardrail, name, document)
}

/// An attachment of a guardrail to `model/model` and the like.
fn attachment(id: &str, of: &str, priority: i32, scope: &str) -> Change {
    let (scope, scope_id) = scope.split_once('/').unwrap_or((scope, ""));
    let mut document = json!({"guardrail_id": of, "priority": priority, "scope_type": scope});
    if !scope_id.is_empty() {
        document["scope_id"] = scope_id.into();
    }
    put(Kind::GuardrailAttachment, id, document)
}

/// A gateway, and the configuration to change it.
struct Desk {
    looks: Looks,
    upstream: Upstream,
    config: Config,
    gateway: Gateway,
}

impl Desk {
    fn new(setup: Setup) -> Self {
        let (looks, upstream) = (Looks::default(), Upstream::new());
        let config = setup.hooks(looks.hooks()).config();
        let gateway = Gateway::builder(config.clone()).transport(upstream.clone());
        Self {
            gateway: gateway.build().unwrap(),
            looks,
            upstream,
            config,
        }
    }

    #[track_caller]
    fn apply(&self, changes: impl IntoIterator<Item = Change>) {
        let report = self.config.apply(changes);
        assert!(report.into_result().is_ok());
    }

    /// One call, and which guards have looked at it.
    async fn looked(&self) -> String {
        self.upstream.answer(Answer::chat("hello"));
        assert_eq!(chat(&self.gateway).await.status(), 200);
        self.looks.take()
    }
}

#[tokio::test]
async fn guards_look_in_their_order_first_at_the_request_and_last_at_the_answer() {
    let plugin = |name: &str| json!({"name": "looks", "id": name, "settings": {"name": name}});
    let desk = Desk::new(Setup::new().model(json!({"plugins": [plugin("plugin")]})));
    desk.apply([
        guardrail("undated", json!({})),
        guardrail("young", json!({"created_at": "2030-01-02T00:00:00Z"})),
        guardrail("old", json!({"created_at": "2030-01-01T00:00:00+00:00"})),
        guardrail("in", json!({"hook_point": "input"})),
        guardrail("out", json!({"hook_point": "output"})),
        guardrail(
            "a-mask",
            json!({"kind": "mask", "created_at": "2000-01-01T00:00:00Z"}),
        ),
        guardrail("off", json!({"enabled": false})),
    ]);
    assert_eq!(
        desk.looked().await,
        "?old ?young ?in ?undated ?a-mask ?plugin !plugin !old !young !out !undated !a-mask"
    );
    // The chain, which is as it was, is combined anew.
    desk.apply(["undated", "in", "out", "a-mask"].map(|name| delete(Kind::Guardrail, name)));
    let expected = "?old ?young ?plugin !plugin !old !young";
    assert_eq!(desk.looked().await, expected);
}

#[tokio::test]
async fn guards_look_where_they_are_attached_by_priority_and_specificity() {
    let desk = Desk::new(Setup::new().api_key(json!({"team_id": "t"})));
    let input = |name: &str| guardrail(name, json!({"hook_point": "input"}));
    desk.apply(
        [
            "all", "env", "model", "team", "key", "high", "twice", "no", "other",
        ]
        .map(input),
    );
    desk.apply([
        attachment("1", "env", 0, "env"),
        attachment("2", "model", 0, "model/model"),
        attachment("3", "team", 0, "team/t"),
        attachment("4", "key", 0, "api_key/caller"),
        attachment("5", "high", 7, "env"),
        attachment("6", "twice", -1, "api_key/caller"),
        attachment("7", "twice", 1, "env"),
        attachment("8", "other", 9, "model/another"),
        attachment("9", "other", 9, "mcp_server/model"),
        attachment("10", "other", 9, "passthrough_route/model"),
        attachment("11", "gone", 9, "env"),
    ]);
    let mut off = attachment("12", "no", 9, "env");
    if let Change::Put(entry) = &mut off {
        entry.value["enabled"] = json!(false);
    }
    desk.apply([off]);
    assert_eq!(
        desk.looked().await,
        "?high ?twice ?key ?team ?model ?all ?env"
    );

    let question = Question::new().model(MODEL).key_id("caller");
    let explainer = Explainer::new(Gateway::builder(desk.config.clone()));
    let explanation = explainer.explain(question).await.unwrap();
    let expected = ["high", "twice", "key", "team", "model", "all", "env"];
    let expected = expected.map(|name| format!("guardrail:{name}"));
    assert_eq!(explanation.hooks, expected);
    assert_eq!(desk.looks.take(), "", "an explanation runs none");

    // What nothing attaches any more applies everywhere; what is gone applies nowhere.
    desk.apply([
        delete(Kind::GuardrailAttachment, "12"),
        delete(Kind::Guardrail, "high"),
        delete(Kind::GuardrailAttachment, "7"),
    ]);
    assert_eq!(
        desk.looked().await,
        "?key ?team ?model ?all ?env ?no ?twice"
    );
}

#[tokio::test]
async fn one_guard_differs_from_call_to_call() {
    let caller = json!({"key_hash": aisix_core::config::KeyHash::of("sk-b").to_hex(), "allowed_models": ["*"]});
    let desk = Desk::new(Setup::new().add(Kind::ApiKey, "b", caller));
    let input = |name: &str| guardrail(name, json!({"hook_point": "input"}));
    desk.apply([input("g"), attachment("1", "g", 0, "api_key/b")]);
    for (key, expected) in [
        ("sk-test", ""),
        ("sk-b", "?g"),
        ("sk-test", ""),
        ("sk-b", "?g"),
    ] {
        desk.upstream.answer(Answer::chat("hello"));
        let mut request = testing::chat_request("hi");
        let credential = format!("Bearer {key}").parse().unwrap();
        request.headers_mut().insert("authorization", credential);
        assert_eq!(send(&desk.gateway, request).await.status(), 200);
        assert_eq!(desk.looks.take(), expected, "{key}");
    }
}

#[tokio::test]
async fn a_guard_is_built_anew_when_it_changes_and_else_not() {
    let desk = Desk::new(Setup::new());
    desk.apply([guardrail("g", json!({}))]);
    let built = || desk.looks.built.load(Ordering::Relaxed);
    assert_eq!((built(), &*desk.looked().await), (2, "?g !g"));
    desk.apply([
        guardrail("g", json!({"created_at": "2030-01-01T00:00:00Z"})),
        attachment("1", "g", 5, "env"),
        put(
            Kind::ProviderKey,
            "key",
            json!({"display_name": "key", "api_key": "sk-2"}),
        ),
    ]);
    assert_eq!((built(), &*desk.looked().await), (2, "?g !g"));
    desk.apply([guardrail("g", json!({"word": "new"}))]);
    assert_eq!(built(), 4);
}

#[tokio::test]
async fn a_guardrail_that_is_wrong_is_refused_and_the_others_and_the_old_one_serve() {
    let desk = Desk::new(Setup::new());
    desk.apply([guardrail("g", json!({})), guardrail("h", json!({}))]);
    for (members, expected) in [
        (
            json!({"kind": "lok"}),
            "`kind` is unknown; there are: ask, look, mask",
        ),
        (
            json!({"kind": "semantic"}),
            "`kind` `semantic` is not supported yet",
        ),
        (json!({"kind": null}), "`kind` is required"),
        (json!({"word": 7}), "`word` must be a string, not a number"),
        (json!({"word": "taken"}), "`word` is taken"),
        (
            json!({"word": "taken", "enabled": false}),
            "`word` is taken",
        ),
        (
            json!({"hook_point": "here"}),
            "`hook_point` must be `input`, `output` or `both`",
        ),
        (
            json!({"fail_open": "no"}),
            "`fail_open` must be true or false, not a string",
        ),
        (
            json!({"created_at": "now"}),
            "`created_at` must be a time such as 2030-01-31T12:00:00Z",
        ),
        (
            json!({"kind": "ask", "hook_point": "output"}),
            "`hook_point` of this kind can only be `input`",
        ),
    ] {
        let report = desk.config.apply([guardrail("g", members)]);
        assert_eq!(report.to_string(), format!("guardrails/g: {expected}"));
        assert_eq!(desk.looked().await, "?g ?h !g !h");
        let status = desk.config.status();
        assert_eq!(&*status.rejected[0].name.id, "g");
        assert_eq!(status.rejected[0].message, expected);
    }
    let unknown = guardrail(
        "g",
        json!({"colour": "red", "word": "new", "direction": "both", "mandatory": true}),
    );
    let report = desk.config.apply([unknown]);
    assert_eq!(report.to_string(), "guardrails/g: `colour` is not known");
    let dated = guardrail(
        "g",
        json!({"colour": "red", "word": "new", "created_at": "2000-01-01T00:00:00Z"}),
    );
    let report = desk.config.apply([dated]);
    assert_eq!(report.to_string(), "guardrails/g: `colour` is not known");
    assert_eq!(desk.looked().await, "?g ?h !g !h");

    let wrong = put(
        Kind::GuardrailAttachment,
        "a",
        json!({"guardrail_id": "g", "priority": 0, "scope_type": "team"}),
    );
    let report = desk.config.apply([wrong]);
    let expected = "guardrail_attachments/a: `scope_id` is required unless `scope_type` is `env`";
    assert_eq!(report.to_string(), expected);
}
