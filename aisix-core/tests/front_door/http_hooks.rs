//! Hooks over HTTP that configuration names.

use std::sync::{Arc, Mutex};

use aisix_core::{
    Error, ErrorKind, Gateway,
    body::Body,
    call::{Call, Caller},
    config::{
        Kind,
        resource::{Invalid, Stage},
    },
    hook::{Built, Context, Hooks, HttpService, Next, PluginFactory, Stages, from_fn},
    testing::{self, Answer, Endings, Setup, Upstream},
    wire::{Edits, json_string},
};
use http::{HeaderValue, Request, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};

use crate::ask::*;

#[derive(Clone, Default)]
struct Stamps(Arc<Mutex<Vec<String>>>);

/// What the hook does.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Does {
    /// What it stamps the answer with.
    stamp: String,
    /// Where it sends the request instead.
    #[serde(default)]
    path: Option<String>,
    /// Refuses, answers by itself, forgets what belongs to the answer, or panics.
    #[serde(default)]
    instead: Option<String>,
}

impl PluginFactory for Stamps {
    type Settings = Does;

    fn name(&self) -> &'static str {
        "stamps"
    }

    fn stages(&self) -> Stages {
        Stages::OneOf(&[Stage::PreRequest, Stage::PreResponse])
    }

    fn build(&self, does: Does, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        let log = self.0.clone();
        Ok(Built::http(tower::layer::layer_fn(
            move |inner: HttpService| {
                let (does, log) = (does.clone(), log.clone());
                service_fn(move |request| stamp(inner.clone(), does.clone(), log.clone(), request))
            },
        )))
    }
}

async fn stamp(
    inner: HttpService,
    does: Does,
    log: Arc<Mutex<Vec<String>>>,
    mut request: Request<Body>,
) -> Result<Response<Body>, Error> {
    let caller = request
        .extensions()
        .get::<Arc<Caller>>()
        .unwrap()
        .id()
        .clone();
    log.lock().unwrap().push(format!("{} {caller}", does.stamp));
    match does.instead.as_deref() {
        Some("refuse") => return Err(Error::new(ErrorKind::Forbidden, "not today")),
        Some("answer") => return Ok(Response::new(Body::full("mine"))),
        Some("panic") => panic!("oh"),
        Some("forget") => {
            let response = inner.oneshot(request).await?;
            return Ok(Response::new(response.into_body()));
        }
        _ => {}
    }
    if let Some(path) = &does.path {
        *request.uri_mut() = path.parse().unwrap();
    }
    let mut response = inner.oneshot(request).await?;
    let stamp = HeaderValue::try_from(does.stamp).unwrap();
    response.headers_mut().append("x-stamp", stamp);
    Ok(response)
}

fn plugin(settings: Value) -> Value {
    json!({"name": "stamps", "id": settings["stamp"], "stage": "pre_request", "settings": settings})
}

fn of_gateway(plugins: Value) -> Setup {
    let document = json!({"name": "default", "plugins": plugins});
    let setup = Setup::new().add(Kind::Gateway, "default", document);
    setup.hooks(Hooks::new().plugin(Stamps::default()))
}

fn gateway(upstream: &Upstream, settings: Value) -> (Gateway, Endings) {
    let endings = Endings::new();
    let builder = of_gateway(json!([plugin(settings)])).builder(upstream);
    (builder.observe(endings.clone()).build().unwrap(), endings)
}

fn stamps(response: &Response<Body>) -> Vec<&str> {
    let stamps = response.headers().get_all("x-stamp").iter();
    stamps.map(|stamp| stamp.to_str().unwrap()).collect()
}

#[tokio::test]
async fn they_stand_around_every_route_and_every_refusal_further_in() {
    let upstream = Upstream::new();
    let (gateway, endings) = gateway(&upstream, json!({"stamp": "a"}));
    upstream.answer(Answer::chat("hello"));
    let response = chat(&gateway).await;
    assert_eq!(
        (response.status().as_u16(), stamps(&response)),
        (200, vec!["a"])
    );
    assert_eq!(testing::text(response).await, testing::chat_answer("hello"));
    let ending = endings.only();
    assert_eq!(
        (ending.word, ending.usage.unwrap().total()),
        ("success", 12)
    );

    let response = send(&gateway, get("/v1/models")).await;
    assert_eq!(
        (response.status().as_u16(), stamps(&response)),
        (200, vec!["a"])
    );
    let unknown = testing::request("/v1/messages", r#"{"model": "unknown"}"#);
    let response = send(&gateway, unknown).await;
    assert_eq!(stamps(&response), ["a"]);
    let (status, body) = refusal(response).await;
    assert_eq!(
        (status, &body["type"]),
        (400, &json!("error")),
        "in the caller's dialect"
    );
    let last = endings.all().pop().unwrap();
    assert_eq!(
        (last.word, last.error),
        ("refused", Some(ErrorKind::InvalidRequest))
    );

    let mut stranger = testing::chat_request("hi");
    stranger.headers_mut().remove("authorization");
    let response = send(&gateway, stranger).await;
    assert_eq!(
        (response.status().as_u16(), stamps(&response).len()),
        (401, 0)
    );
}

#[tokio::test]
async fn those_on_the_answer_come_after_all_others_lower_priorities_first() {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let with = |stamp: &str, stage: &str, priority: u16| {
        json!({"name": "stamps", "id": stamp, "stage": stage, "priority": priority,
            "settings": {"stamp": stamp}})
    };
    let gateway = of_gateway(json!([
        with("out 2", "pre_response", 2),
        with("out 1", "pre_response", 1),
        with("in 9", "pre_request", 9),
        with("in 8", "pre_request", 8),
    ]))
    .gateway(&upstream);
    let response = chat(&gateway).await;
    assert_eq!(stamps(&response), ["in 9", "in 8", "out 1", "out 2"]);
}

#[tokio::test]
async fn streams_pass_and_a_client_that_leaves_is_noticed() {
    let upstream = Upstream::new();
    let (gateway, endings) = gateway(&upstream, json!({"stamp": "a"}));
    let mut exchange = upstream.answer(Answer::stream().content("Hello").stall());
    let response = stream(&gateway).await;
    assert_eq!(stamps(&response), ["a"]);
    let mut body = response.into_body();
    let first = testing::next_text(&mut body).await;
    assert!(first.is_some_and(|text| text.contains("Hello")));
    drop(body);
    assert_eq!(exchange.ended().await, testing::Ended::Dropped);
    assert_eq!(endings.only().word, "cancelled");
}

#[tokio::test]
async fn one_may_refuse_answer_or_fail() {
    for (instead, status, text) in [
        ("refuse", 403, "not today"),
        ("answer", 200, "mine"),
        ("panic", 500, "a hook failed"),
    ] {
        let (gateway, endings) =
            gateway(&Upstream::new(), json!({"stamp": "a", "instead": instead}));
        let response = chat(&gateway).await;
        assert_eq!(response.status(), status);
        assert!(testing::text(response).await.contains(text));
        assert_eq!(endings.only().status.unwrap(), status);
    }
}

#[tokio::test]
async fn limits_are_given_back_when_a_hook_throws_an_answer_away() {
    let upstream = Upstream::new();
    let setup = of_gateway(json!([plugin(json!({"stamp": "a", "instead": "forget"}))]));
    let gateway = setup
        .api_key(json!({"rate_limit": {"concurrency": 1}}))
        .gateway(&upstream);
    for _ in 0..3 {
        upstream.answer(Answer::chat("hello"));
        let response = chat(&gateway).await;
        assert_eq!(response.status(), 200);
        assert_eq!(testing::text(response).await, testing::chat_answer("hello"));
    }
}

#[tokio::test]
async fn a_path_that_is_rewritten_is_looked_up_again() {
    for (path, status) in [
        ("/v1/embeddings", 400),
        ("/v1/unknown", 404),
        ("/v1/models", 405),
    ] {
        let (gateway, _) = gateway(&Upstream::new(), json!({"stamp": "a", "path": path}));
        let (got, body) = refusal(chat(&gateway).await).await;
        assert_eq!(got, status, "{path}: {body}");
    }
    let (gateway, _) = gateway(&Upstream::new(), json!({"stamp": "a", "path": "/livez"}));
    let response = send(&gateway, get("/v1/models")).await;
    assert_eq!(response.status(), 404, "probes are answered before");
}

#[tokio::test]
async fn a_key_overrides_a_gateway_and_a_model_cannot_have_one() {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let setup = of_gateway(json!([plugin(json!({"stamp": "g"}))]));
    let key = json!({"plugins": [plugin(json!({"stamp": "k"}))]});
    let gateway = setup.api_key(key).gateway(&upstream);
    assert_eq!(stamps(&chat(&gateway).await), ["k"]);

    let setup = Setup::new().hooks(Hooks::new().plugin(Stamps::default()));
    let config = setup.config();
    let document = json!({"display_name": "m", "provider": "plain", "model_name": "m",
        "provider_key_id": "key", "plugins": [plugin(json!({"stamp": "m"}))]});
    let entry = aisix_core::config::Entry::new(Kind::Model, "m", document);
    let report = config.apply([aisix_core::config::Change::Put(entry)]);
    let expected = "models/m: `plugins[0].name` runs before the model is known: \
        it can hang on a gateway or an API key";
    assert_eq!(report.to_string(), expected);
}

/// A plugin with a hook in either phase. The one over HTTP hands a word to the one on calls.
struct Twice;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Says {
    word: String,
}

/// What is handed over.
#[derive(Clone)]
struct Handed(Arc<str>);

impl PluginFactory for Twice {
    type Settings = Says;

    fn name(&self) -> &'static str {
        "twice"
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[Stage::PreRequest])
    }

    fn build(&self, says: Says, context: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        let word: Arc<str> = says.word.into();
        let on_calls = from_fn({
            let word = word.clone();
            move |mut call: Call, next: Next| {
                let handed = call.inbound.head.extensions.get::<Handed>();
                let handed = handed.map_or("nobody", |Handed(word)| word);
                let user = format!("{word} after {handed}");
                async move {
                    let mut edits = Edits::new();
                    edits.set("user", json_string(&user));
                    call.inbound.payload.edit(&edits).unwrap();
                    next.run(call).await
                }
            }
        });
        if context.owner().kind == Kind::Model {
            return Ok(Built::hook(on_calls));
        }
        let over_http = tower::layer::layer_fn(move |inner: HttpService| {
            let word = word.clone();
            service_fn(move |mut request: Request<Body>| {
                let (inner, word) = (inner.clone(), word.clone());
                request.extensions_mut().insert(Handed(word.clone()));
                async move {
                    let mut response = inner.oneshot(request).await?;
                    let stamp = HeaderValue::try_from(&*word).unwrap();
                    response.headers_mut().append("x-stamp", stamp);
                    Ok::<_, Error>(response)
                }
            })
        });
        Ok(Built::http(over_http).and_hook(on_calls))
    }
}

#[tokio::test]
async fn a_plugin_may_have_a_hook_in_either_phase() {
    let twice = |word: &str| json!({"plugins": [{"name": "twice", "settings": {"word": word}}]});
    let setup = || {
        let mut gateway = twice("gateway");
        gateway["name"] = json!("default");
        let setup = Setup::new().add(Kind::Gateway, "default", gateway);
        setup.hooks(Hooks::new().plugin(Twice))
    };
    for (setup, stamp, user) in [
        (setup(), "gateway", "gateway after gateway"),
        (setup().api_key(twice("key")), "key", "key after key"),
        (
            setup().model(twice("model")),
            "gateway",
            "model after gateway",
        ),
    ] {
        let upstream = Upstream::new();
        upstream.answer(Answer::chat("hello"));
        let gateway = setup.gateway(&upstream);
        assert_eq!(stamps(&chat(&gateway).await), [stamp], "{user}");
        assert_eq!(upstream.last_request().json()["user"], user);
        let models = send(&gateway, get("/v1/models")).await;
        assert_eq!(stamps(&models), [stamp], "{user}");
    }
}
