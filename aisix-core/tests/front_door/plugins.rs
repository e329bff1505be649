//! Hooks that configuration names.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use aisix_core::{
    Error, ErrorKind, Gateway,
    call::{Call, Trail},
    config::{
        Change, Config, Entry, Kind,
        resource::{Invalid, Stage},
    },
    hook::{Built, Check, Context, Hooks, Next, PluginFactory, Stages, from_fn},
    observe::Observer,
    reply::Outcome,
    testing::{self, Answer, MODEL, Setup, Upstream},
};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::ask::*;

/// A hook that tells when it runs.
#[derive(Clone, Default)]
struct Tells {
    log: Arc<Mutex<Vec<String>>>,
    built: Arc<AtomicUsize>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Word {
    #[schemars(length(min = 1))]
    word: String,
}

impl Tells {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

impl PluginFactory for Tells {
    type Settings = Word;

    fn name(&self) -> &'static str {
        "tells"
    }

    fn stages(&self) -> Stages {
        Stages::OneOf(&[
            Stage::PreRequest,
            Stage::PostRequest,
            Stage::PreResponse,
            Stage::PostResponse,
        ])
    }

    fn build(&self, settings: Word, context: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        self.built.fetch_add(1, Ordering::Relaxed);
        if settings.word == "taken" {
            return Err(vec![Invalid::new("word", "is taken")]);
        }
        let count = context.state(AtomicUsize::default);
        let (log, stage) = (self.log.clone(), context.stage());
        let word: Arc<str> = settings.word.into();
        Ok(Built::hook(from_fn(move |call: Call, next: Next| {
            let (log, word, count) = (log.clone(), word.clone(), count.clone());
            async move {
                let number = count.fetch_add(1, Ordering::Relaxed) + 1;
                let tell = || log.lock().unwrap().push(format!("{word} {number}"));
                if matches!(stage, Some(Stage::PreRequest | Stage::PostRequest)) {
                    tell();
                }
                let reply = next.run(call).await;
                if stage.is_some_and(Stage::is_response) {
                    tell();
                }
                reply
            }
        })))
    }
}

/// A check that waits until several run, and refuses then if it should.
struct Meets(Arc<Barrier>);

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Refusing {
    #[serde(default)]
    refuse: Option<String>,
}

struct Met {
    barrier: Arc<Barrier>,
    refuse: Option<String>,
}

impl PluginFactory for Meets {
    type Settings = Refusing;

    fn name(&self) -> &'static str {
        "meets"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn build(&self, settings: Refusing, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        Ok(Built::check(Met {
            barrier: self.0.clone(),
            refuse: settings.refuse,
        }))
    }
}

#[async_trait]
impl Check for Met {
    async fn check(&self, _: &Call) -> Result<(), Error> {
        self.barrier.wait().await;
        match &self.refuse {
            Some(message) => Err(Error::new(ErrorKind::Blocked, message.clone())),
            None => Ok(()),
        }
    }
}

/// The marks of the last request.
#[derive(Clone, Default)]
struct Marks(Arc<Mutex<Vec<(&'static str, String)>>>);

impl Observer for Marks {
    fn ended(&self, trail: &Trail, _: &Outcome<'_>) {
        *self.0.lock().unwrap() = trail.marks();
    }
}

struct Panics;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

impl PluginFactory for Panics {
    type Settings = Nothing;

    fn name(&self) -> &'static str {
        "panics"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn build(&self, _: Nothing, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        Ok(Built::hook(from_fn(async |_: Call, _: Next| panic!("oh"))))
    }
}

fn tells(word: &str, members: Value) -> Value {
    let mut element =
        json!({"name": "tells", "id": word, "stage": "pre_request", "settings": {"word": word}});
    merge(&mut element, members);
    element
}

fn merge(element: &mut Value, members: Value) {
    if let (Value::Object(element), Value::Object(members)) = (element, members) {
        element.extend(members);
    }
}

fn gateway_of(plugins: Value) -> (Kind, &'static str, Value) {
    (
        Kind::Gateway,
        "default",
        json!({"name": "default", "plugins": plugins}),
    )
}

/// One call, and what was told of it.
async fn told(setup: Setup, tells: &Tells) -> Vec<String> {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let gateway = setup
        .hooks(Hooks::new().plugin(tells.clone()))
        .gateway(&upstream);
    assert_eq!(chat(&gateway).await.status(), 200);
    tells.take()
}

#[tokio::test]
async fn later_stages_run_last_whatever_the_priorities() {
    let tells = |word, stage, priority| {
        tells(
            word,
            json!({"stage": stage, "priority": priority, "merge": "append"}),
        )
    };
    let (kind, id, gateway) = gateway_of(json!([
        tells("last out", "post_response", 0),
        tells("last in", "post_request", 0),
    ]));
    let setup = Setup::new()
        .add(kind, id, gateway)
        .model(json!({"plugins": [
        tells("second in", "pre_request", 9), tells("first in", "pre_request", 8),
        tells("first out", "pre_response", 9)]}));
    let told = told(setup, &Tells::default()).await;
    assert_eq!(
        told,
        [
            "first in 1",
            "second in 1",
            "last in 1",
            "first out 1",
            "last out 1"
        ]
    );
}

#[tokio::test]
async fn lower_priorities_run_first_then_the_more_general_then_the_earlier() {
    let answers = |word, priority| {
        tells(
            word,
            json!({"stage": "pre_response", "priority": priority, "merge": "append"}),
        )
    };
    let asks = |word, priority| tells(word, json!({"priority": priority, "merge": "append"}));
    let (kind, id, gateway) = gateway_of(json!([asks("g5", 5), answers("out g1", 1)]));
    let setup = Setup::new()
        .add(kind, id, gateway)
        .model(json!({"plugins": [asks("m5", 5), asks("m4", 4), answers("out m0", 0)]}))
        .api_key(json!({"plugins": [asks("k5", 5), asks("k5b", 5), answers("out k1", 1)]}));
    let told = told(setup, &Tells::default()).await;
    assert_eq!(
        told,
        [
            "m4 1", "g5 1", "m5 1", "k5 1", "k5b 1", "out m0 1", "out g1 1", "out k1 1"
        ]
    );
}

#[tokio::test]
async fn the_more_specific_chain_overrides_by_name() {
    let (kind, id, gateway) = gateway_of(json!([tells("g", json!({}))]));
    let both = || Setup::new().add(kind, id, gateway.clone());
    let of_model = |members| json!({"plugins": [tells("m", members)]});
    let told_of = async |setup| told(setup, &Tells::default()).await;
    assert_eq!(told_of(both()).await, ["g 1"]);
    assert_eq!(told_of(both().model(of_model(json!({})))).await, ["m 1"]);
    let append = of_model(json!({"merge": "append"}));
    assert_eq!(told_of(both().model(append)).await, ["g 1", "m 1"]);
    let key = json!({"plugins": [tells("k", json!({}))]});
    let all = both().model(of_model(json!({}))).api_key(key);
    assert_eq!(told_of(all).await, ["k 1"]);
    let off = of_model(json!({"enabled": false}));
    assert_eq!(
        told_of(both().model(off)).await,
        ["g 1"],
        "what is off overrides nothing"
    );
}

#[tokio::test]
async fn checks_that_say_so_run_beside_one_another_and_the_first_refusal_counts() {
    let meets = |id: &str, members| {
        let mut element = json!({"name": "meets", "id": id, "parallel": true, "priority": 7});
        merge(&mut element, members);
        element
    };
    let refuse = |word: &str| json!({"settings": {"refuse": word}});
    for (third, expected) in [
        (json!({}), None),
        (refuse("third"), Some("third")),
        (
            json!({"mode": "observe", "settings": {"refuse": "third"}}),
            None,
        ),
    ] {
        let second = match expected {
            Some(_) => json!({"mode": "observe", "settings": {"refuse": "second"}}),
            None => json!({}),
        };
        let plugins = json!([meets("a", json!({})), meets("b", second), meets("c", third)]);
        let upstream = Upstream::new();
        upstream.answer(Answer::chat("hello"));
        let hooks = Hooks::new().plugin(Meets(Arc::new(Barrier::new(3))));
        let gateway = Setup::new()
            .hooks(hooks)
            .model(json!({ "plugins": plugins }))
            .gateway(&upstream);
        let response = chat(&gateway).await;
        match expected {
            None => assert_eq!(response.status(), 200),
            Some(message) => {
                assert_eq!(response.status(), 422);
                let body = testing::json(response).await;
                assert_eq!(body["error"]["message"], message);
            }
        }
    }
}

#[tokio::test]
async fn an_observing_check_leaves_a_mark() {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let plugin = json!({"name": "meets", "mode": "observe", "settings": {"refuse": "no"}});
    let marks = Marks::default();
    let gateway = Setup::new()
        .hooks(Hooks::new().plugin(Meets(Arc::new(Barrier::new(1)))))
        .model(json!({"plugins": [plugin]}))
        .builder(&upstream)
        .observe(marks.clone())
        .build()
        .unwrap();
    testing::text(chat(&gateway).await).await;
    let marks = marks.0.lock().unwrap().clone();
    assert_eq!(marks, [("would_refuse", "meets".to_owned())]);
}

#[tokio::test]
async fn a_hook_that_panics_is_an_internal_error_and_the_gateway_goes_on() {
    let upstream = Upstream::new();
    let setup = Setup::new()
        .hooks(Hooks::new().plugin(Panics))
        .model(json!({"plugins": [{"name": "panics"}]}));
    let gateway = setup.gateway(&upstream);
    for _ in 0..2 {
        let response = chat(&gateway).await;
        assert_eq!(response.status(), 500);
        let body = testing::json(response).await;
        assert_eq!(body["error"]["message"], "a hook failed");
    }
}

#[tokio::test]
async fn a_hook_that_is_not_supported_is_refused_by_its_name() {
    let said = |hooks: Hooks| {
        let config = Setup::new().hooks(hooks).config();
        let report = config.apply([model(json!([{"name": "tell"}]))]);
        report.to_string()
    };
    let unsupported = Hooks::new().unsupported("tell", Some("tells"));
    let expected = "`plugins[0].name` is not supported yet";
    assert!(said(unsupported.clone()).contains(expected));
    // The other hook is only named where there is one.
    let hooks = unsupported.plugin(Tells::default());
    let expected = "`plugins[0].name` is not supported; use `tells`";
    assert!(said(hooks.clone()).contains(expected));
    let names: Vec<_> = hooks.describe().map(|it| it.name).collect();
    assert_eq!(names, ["tells"], "it is not listed");
    let hooks = Hooks::new().plugin(Tells::default());
    let registered = said(hooks.unsupported("tells", None));
    assert!(registered.contains("did you mean `tells`?"), "{registered}");
}

fn model(plugins: Value) -> Change {
    let document = json!({"display_name": MODEL, "provider": "plain", "model_name": "m",
        "provider_key_id": "key", "plugins": plugins});
    Change::Put(Entry::new(Kind::Model, "model", document))
}

/// A gateway whose model has this chain, and the configuration to change it.
fn changing(tells: &Tells, upstream: &Upstream, plugins: Value) -> (Gateway, Config) {
    let config = Setup::new()
        .hooks(Hooks::new().plugin(tells.clone()).plugin(Panics))
        .config();
    assert!(config.apply([model(plugins)]).into_result().is_ok());
    let gateway = Gateway::builder(config.clone()).transport(upstream.clone());
    (gateway.build().unwrap(), config)
}

#[tokio::test]
async fn a_chain_that_is_wrong_is_refused_by_the_field_and_the_old_one_keeps_serving() {
    let (tells_factory, upstream) = (Tells::default(), Upstream::new());
    let (gateway, config) = changing(&tells_factory, &upstream, json!([tells("a", json!({}))]));
    let long = "x".repeat(200);
    for (plugins, expected) in [
        (
            json!([{"name": "tels"}]),
            "`plugins[0].name` is no known hook; did you mean `tells`?",
        ),
        (
            json!([{"name": "panics", "stage": "post_request"}]),
            "`plugins[0].stage` of this hook can be: pre_request",
        ),
        (
            json!([{"name": "tells", "settings": {"word": "a"}}]),
            "`plugins[0].stage` is required: pre_request, post_request, pre_response, post_response",
        ),
        (
            json!([tells("a", json!({"settings": {}}))]),
            "`plugins[0].settings.word` is required",
        ),
        (
            json!([tells("a", json!({"settings": {"word": 7}}))]),
            "`plugins[0].settings.word` must be a string, not a number",
        ),
        (
            json!([tells("a", json!({"settings": {"word": "taken"}}))]),
            "`plugins[0].settings.word` is taken",
        ),
        (
            json!([tells("a", json!({})), tells("a", json!({}))]),
            "`plugins[1].id` is that of another element; give one of them an `id` of its own",
        ),
        (
            json!([tells("a", json!({"priority": 1000}))]),
            "`plugins[0].priority` must be at most 999",
        ),
        (
            json!([tells("a", json!({"id": long}))]),
            "`plugins[0].id` must have at most 128 characters",
        ),
        (
            json!([tells("a", json!({"mode": "observe"}))]),
            "`plugins[0].mode` of this hook cannot be `observe`",
        ),
        (
            json!([tells("a", json!({"parallel": true}))]),
            "`plugins[0].parallel` is not possible: this hook does more than look at a call",
        ),
        (
            json!([tells("a", json!({"enabled": false, "settings": {}}))]),
            "`plugins[0].settings.word` is required",
        ),
    ] {
        let report = config.apply([model(plugins)]);
        assert_eq!(report.to_string(), format!("models/model: {expected}"));
        upstream.answer(Answer::chat("hello"));
        assert_eq!(chat(&gateway).await.status(), 200);
        assert_eq!(tells_factory.take().len(), 1, "the old chain serves");
    }
    let unknown = tells("a", json!({"settings": {"word": "b", "colour": "red"}}));
    let report = config.apply([model(json!([unknown]))]);
    assert_eq!(
        report.to_string(),
        "models/model: `plugins[].settings.colour` is not known"
    );
}

#[tokio::test]
async fn what_a_hook_remembers_outlives_changes_and_goes_with_it() {
    let (factory, upstream) = (Tells::default(), Upstream::new());
    let plugin = |word: &str| tells("a", json!({"settings": {"word": word}}));
    let (gateway, config) = changing(&factory, &upstream, json!([plugin("a")]));
    let ask = async || {
        upstream.answer(Answer::chat("hello"));
        assert_eq!(chat(&gateway).await.status(), 200);
        factory.take()
    };
    assert_eq!(ask().await, ["a 1"]);
    let key = |n: usize| json!({"display_name": "key", "api_key": format!("sk-{n}")});
    let built = factory.built.load(Ordering::Relaxed);
    for n in 0..100 {
        let key = Entry::new(Kind::ProviderKey, "key", key(n));
        assert!(config.apply([Change::Put(key)]).into_result().is_ok());
    }
    assert_eq!(
        factory.built.load(Ordering::Relaxed),
        built,
        "nothing was changed about it"
    );
    // Nor is it built anew when something else about the model changes.
    let Change::Put(mut slower) = model(json!([plugin("a")])) else {
        unreachable!("it puts a model")
    };
    slower.value["timeout"] = json!(5_000);
    assert!(config.apply([Change::Put(slower)]).into_result().is_ok());
    assert_eq!(factory.built.load(Ordering::Relaxed), built);
    assert_eq!(ask().await, ["a 2"]);
    config.apply([model(json!([plugin("b"), tells("z", json!({}))]))]);
    assert_eq!(ask().await, ["b 3", "z 1"]);
    config.apply([model(json!([tells("z", json!({}))]))]);
    assert_eq!(ask().await, ["z 2"]);
    config.apply([model(json!([plugin("b")]))]);
    assert_eq!(ask().await, ["b 1"]);
}
