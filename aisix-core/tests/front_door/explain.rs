//! Explanations, held against what the gateway really does.

use std::{
    future::Future,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use aisix_core::{
    Error, ErrorKind, GatewayBuilder,
    body::Body,
    call::{Attempt, Call},
    config::{
        KeyHash,
        resource::{Invalid, Kind, Stage as PluginStage},
    },
    edge::{self, ClientAddr},
    explain::{Explainer, Explanation, Question, Refusal, Stage, Verdict},
    hook::{Built, Context, Hooks, HttpService, Next, PluginFactory, Stages, from_fn},
    limit::{Claim, Exceeded, LimitStore, Memory, Permit},
    testing::{self, API_KEY, Answer, Endings, MODEL, Setup, UPSTREAM_KEY, Upstream},
    upstream::{Endpoint, Provider, Registry, Spec, Transport},
    wire::{Dialect, Operation},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header::AUTHORIZATION};
use serde_json::{Value, json};

use crate::ask::*;

const MESSAGES: &str = "/v1/messages";

fn question() -> Question {
    Question::new().key(API_KEY).model(MODEL)
}

async fn explain(gateway: GatewayBuilder, question: Question) -> Explanation {
    Explainer::new(gateway).explain(question).await.unwrap()
}

fn refused(explanation: &Explanation) -> &Refusal {
    match &explanation.verdict {
        Verdict::Refused(refusal) => refusal,
        Verdict::Sent => panic!("it would be sent: {explanation:?}"),
    }
}

/// Callers and models of every fate.
fn town() -> Setup {
    let key = |text: &str, members: Value| {
        let mut key = json!({"key_hash": KeyHash::of(text).to_hex(), "allowed_models": ["*"]});
        key.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        key
    };
    let model = |name: &str, members: Value| {
        let mut model = json!({"display_name": name, "provider": "plain", "model_name": "up",
            "provider_key_id": "key"});
        model
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        model
    };
    Setup::new()
        .provider_key(json!({"request": {
            "param_renames": {"max_tokens": "max_completion_tokens"},
            "default_body_fields": {"seed": 7},
            "default_headers": {"x-team": "of ${request.api_key.team_id}"},
        }}))
        .add(
            Kind::ApiKey,
            "narrow",
            key("sk-narrow", json!({"allowed_models": ["wild-*"]})),
        )
        .add(
            Kind::ApiKey,
            "off",
            key("sk-off", json!({"disabled": true})),
        )
        .add(
            Kind::ApiKey,
            "old",
            key("sk-old", json!({"expires_at": "2020-01-01T00:00:00Z"})),
        )
        .add(
            Kind::ApiKey,
            "full",
            key("sk-full", json!({"rate_limit": {"rpm": 0}})),
        )
        .add(
            Kind::ApiKey,
            "small",
            key(
                "sk-small",
                json!({"rate_limit": {"tpm": 1, "concurrency": 3}}),
            ),
        )
        .add(
            Kind::Model,
            "wild",
            model("wild-*", json!({"model_name": "w-*"})),
        )
        .add(
            Kind::Model,
            "near",
            model("near", json!({"allowed_cidrs": ["192.0.2.0/24"]})),
        )
        .add(
            Kind::Model,
            "lost",
            model("lost", json!({"provider_key_id": "gone"})),
        )
        .add(
            Kind::Model,
            "odd",
            model("odd", json!({"provider": "nobody"})),
        )
        .add(
            Kind::Model,
            "busy",
            model("busy", json!({"rate_limit": {"concurrency": 0}})),
        )
        .add(
            Kind::Model,
            "strict",
            model("strict", json!({"on_unsupported": "refuse"})),
        )
        .add(
            Kind::ApiKey,
            "team",
            key("sk-team", json!({"team_id": "few"})),
        )
        .add(
            Kind::RateLimitPolicy,
            "few",
            json!({"name": "of a team", "limits": {"rpm": 0}, "conditions": [
                {"dimension": "team", "operator": "==", "value": "few"},
                {"dimension": "model_name", "operator": "~~", "value": "^(wild|busy)"},
            ]}),
        )
        .add(
            Kind::RateLimitPolicy,
            "idle",
            json!({"name": "never", "limits": {"rpd": 0}, "schedules": [{"timezone": "UTC",
                "start_time": "00:00", "end_time": "24:00",
                "days_of_week": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}]}),
        )
        .add(
            Kind::RateLimitPolicy,
            "slots",
            json!({"name": "of each", "limits": {"concurrency": 5}, "group_by": ["model", "api_key"]}),
        )
}

fn bodies(model: &str) -> Vec<(&'static str, String)> {
    let turns = json!([{"role": "user", "content": "hi"}]);
    let chat = |members: Value| {
        let mut body = json!({"model": model, "messages": turns});
        body.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        body.to_string()
    };
    vec![
        (CHAT, chat(json!({}))),
        (
            CHAT,
            chat(json!({"stream": true, "max_tokens": 5, "unknown": [1.50]})),
        ),
        (CHAT, chat(json!({"messages": 7}))),
        (CHAT, format!("{{\"model\": {model:?}, \"messages\": [")),
        (
            CHAT,
            format!(" {{ \"messages\":[], \"model\" : {model:?} }} "),
        ),
        (CHAT, "x".repeat(5_000)),
        (CHAT, String::new()),
        (MESSAGES, chat(json!({"max_tokens": 9}))),
        (
            MESSAGES,
            chat(json!({"max_tokens": 9, "top_k": 3, "stream": true})),
        ),
        (MESSAGES, chat(json!({"max_tokens": "many"}))),
        ("/v1/messages/count_tokens", chat(json!({}))),
        (
            "/v1/responses",
            json!({"model": model, "input": "hi", "previous_response_id": "r"}).to_string(),
        ),
        (
            "/v1/embeddings",
            json!({"model": model, "input": "hi"}).to_string(),
        ),
        ("/v1/nothing", chat(json!({}))),
        ("/v1/models", chat(json!({}))),
    ]
}

/// The same request, explained and made.
async fn agree(key: &str, path: &str, body: &str, client: &str) {
    let settings = edge::Settings {
        body_limit: 4_000,
        ..edge::Settings::default()
    };
    let upstream = Upstream::new();
    let builder = town().builder(&upstream).settings(settings);
    let client: IpAddr = client.parse().unwrap();
    let id = ("x-aisix-request-id", "one-and-the-same");

    let question = Question::new()
        .key(key)
        .operation(path)
        .body(body.to_owned())
        .client(client)
        .header(
            HeaderName::from_static(id.0),
            HeaderValue::from_static(id.1),
        );
    let explainer = Explainer::new(builder.clone());
    let (explanation, shown) = explainer.explain_and_show(question).await.unwrap();
    assert!(upstream.requests().is_empty(), "nothing is sent");

    upstream.answer(Answer::chat("hello"));
    let mut request = Request::post(path)
        .header(AUTHORIZATION, format!("Bearer {key}"))
        .header("content-type", "application/json")
        .header("content-length", body.len())
        .header(id.0, id.1)
        .body(body.to_owned().into())
        .unwrap();
    request
        .extensions_mut()
        .insert(ClientAddr((client, 0).into()));
    let response = send(&builder.build().unwrap(), request).await;
    let status = response.status().as_u16();
    let answer = testing::text(response).await;
    let what = format!("{key} {path} {body} from {client}: {explanation:?}");
    match &explanation.verdict {
        Verdict::Sent => {
            let (shown, sent) = (shown.expect("it is shown"), upstream.last_request());
            assert_eq!(shown.head.method, sent.head.method, "{what}");
            assert_eq!(shown.head.uri, sent.head.uri, "{what}");
            assert_eq!(shown.head.headers, sent.head.headers, "{what}");
            assert_eq!(shown.body, sent.body, "{what}");
        }
        Verdict::Refused(refusal) => {
            assert!(upstream.requests().is_empty(), "{what}");
            assert_eq!(
                (refusal.status, &*refusal.answer),
                (status, answer.as_bytes()),
                "{what}"
            );
            assert!(shown.is_none(), "{what}");
        }
    }
}

#[tokio::test]
async fn what_is_explained_is_what_is_done() {
    let keys = [
        API_KEY,
        "sk-narrow",
        "sk-off",
        "sk-old",
        "sk-full",
        "sk-small",
        "sk-team",
        "sk-unknown",
        " ",
    ];
    let models = [
        MODEL, "wild-1", "near", "lost", "odd", "busy", "strict", "none",
    ];
    for key in keys {
        for model in models {
            for (path, body) in bodies(model) {
                agree(key, path, &body, "127.0.0.1").await;
            }
        }
    }
    for client in ["192.0.2.9", "::ffff:192.0.2.9", "198.51.100.1"] {
        let (path, body) = &bodies("near")[0];
        agree(API_KEY, path, body, client).await;
    }
}

#[tokio::test]
async fn every_stage_refuses_by_its_name() {
    let explain = async |question: Question| {
        let explanation = explain(town().builder(&Upstream::new()), question).await;
        let refusal = refused(&explanation);
        (refusal.stage, refusal.status, refusal.code.clone())
    };
    let code = |code: &str| Some(code.to_owned());
    let asked = |key: &str, model: &str| Question::new().key(key).model(model);
    for (question, expected) in [
        (question().operation("/v1/nothing"), (Stage::Edge, 404, None)),
        (question().operation("/v1/models"), (Stage::Edge, 405, None)),
        (asked("sk-unknown", MODEL), (Stage::Auth, 401, None)),
        (Question::new().model(MODEL), (Stage::Auth, 401, None)),
        (asked("sk-off", MODEL), (Stage::Auth, 401, code("api_key_disabled"))),
        (asked("sk-old", MODEL), (Stage::Auth, 401, code("api_key_expired"))),
        (question().body("{"), (Stage::Ingest, 400, None)),
        (asked(API_KEY, "none"), (Stage::Admit, 404, None)),
        (asked("sk-narrow", MODEL), (Stage::Admit, 403, None)),
        (asked(API_KEY, "near"), (Stage::Admit, 403, code("ip_restricted"))),
        (asked(API_KEY, "lost"), (Stage::Admit, 400, None)),
        (asked(API_KEY, "odd"), (Stage::Admit, 503, None)),
        (asked("sk-full", MODEL), (Stage::Limit, 429, None)),
        (asked(API_KEY, "busy"), (Stage::Limit, 429, None)),
        (asked("sk-team", "wild-1"), (Stage::Limit, 429, None)),
        (
            asked(API_KEY, "strict").operation(MESSAGES).body(
                r#"{"model": "strict", "max_tokens": 9, "top_k": 3, "messages": [{"role": "user", "content": "hi"}]}"#,
            ),
            (Stage::Upstream, 400, None),
        ),
    ] {
        let name = format!("{question:?}");
        assert_eq!(explain(question).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_request_that_would_be_sent_is_told_in_full() {
    let setup = town().api_key(json!({
        "display_name": "Alice", "team_id": "growth", "expires_at": "2999-01-01T00:00:00Z",
        "allowed_models": ["none", "wild-*"], "rate_limit": {"rpm": 5},
    }));
    let body = r#"{"model": "wild-1", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}"#;
    let question = Question::new().key(API_KEY).body(body);
    let mut told = explain(setup.builder(&Upstream::new()), question)
        .await
        .to_json();
    let reset = told["limits"]["list"][0]["rates"][0]["reset_seconds"].take();
    assert!((1..=60).contains(&reset.as_u64().unwrap()), "{reset}");
    let expected = json!({
        "outcome": {"sent": true},
        "gateway": "default",
        "request": {
            "path": CHAT, "route": CHAT, "operation": "chat.completions", "dialect": "openai",
            "model": "wild-1", "stream": false, "body": "given", "client": "127.0.0.1",
        },
        "caller": {
            "id": "caller", "name": "Alice", "team_id": "growth", "user_id": null, "user_name": null,
            "expires_at": "2999-01-01T00:00:00Z", "disabled": false,
        },
        "model": {
            "id": "wild", "name": "wild-*", "found_by": "wildcard", "allowed_by": "wild-*",
            "networks": null, "admits_client": true,
        },
        "limits": {"estimated_tokens": 109, "known": true, "list": [{
            "of": "api_key", "key": "caller", "passes": true, "rates": [{
                "rate": "rpm", "limit": 5, "used": 0, "reserved": 0, "remaining": 5,
                "reset_seconds": null, "passes": true,
            }], "policy": null,
        }, {
            "of": "policy", "key": "policy:v2:slots:api_key=caller:model=wild", "passes": true, "rates": [{
                "rate": "concurrency", "limit": 5, "used": 0, "reserved": 0, "remaining": 5,
                "reset_seconds": null, "passes": true,
            }], "policy": {"id": "slots", "name": "of each"},
        }], "suspended": [{"id": "idle", "name": "never"}]},
        "hooks": {"run": false, "names": []},
        "embeds": null,
        "targets": [{
            "model": "wild-*", "provider": "plain", "provider_key": {"id": "key", "name": "key"},
            "upstream_model": "w-1",
            "replica": null,
            "dialect": "openai", "reason": null,
            "deadlines_ms": {"total": 6_000_000, "head": null, "first_token": null, "gap": 6_000_000},
            "retries": 2,
            "upstream": {
                "url": "http://upstream.test/v1/chat/completions", "own_transport": false,
                "fidelity": "edited", "edited": ["model", "max_completion_tokens", "seed", "max_tokens"],
                "dropped": [],
                "headers": ["authorization", "content-type", "x-aisix-request-id", "x-team"],
                "body_bytes": 104,
            },
        }],
    });
    assert_eq!(told, expected, "{told:#}");
}

#[tokio::test]
async fn a_target_that_cannot_serve_has_a_reason() {
    let reason = async |question: Question| {
        let explanation = explain(town().builder(&Upstream::new()), question).await;
        assert!(!explanation.is_sent());
        let [target] = explanation.targets.as_slice() else {
            panic!("{explanation:?}")
        };
        assert!(target.upstream.is_none());
        target.reason.clone()
    };
    let asked = |model: &str| Question::new().key(API_KEY).model(model);
    for (question, expected) in [
        (asked("lost"), "model \"lost\" has no provider key"),
        (asked("odd"), "no provider \"nobody\" can serve this model"),
        (
            question().operation("/v1/messages/count_tokens"),
            "the provider of model \"test-model\" does not support /v1/messages/count_tokens",
        ),
    ] {
        assert_eq!(reason(question).await.as_deref(), Some(expected));
    }
    assert_eq!(reason(asked("near")).await, None, "it could");
}

#[tokio::test]
async fn a_caller_may_be_named_by_its_key() {
    let rotated = json!({
        "key_hash": KeyHash::of("sk-new").to_hex(), "allowed_models": ["*"],
        "previous_key_hash": KeyHash::of("sk-before").to_hex(),
        "previous_expires_at": "2020-01-01T00:00:00Z",
    });
    let setup = || town().add(Kind::ApiKey, "rotated", rotated.clone());
    let named = |id: &str| Question::new().key_id(id).model(MODEL);
    for id in ["caller", "rotated"] {
        let explanation = explain(setup().builder(&Upstream::new()), named(id)).await;
        assert!(explanation.is_sent(), "{id}: {explanation:?}");
        assert_eq!(explanation.caller.unwrap().id, id);
    }
    // Who is refused is told too, by id and by key.
    for question in [named("off"), Question::new().key("sk-off").model(MODEL)] {
        let explanation = explain(setup().builder(&Upstream::new()), question).await;
        assert_eq!(
            refused(&explanation).code.as_deref(),
            Some("api_key_disabled")
        );
        let caller = explanation.caller.unwrap();
        assert!(caller.is_disabled && caller.id == "off");
    }
    let explainer = Explainer::new(setup().builder(&Upstream::new()));
    let error = explainer.explain(named("nobody")).await.unwrap_err();
    assert_eq!(error.to_string(), "`key_id` names no API key: \"nobody\"");
}

#[tokio::test]
async fn limits_are_looked_at_and_not_taken() {
    let upstream = Upstream::new();
    let store = Memory::with_clock(|| 1_800_000_015);
    let limits = json!({"rate_limit": {"rpm": 2, "tpm": 10_000, "concurrency": 1}});
    let builder = Setup::new()
        .api_key(limits)
        .builder(&upstream)
        .limits(store);
    let explainer = Explainer::new(builder.clone());
    let gateway = builder.build().unwrap();
    let levels = async || {
        let explanation = explainer.explain(question()).await.unwrap();
        let look = explanation.limits.clone().unwrap().look.unwrap();
        let levels = look.limits[0].levels.iter();
        let levels: Vec<_> = levels
            .map(|it| (it.rate.name(), it.used, it.reserved))
            .collect();
        (explanation.is_sent(), levels)
    };
    let idle = (
        true,
        vec![("concurrency", 0, 0), ("tpm", 0, 0), ("rpm", 0, 0)],
    );
    for _ in 0..10 {
        assert_eq!(levels().await, idle);
    }
    // One call under way.
    let gate = testing::Gate::new();
    let mut exchange = upstream.answer(Answer::chat("hello").head_gate(&gate));
    let (called, ()) = tokio::join!(chat(&gateway), async {
        exchange.request().await;
        let (is_sent, levels) = levels().await;
        assert!(!is_sent, "the slot is taken");
        let reserved = levels[1].2;
        assert!(reserved > 0, "{levels:?}");
        assert_eq!(
            levels,
            [("concurrency", 1, 0), ("tpm", 0, reserved), ("rpm", 1, 0)]
        );
        gate.open();
    });
    testing::text(called).await;
    let (is_sent, seen) = levels().await;
    assert!(is_sent);
    assert_eq!((seen[0], seen[2]), (("concurrency", 0, 0), ("rpm", 1, 0)));
    upstream.answer(Answer::chat("hello"));
    assert_eq!(
        chat(&gateway).await.status(),
        200,
        "the explanations took nothing"
    );
    let explanation = explainer.explain(question()).await.unwrap();
    let refusal = refused(&explanation);
    assert_eq!((refusal.stage, refusal.status), (Stage::Limit, 429));
    assert_eq!(refusal.retry_after.unwrap().as_secs(), 45);
}

/// A store that cannot be looked at.
#[derive(Debug)]
struct Foreign(Memory);

impl LimitStore for Foreign {
    fn acquire<'a>(
        &'a self,
        claim: &'a Claim,
    ) -> Pin<Box<dyn Future<Output = Result<Permit, Exceeded>> + Send + 'a>> {
        self.0.acquire(claim)
    }
}

#[tokio::test]
async fn a_store_that_cannot_tell_is_not_asked_for_more() {
    let setup = Setup::new().api_key(json!({"rate_limit": {"rpm": 0}}));
    let builder = setup
        .builder(&Upstream::new())
        .limits(Foreign(Memory::new()));
    let explanation = explain(builder, question()).await;
    assert!(explanation.is_sent(), "as far as is known");
    let limits = &explanation.to_json()["limits"];
    assert_eq!(limits["known"], false);
    assert_eq!(limits["list"][0]["passes"], Value::Null);
    assert_eq!(
        limits["list"][0]["rates"],
        json!([{"rate": "rpm", "limit": 0}])
    );
}

async fn policy(call: Call, next: Next) -> Result<aisix_core::reply::Reply, Error> {
    next.run(call).await
}

#[tokio::test]
async fn hooks_are_named_and_not_run_and_nobody_observes() {
    let runs = Arc::new(AtomicU32::new(0));
    let counted = runs.clone();
    let endings = Endings::new();
    let builder = Setup::new()
        .builder(&Upstream::new())
        .hook(from_fn(policy))
        .hook(tower::timeout::TimeoutLayer::new(
            std::time::Duration::from_secs(1),
        ))
        .hook(from_fn(move |call: Call, next: Next| {
            counted.fetch_add(1, Ordering::Relaxed);
            next.run(call)
        }))
        .observe(endings.clone());
    let explanation = explain(builder, question()).await;
    assert!(explanation.is_sent());
    let hooks = &explanation.hooks;
    assert_eq!(hooks[0], "front_door::explain::policy");
    assert_eq!(hooks[1], "tower::timeout::layer::TimeoutLayer");
    assert!(hooks[2].contains("hooks_are_named"), "{hooks:?}");
    assert_eq!(hooks.len(), 3);
    assert_eq!(runs.load(Ordering::Relaxed), 0);
    assert!(endings.all().is_empty());
}

/// A hook that refuses everything, on calls or over HTTP.
struct Refuses(&'static str);

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoSettings {}

impl PluginFactory for Refuses {
    type Settings = NoSettings;

    fn name(&self) -> &'static str {
        self.0
    }

    fn stages(&self) -> Stages {
        Stages::Fixed(&[PluginStage::PreRequest])
    }

    fn build(&self, _: NoSettings, _: &Context<'_>) -> Result<Built, Vec<Invalid>> {
        let error = || Error::new(ErrorKind::Blocked, "no");
        Ok(match self.0 {
            "over-http" => Built::http(tower::layer::layer_fn(move |_: HttpService| {
                tower::service_fn(move |_| async move { Err::<http::Response<Body>, _>(error()) })
            })),
            _ => Built::hook(from_fn(move |_: Call, _: Next| async move { Err(error()) })),
        })
    }
}

#[tokio::test]
async fn hooks_of_the_configuration_are_named_in_their_order_and_not_run() {
    let plugin = |name: &str| json!({"name": name});
    let setup = || {
        Setup::new()
            .hooks(
                Hooks::new()
                    .plugin(Refuses("on-calls"))
                    .plugin(Refuses("over-http")),
            )
            .model(json!({"plugins": [plugin("on-calls")]}))
    };
    let key = json!({"plugins": [plugin("over-http")]});
    for setup in [setup(), setup().api_key(key)] {
        let builder = setup.builder(&Upstream::new()).hook(from_fn(policy));
        let (status, _) = refusal(chat(&builder.clone().build().unwrap()).await).await;
        assert_eq!(status, 422, "the gateway runs them");
        let explanation = explain(builder, question()).await;
        assert!(explanation.is_sent(), "{explanation:?}");
        let expected = ["over-http", "front_door::explain::policy", "on-calls"];
        let expected = &expected[3 - explanation.hooks.len()..];
        assert_eq!(explanation.hooks, expected);
    }
}

/// A provider with a transport of its own.
struct Inside(Upstream);

struct InsideEndpoint(Upstream);

impl Provider for Inside {
    fn kind(&self) -> &'static str {
        "inside"
    }

    fn has_default_base(&self) -> bool {
        true
    }

    fn endpoint(&self, _: &Spec<'_>) -> Result<Arc<dyn Endpoint>, Error> {
        Ok(Arc::new(InsideEndpoint(self.0.clone())))
    }
}

#[async_trait::async_trait]
impl Endpoint for InsideEndpoint {
    fn dialect(&self, _: &Operation) -> Option<Dialect> {
        Some(Dialect::OpenAi)
    }

    async fn prepare(&self, _: &Attempt, body: Bytes) -> Result<Request<Body>, Error> {
        let url = "http://user:pass-word@inside.test:8080/chat?key=query-secret";
        Ok(Request::post(url)
            .header("x-secret", "header-secret")
            .body(body.into())
            .unwrap())
    }

    fn transport(&self) -> Option<&dyn Transport> {
        Some(&self.0)
    }
}

#[tokio::test]
async fn nothing_goes_out_by_an_endpoints_own_transport_and_no_secret_is_told() {
    let upstream = Upstream::new();
    let setup = Setup::new()
        .providers(Registry::new().provider(Inside(upstream.clone())))
        .model(json!({"provider": "inside"}));
    let explainer = Explainer::new(setup.builder(&Upstream::new()));
    let asked = question();
    let printed = format!("{asked:?}");
    let explanation = explainer.explain(asked).await.unwrap();
    assert!(explanation.is_sent());
    assert!(upstream.requests().is_empty());
    let sent = explanation.targets[0].upstream.as_ref().unwrap();
    assert_eq!(
        (sent.url.as_str(), sent.has_own_transport),
        ("http://inside.test:8080/chat", true)
    );
    let text = format!("{printed} {explanation:?} {}", explanation.to_json());
    let hash = KeyHash::of(API_KEY).to_hex();
    for secret in [
        API_KEY,
        UPSTREAM_KEY,
        "pass-word",
        "query-secret",
        "header-secret",
        &hash,
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn endpoints_are_asked_with_a_minimal_body_by_path_or_name() {
    for (operation, path) in [
        (MESSAGES, MESSAGES),
        ("messages", MESSAGES),
        ("/v1/embeddings", "/v1/embeddings"),
        ("/v1/responses", "/v1/responses"),
        (
            "generate_content",
            "/v1beta/models/test%2Dmodel:generateContent",
        ),
        (
            "/v1beta/models/test-model:streamGenerateContent",
            "/v1beta/models/test-model:streamGenerateContent",
        ),
    ] {
        let explanation = explain(
            Setup::new().builder(&Upstream::new()),
            question().operation(operation),
        )
        .await;
        assert_eq!(explanation.request.path, path);
        assert!(!explanation.request.has_body);
        let is_offered = refused_or_none(&explanation).is_none_or(|refusal| refusal.status == 501);
        assert!(is_offered, "{operation}: {explanation:?}");
    }
}

fn refused_or_none(explanation: &Explanation) -> Option<&Refusal> {
    match &explanation.verdict {
        Verdict::Sent => None,
        Verdict::Refused(refusal) => Some(refusal),
    }
}

#[tokio::test]
async fn a_question_without_sense_has_no_answer() {
    let explainer = Explainer::new(Setup::new().builder(&Upstream::new()));
    let bare = || Question::new().key(API_KEY);
    for (question, member) in [
        (bare(), "model"),
        (bare().operation("generate_content"), "model"),
        (
            bare().model("x".repeat(9_999)).body(r#"{"model": ""}"#),
            "model",
        ),
        (
            question().body(format!(r#"{{"model": "{}"}}"#, "x".repeat(9_999))),
            "model",
        ),
        (
            Question::new().key_id("x".repeat(9_999)).model(MODEL),
            "key_id",
        ),
        (question().body(r#"{"model": "another"}"#), "model"),
        (
            question().operation("/v1beta/models/another:generateContent"),
            "model",
        ),
        (question().operation("nowhere"), "operation"),
        (question().operation("/v1/a b"), "operation"),
        (question().key("line\nbreak"), "key"),
    ] {
        let error = explainer.explain(question).await.unwrap_err();
        assert_eq!(error.member, member, "{error}");
        assert!(error.message.len() < 300, "{error}");
    }
}
