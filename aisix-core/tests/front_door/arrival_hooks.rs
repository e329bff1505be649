//! Hooks before authentication that configuration names.

use aisix_core::{
    Error, ErrorKind, Gateway,
    body::Body,
    call::{Caller, Trail},
    config::{
        Change, Entry, Kind,
        resource::{Invalid, Stage},
    },
    edge::Settings,
    hook::{Built, Context, Hooks, HttpService, PluginFactory, Stages},
    testing::{self, Answer, Endings, MODEL, Setup, Upstream},
};
use http::{HeaderValue, Request, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::{ServiceExt, service_fn};

use crate::ask::*;

/// Stamps answers.
struct Door;

#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Does {
    stamp: String,
    /// Where it sends the request instead.
    #[serde(default)]
    path: Option<String>,
    /// Refuses, answers by itself, or panics.
    #[serde(default)]
    instead: Option<String>,
}

impl PluginFactory for Door {
    type Settings = Does;

    fn name(&self) -> &'static str {
        "door"
    }

    fn stages(&self) -> Stages {
        Stages::OneOf(&[Stage::PreRequest, Stage::PreResponse])
    }

    fn build(&self, does: Does, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        Ok(Built::arrival(tower::layer::layer_fn(
            move |inner: HttpService| {
                let does = does.clone();
                service_fn(move |request| open(inner.clone(), does.clone(), request))
            },
        )))
    }
}

async fn open(
    inner: HttpService,
    does: Does,
    mut request: Request<Body>,
) -> Result<Response<Body>, Error> {
    let extensions = request.extensions();
    assert!(extensions.get::<std::sync::Arc<Caller>>().is_none());
    extensions
        .get::<Trail>()
        .unwrap()
        .mark("door", does.stamp.clone());
    match does.instead.as_deref() {
        Some("refuse") => return Err(Error::new(ErrorKind::Forbidden, "not today")),
        Some("answer") => return Ok(Response::new(Body::full("mine"))),
        Some("panic") => panic!("oh"),
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
    json!({"name": "door", "id": settings["stamp"], "stage": "pre_request", "settings": settings})
}

fn of_gateway(plugins: Value) -> Setup {
    let document = json!({"name": "default", "plugins": plugins});
    let setup = Setup::new().add(Kind::Gateway, "default", document);
    setup.hooks(Hooks::new().plugin(Door))
}

fn gateway(upstream: &Upstream, settings: Value) -> (Gateway, Endings) {
    let endings = Endings::new();
    let builder = of_gateway(json!([plugin(settings)])).builder(upstream);
    let settings = Settings {
        body_limit: 1_000,
        ..Settings::default()
    };
    let builder = builder.settings(settings).observe(endings.clone());
    (builder.build().unwrap(), endings)
}

fn stamps(response: &Response<Body>) -> Vec<&str> {
    let stamps = response.headers().get_all("x-stamp").iter();
    stamps.map(|stamp| stamp.to_str().unwrap()).collect()
}

fn stranger(method: &str, path: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn they_stand_around_whatever_is_answered_but_probes() {
    let upstream = Upstream::new();
    let (gateway, endings) = gateway(&upstream, json!({"stamp": "a"}));
    upstream.answer(Answer::chat("hello"));
    let response = chat(&gateway).await;
    assert_eq!(stamps(&response), ["a"]);
    assert_eq!(testing::text(response).await, testing::chat_answer("hello"));
    assert_eq!(endings.only().usage.unwrap().total(), 12);

    let mut large = testing::chat_request("hi");
    large
        .headers_mut()
        .insert("content-length", HeaderValue::from_static("1001"));
    for (request, status) in [
        (get("/v1/models"), 200),
        (stranger("POST", CHAT), 401),
        (stranger("GET", "/v1/models"), 401),
        (stranger("OPTIONS", CHAT), 405),
        (stranger("GET", "/nowhere"), 404),
        (large, 413),
    ] {
        let response = send(&gateway, request).await;
        let got = (response.status().as_u16(), stamps(&response));
        assert_eq!(got, (status, vec!["a"]));
    }
    let response = send(&gateway, stranger("GET", "/livez")).await;
    assert_eq!(stamps(&response), Vec::<&str>::new());
}

#[tokio::test]
async fn refusals_are_in_the_dialect_of_the_caller() {
    let (gateway, endings) = gateway(&Upstream::new(), json!({"stamp": "a"}));
    let (status, body) = refusal(send(&gateway, stranger("POST", "/v1/messages")).await).await;
    assert_eq!((status, &body["type"]), (401, &json!("error")));
    let (status, body) = refusal(send(&gateway, stranger("GET", "/v1beta/x")).await).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!(404)));
    let kinds: Vec<_> = endings.all().iter().map(|ending| ending.error).collect();
    let expected = [ErrorKind::Unauthenticated, ErrorKind::NotFound];
    assert_eq!(kinds, expected.map(Some));
}

#[tokio::test]
async fn one_may_refuse_answer_or_fail_before_anybody_is_known() {
    for (instead, status, text) in [
        ("refuse", 403, "not today"),
        ("answer", 200, "mine"),
        ("panic", 500, "a hook failed"),
    ] {
        let (gateway, endings) =
            gateway(&Upstream::new(), json!({"stamp": "a", "instead": instead}));
        let response = send(&gateway, stranger("POST", CHAT)).await;
        assert_eq!(response.status(), status);
        assert!(testing::text(response).await.contains(text));
        assert_eq!(endings.only().status.unwrap(), status);
    }
}

#[tokio::test]
async fn a_path_that_is_rewritten_is_looked_up_again_and_still_asks_who_calls() {
    for (path, status) in [("/v1/models", 401), ("/livez", 404), (CHAT, 405)] {
        let (gateway, _) = gateway(&Upstream::new(), json!({"stamp": "a", "path": path}));
        let response = send(&gateway, stranger("GET", "/elsewhere")).await;
        assert_eq!(response.status(), status, "{path}");
    }
}

#[tokio::test]
async fn lower_priorities_run_first_and_those_on_the_answer_last() {
    let upstream = Upstream::new();
    upstream.answer(Answer::chat("hello"));
    let with = |stamp: &str, stage: &str, priority: u16| {
        json!({"name": "door", "id": stamp, "stage": stage, "priority": priority,
            "settings": {"stamp": stamp}})
    };
    let gateway = of_gateway(json!([
        with("out", "pre_response", 1),
        with("in 9", "pre_request", 9),
        with("in 8", "pre_request", 8),
    ]))
    .gateway(&upstream);
    assert_eq!(stamps(&chat(&gateway).await), ["in 9", "in 8", "out"]);
}

#[tokio::test]
async fn a_client_that_leaves_a_stream_is_noticed() {
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

#[test]
fn they_can_hang_on_a_gateway_only() {
    let setup = Setup::new().hooks(Hooks::new().plugin(Door));
    let config = setup.config();
    let plugins = json!([plugin(json!({"stamp": "a"}))]);
    for (kind, mut document) in [
        (
            Kind::Model,
            json!({"display_name": "m", "provider": "plain", "model_name": MODEL,
                "provider_key_id": "key"}),
        ),
        (
            Kind::ApiKey,
            json!({"key_hash": "0".repeat(64), "allowed_models": ["*"]}),
        ),
    ] {
        document["plugins"] = plugins.clone();
        let report = config.apply([Change::Put(Entry::new(kind, "m", document))]);
        let expected =
            "`plugins[0].name` runs before the caller is known: it can hang on a gateway only";
        assert!(report.to_string().contains(expected), "{report}");
    }
}
