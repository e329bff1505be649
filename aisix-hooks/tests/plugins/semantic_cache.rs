//! Caches that answer what is alike.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use aisix_core::{
    BoxError, Gateway,
    body::Body,
    call::Trail,
    config::{Change, Config, Entry, Key, KeyHash, Kind},
    explain::{Explainer, Question, Verdict},
    observe::Observer,
    reply::Outcome,
    testing::{self, API_KEY, Answer, MODEL, Setup, Upstream},
};
use aisix_hooks::observe::{Metrics, MetricsSettings};
use futures_util::future::join;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::Service;

use crate::ask::*;

/// An upstream that answers every chat, each with another number, and makes vectors of texts that name an angle, such as
/// `hi @30`.
#[derive(Clone, Default)]
struct Oracle {
    chats: Upstream,
    embeddings: Upstream,
    /// What the embeddings answer instead.
    instead: Arc<Mutex<Option<Answer>>>,
    /// How long chats take.
    thinks: Arc<Mutex<Duration>>,
}

impl Oracle {
    fn chat(&self, body: &Value) {
        let text = format!("answer {}", self.chats.requests().len() + 1);
        let answer = match body["stream"] == true {
            false => Answer::chat(&text),
            true => Answer::stream().content(&text).finish().usage(5, 7).done(),
        };
        let thinks = *self.thinks.lock().unwrap();
        self.chats.answer(answer.head_after(thinks));
    }

    fn embed(&self, body: &Value) {
        let instead = self.instead.lock().unwrap().clone();
        let answer = instead.unwrap_or_else(|| {
            let (_, degrees) = body["input"].as_str().unwrap().rsplit_once('@').unwrap();
            let (sin, cos) = degrees.parse::<f64>().unwrap().to_radians().sin_cos();
            vector(&[cos * 3.0, sin * 3.0])
        });
        self.embeddings.answer(answer);
    }
}

impl Service<Request<Body>> for Oracle {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let mut oracle = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let said: Value = serde_json::from_slice(&body)?;
            let upstream = if head.uri.path().ends_with("/embeddings") {
                oracle.embed(&said);
                &mut oracle.embeddings
            } else {
                oracle.chat(&said);
                &mut oracle.chats
            };
            upstream
                .call(Request::from_parts(head, Body::full(body)))
                .await
        })
    }
}

fn vector(parts: &[f64]) -> Answer {
    let data = json!([{"index": 0, "embedding": parts}]);
    let usage = json!({"prompt_tokens": 3, "total_tokens": 3});
    let body = json!({"object": "list", "data": data, "usage": usage});
    Answer::json(200, &body)
}

/// Marks of the last request, and how many attempts were its own.
#[derive(Clone, Default)]
struct Last(Arc<Mutex<(u32, String)>>);

impl Observer for Last {
    fn ended(&self, trail: &Trail, _: &Outcome<'_>) {
        // How long a vector took is another time each time.
        let marks = trail.marks().into_iter();
        let marks = marks.filter(|(name, _)| *name != "cache_embedding_ms");
        let marks: Vec<_> = marks.map(|mark| format!("{}={}", mark.0, mark.1)).collect();
        *self.0.lock().unwrap() = (trail.attempt_count(), marks.join(" "));
    }
}

/// A request that asks something.
type Variant<'a> = &'a dyn Fn(&str) -> Request<Body>;

struct House {
    oracle: Oracle,
    config: Config,
    gateway: Gateway,
    metrics: Metrics,
    last: Last,
}

/// What a caller got.
#[derive(Debug)]
struct Got {
    /// `miss`, `bypass`, `exact`, or how alike it was.
    how: String,
    text: String,
}

/// A policy for all, which takes what is within some eighteen degrees for alike.
fn policy(members: Value) -> Value {
    let semantic = json!({"embedding_model": "embedder", "threshold": 0.95});
    let mut policy = json!({"name": "alike", "semantic": semantic});
    for (name, value) in members.as_object().unwrap() {
        match name.strip_prefix("semantic.") {
            Some(name) => policy["semantic"][name] = value.clone(),
            None => policy[name] = value.clone(),
        }
    }
    policy
}

fn house(members: Value) -> House {
    house_with(members, Setup::new())
}

fn house_with(members: Value, setup: Setup) -> House {
    let model = |name: &str, upstream: &str| {
        json!({"display_name": name, "provider": "plain", "model_name": upstream,
            "provider_key_id": "key"})
    };
    let mut embedder = model("embedder", "embed-1");
    embedder["embedding"] = json!({"dimensions": 2});
    let key =
        json!({"key_hash": KeyHash::of("sk-other").to_hex(), "allowed_models": [MODEL, "other"]});
    let config = setup
        .hooks(aisix_hooks::hooks())
        .add(Kind::Model, "other", model("other", "upstream-model"))
        .add(Kind::Model, "embedder", embedder)
        .add(Kind::Model, "embedder-2", model("embedder-2", "embed-2"))
        .add(Kind::ApiKey, "other", key)
        .config();
    let (oracle, last) = (Oracle::default(), Last::default());
    let metrics = Metrics::new(MetricsSettings::default());
    let gateway = Gateway::builder(config.clone())
        .transport(oracle.clone())
        .observe(last.clone())
        .observe(metrics.clone())
        .build()
        .unwrap();
    let house = House {
        oracle,
        config,
        gateway,
        metrics,
        last,
    };
    house.put("1", policy(members));
    house
}

impl House {
    fn put(&self, id: &str, policy: Value) {
        let change = Change::Put(Entry::new(Kind::CachePolicy, id, policy));
        let result = self.config.apply([change]).into_result();
        assert!(result.is_ok(), "{result:?}");
    }

    async fn ask(&self, request: Request<Body>) -> Got {
        let response = send(&self.gateway, request).await;
        assert_eq!(response.status(), 200);
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map(|value| value.to_str().unwrap().to_owned())
        };
        let layer = header("x-aisix-cache-layer");
        let how = match (header("x-aisix-cache").as_deref(), layer.as_deref()) {
            (Some("hit"), Some("semantic")) => header("x-aisix-cache-similarity").unwrap(),
            (Some("hit"), layer) => layer.unwrap().to_owned(),
            (other, layer) => {
                assert_eq!(layer, None);
                other.unwrap_or_default().to_owned()
            }
        };
        let text = testing::text(response).await;
        Got { how, text }
    }

    async fn how(&self, request: Request<Body>) -> String {
        self.ask(request).await.how
    }

    /// How many vectors were made.
    fn embedded(&self) -> usize {
        self.oracle.embeddings.requests().len()
    }

    fn answer_embeddings_by(&self, answer: impl Into<Option<Answer>>) {
        *self.oracle.instead.lock().unwrap() = answer.into();
    }
}

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn chat_with(members: Value) -> Request<Body> {
    let mut body = json!({"model": MODEL});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    testing::request("/v1/chat/completions", body.to_string())
}

fn chat(text: &str) -> Request<Body> {
    chat_with(json!({"messages": [user(text)]}))
}

fn with(mut request: Request<Body>, name: &'static str, value: &'static str) -> Request<Body> {
    let value = HeaderValue::from_static(value);
    request.headers_mut().insert(name, value);
    request
}

#[tokio::test]
async fn what_is_alike_is_answered_alike_and_what_is_not_is_not() {
    let house = house(json!({}));
    let first = house.ask(chat("hi @0")).await;
    assert_eq!(first.how, "miss");
    let question = house.oracle.embeddings.last_request();
    assert_eq!(
        question.json(),
        json!({"model": "embed-1", "input": "hi @0", "encoding_format": "float"})
    );
    for _ in 0..2 {
        // Alike again the second time: it was never asked like that.
        let second = house.ask(chat("hello @10")).await;
        assert_eq!((&*second.how, &second.text), ("0.9848", &first.text));
    }
    let response = send(&house.gateway, chat("hello @10")).await;
    assert_eq!(response.headers()["age"], "0");
    assert_eq!(house.embedded(), 4);
    assert_eq!(house.how(chat("hi @0")).await, "exact");
    assert_eq!(house.embedded(), 4);
    let third = house.ask(chat("bye @30")).await;
    assert_eq!(third.how, "miss");
    // The nearest one is taken.
    let fourth = house.ask(chat("bye @16")).await;
    assert_eq!((&*fourth.how, &fourth.text), ("0.9703", &third.text));
    assert_eq!(house.how(chat("other @60")).await, "miss");
    assert_eq!(house.oracle.chats.requests().len(), 3);
}

#[tokio::test]
async fn every_dialect_of_chats_is_served_and_each_by_itself() {
    let house = house(json!({}));
    for (request, alike) in requests("hi @0", false)
        .into_iter()
        .zip(requests("hello @10", false))
    {
        let path = request.uri().path().to_owned();
        let first = house.ask(request).await;
        assert_eq!(first.how, "miss", "{path}");
        let second = house.ask(alike).await;
        assert_eq!(
            (&*second.how, second.text),
            ("0.9848", first.text),
            "{path}"
        );
    }
}

#[tokio::test]
async fn whatever_else_can_change_the_answer_must_be_the_same() {
    let house = house(json!({}));
    assert_eq!(house.how(chat("hi @0")).await, "miss");
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let system = json!({"role": "system", "content": "be @0"});
    let said = json!({"role": "assistant", "content": "well @0"});
    let variants: [Variant<'_>; 9] = [
        &|text| with(chat(text), "authorization", "Bearer sk-other"),
        &|text| with(chat(text), "openai-beta", "some"),
        &|text| chat_with(json!({"messages": [user(text)], "model": "other"})),
        &|text| chat_with(json!({"messages": [user(text)], "tools": tools})),
        &|text| chat_with(json!({"messages": [user(text)], "temperature": 0.1})),
        &|text| chat_with(json!({"messages": [user(text)], "strange": 1})),
        &|text| chat_with(json!({"messages": [system, user(text)]})),
        &|text| chat_with(json!({"messages": [user("a @0"), said, user(text)]})),
        &|text| chat_with(json!({"messages": [user("b @0"), said, user(text)]})),
    ];
    for (number, variant) in variants.iter().enumerate() {
        assert_eq!(house.how(variant("hi @0")).await, "miss", "{number}");
        assert_eq!(house.how(variant("hi @1")).await, "0.9998", "{number}");
    }
    assert_eq!(house.how(chat("hi @1")).await, "0.9998");
    // What only says who asks does not count.
    let named = chat_with(json!({"messages": [user("hi @1")], "user": "ann"}));
    assert_eq!(house.how(named).await, "0.9998");
}

#[tokio::test]
async fn callers_may_be_said_to_share() {
    let house = house(json!({"scope": "env"}));
    assert_eq!(house.how(chat("hi @0")).await, "miss");
    let other = with(chat("hi @1"), "authorization", "Bearer sk-other");
    assert_eq!(house.how(other).await, "0.9998");
}

#[tokio::test]
async fn vectors_outlive_changes_until_they_are_purged_or_of_another_model() {
    let house = house(json!({}));
    assert_eq!(house.how(chat("hi @0")).await, "miss");
    house.put("1", policy(json!({"ttl_seconds": 60})));
    assert_eq!(house.how(chat("hi @1")).await, "0.9998");
    house.put("1", policy(json!({"semantic.threshold": 0.9999})));
    assert_eq!(house.how(chat("hi @1")).await, "miss");
    house.put("1", policy(json!({"purge_generation": 1})));
    assert_eq!(house.how(chat("hi @2")).await, "miss");
    assert_eq!(house.how(chat("hi @3")).await, "0.9998");
    // Another model's vectors say nothing about these.
    let other = json!({"purge_generation": 1, "semantic.embedding_model": "embedder-2"});
    house.put("1", policy(other));
    assert_eq!(house.how(chat("hi @4")).await, "miss");
    // Another policy has answers of its own.
    let key = Key {
        kind: Kind::CachePolicy,
        id: "1".into(),
    };
    house.config.apply([Change::Delete(key)]);
    house.put("2", policy(json!({"purge_generation": 1})));
    assert_eq!(house.how(chat("hi @3")).await, "miss");
}

#[tokio::test]
async fn what_is_not_text_alone_is_found_only_when_it_is_the_same() {
    let house = house(json!({}));
    let picture = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}});
    let call = json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    for messages in [
        json!([{"role": "user", "content": [{"type": "text", "text": "hi @0"}, picture]}]),
        json!([{"role": "user", "content": "hi @0", "name": "ann"}]),
        json!([user("hi @0"), {"role": "assistant", "content": "a", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": "b"}, user("hi @0")]),
        json!([user("hi @0"), {"role": "assistant", "content": "hi @0"}]),
    ] {
        let request = || chat_with(json!({"messages": messages}));
        assert_eq!(house.how(request()).await, "miss", "{messages}");
        assert_eq!(house.how(request()).await, "exact", "{messages}");
    }
    let embedding = json!({"model": "embedder", "input": "hi @0"});
    let embedding = testing::request("/v1/embeddings", embedding.to_string());
    assert_eq!(house.how(embedding).await, "miss");
    // That one was the caller's.
    assert_eq!(house.embedded(), 1);
}

#[tokio::test]
async fn what_is_kept_whole_is_replayed_as_a_stream_and_the_other_way_round() {
    let house = house(json!({"streaming": true}));
    for (streams, angle) in [(false, 0), (true, 90)] {
        let ask = |text: String, streams: bool| {
            chat_with(json!({"messages": [user(&text)], "stream": streams}))
        };
        let first = house.ask(ask(format!("hi @{angle}"), streams)).await;
        assert_eq!(first.how, "miss");
        let number = house.oracle.chats.requests().len();
        for (streams, more) in [(false, 5), (true, 5), (!streams, 10)] {
            let text = format!("hi @{}", angle + more);
            let second = house.ask(ask(text, streams)).await;
            assert!(second.how.starts_with("0.9"), "{second:?}");
            assert!(
                second.text.contains(&format!("answer {number}")),
                "{second:?}"
            );
            assert_eq!(second.text.starts_with("data: "), streams);
            assert_eq!(second.text.ends_with("data: [DONE]\n\n"), streams);
        }
    }
}

#[tokio::test]
async fn streams_that_are_not_kept_are_not_looked_at() {
    let house = house(json!({}));
    let stream = || chat_with(json!({"messages": [user("hi @0")], "stream": true}));
    assert_eq!(house.how(stream()).await, "");
    assert_eq!(house.embedded(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_vector_it_is_a_miss_and_answered_all_the_same() {
    let house = house(json!({"semantic.embedding_timeout_ms": 100}));
    assert_eq!(house.how(chat("hi @0")).await, "miss");
    let zero = json!({"data": [{"embedding": [0.0, 0.0]}]});
    let failures = [
        vector(&[1.0, 0.0]).head_stall(),
        vector(&[1.0, 0.0, 0.0]),
        vector(&[]),
        Answer::json(200, &json!({"data": []})),
        Answer::json(200, &zero),
        Answer::body(200, "application/json", "hello"),
        Answer::refusal(400, "too long"),
        Answer::unreachable(),
    ];
    let count = failures.len();
    for (number, failure) in failures.into_iter().enumerate() {
        house.answer_embeddings_by(failure);
        let began = tokio::time::Instant::now();
        let got = house.ask(chat(&format!("hi {number} @1"))).await;
        assert_eq!(got.how, "miss", "{number}");
        assert!(began.elapsed() <= Duration::from_millis(101), "{number}");
        let marks = house.last.0.lock().unwrap().1.clone();
        assert_eq!(
            marks,
            "cache_policy=alike cache_status=miss cache_embedding_failure=embed"
        );
    }
    // Without their vectors they are found by nobody, and as they are by everybody.
    house.answer_embeddings_by(None);
    let found = house.ask(chat("hi @1")).await;
    assert!(found.text.contains("answer 1\""), "{found:?}");
    assert_eq!(house.how(chat("hi 3 @1")).await, "exact");
    let missing = policy(json!({"semantic.embedding_model": "gone"}));
    house.put("1", missing);
    assert_eq!(house.how(chat("hi @5")).await, "miss");
    let metrics = house.metrics.render();
    for (cause, count) in [("embed", count), ("resolve", 1)] {
        let line = format!(
            "aisix_cache_semantic_embedding_failures_total{{policy=\"alike\",cause=\"{cause}\"}} {count}\n"
        );
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

#[tokio::test]
async fn callers_decide_by_cache_control() {
    let house = house(json!({}));
    let ask = |text: &str, value| with(chat(text), "cache-control", value);
    assert_eq!(house.how(ask("hi @0", "no-store")).await, "miss");
    assert_eq!(house.how(chat("hi @1")).await, "miss");
    assert_eq!(house.how(ask("hi @2", "no-store")).await, "0.9998");
    assert_eq!(house.how(ask("hi @90", "no-cache")).await, "bypass");
    assert_eq!(house.how(chat("hi @91")).await, "0.9998");
    assert_eq!(house.how(ask("hi @92", "max-age=0")).await, "miss");
    let before = house.embedded();
    let neither = ask("hi @93", "no-cache, no-store");
    assert_eq!(house.how(neither).await, "bypass");
    assert_eq!(house.embedded(), before);
}

#[tokio::test(start_paused = true)]
async fn answers_to_what_is_alike_grow_old_with_what_they_are() {
    let house = house(json!({"ttl_seconds": 60}));
    assert_eq!(house.how(chat("hi @0")).await, "miss");
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(house.how(chat("hi @1")).await, "0.9998");
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(house.how(chat("hi @1")).await, "miss");
    assert_eq!(house.how(chat("hi @2")).await, "0.9998");
}

#[tokio::test]
async fn only_so_many_are_remembered() {
    let house = house(json!({"semantic.max_entries": 2}));
    for angle in [0, 90] {
        let request = chat(&format!("hi @{angle}"));
        assert_eq!(house.how(request).await, "miss");
    }
    assert_eq!(house.how(chat("hi @1")).await, "0.9998");
    assert_eq!(house.how(chat("hi @180")).await, "miss");
    // It was of no use for the longest time.
    assert_eq!(house.how(chat("hi @91")).await, "miss");
    // Its answer is there all the same.
    assert_eq!(house.how(chat("hi @90")).await, "exact");
}

#[tokio::test(start_paused = true)]
async fn those_who_share_a_call_are_found_by_what_is_alike() {
    let house = house(json!({"coalesce": true}));
    *house.oracle.thinks.lock().unwrap() = Duration::from_secs(1);
    let both = join(house.ask(chat("hi @0")), house.ask(chat("hi @0")));
    let (one, two) = both.await;
    assert_eq!((&*one.how, &*two.how), ("miss", "miss"));
    assert_eq!(house.oracle.chats.requests().len(), 1);
    let alike = house.ask(chat("hi @1")).await;
    assert_eq!((&*alike.how, alike.text), ("0.9998", one.text));
}

#[tokio::test]
async fn vectors_are_paid_by_their_model_and_not_by_the_caller() {
    let limits = json!({"rate_limit": {"rpd": 4, "rpm": 100, "tpm": 2_000}});
    let house = house_with(json!({}), Setup::new().api_key(limits));
    let mut left = Vec::new();
    for (text, attempts, marks) in [
        ("hi @0", 1, "cache_policy=alike cache_status=miss"),
        (
            "hi @10",
            0,
            "cache_policy=alike cache_status=hit cache_hit_layer=semantic cache_similarity=0.9848 \
             cache_hit_saved_input_tokens=5 cache_hit_saved_output_tokens=7",
        ),
        (
            "hi @0",
            0,
            "cache_policy=alike cache_status=hit cache_hit_layer=exact \
             cache_hit_saved_input_tokens=5 cache_hit_saved_output_tokens=7",
        ),
    ] {
        let response = send(&house.gateway, chat(text)).await;
        let tokens = &response.headers()["x-ratelimit-remaining-tokens"];
        left.push(tokens.to_str().unwrap().parse::<u64>().unwrap());
        testing::text(response).await;
        let last = house.last.0.lock().unwrap().clone();
        assert_eq!(last, (attempts, marks.to_owned()));
    }
    assert_eq!([left[0] - left[1], left[1] - left[2]], [12, 0]);
    house.how(chat("hi @0")).await;
    let refused = send(&house.gateway, chat("hi @0")).await;
    assert_eq!(refused.status(), 429);
    let metrics = house.metrics.render();
    let value = |name: &str, labels: &[&str]| {
        let lines = metrics.lines().filter(|line| {
            let (series, _) = line.split_once('{').unwrap_or((line, ""));
            series == name && labels.iter().all(|label| line.contains(label))
        });
        let values = lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap());
        values.sum::<f64>()
    };
    let (embedder, test) = ("model=\"embedder\"", "model=\"test-model\"");
    assert_eq!(value("aisix_tokens_consumed_total", &[embedder]), 6.0);
    let labels = [embedder, "api_key_id=\"caller\"", "/v1/embeddings"];
    assert_eq!(value("aisix_llm_input_tokens_total", &labels), 6.0);
    assert_eq!(value("aisix_tokens_consumed_total", &[test]), 12.0);
    assert_eq!(value("aisix_deployment_requests_total", &[embedder]), 2.0);
    assert_eq!(value("aisix_deployment_requests_total", &[test]), 1.0);
    // Nobody has made a request of it.
    assert_eq!(value("aisix_requests_total", &[embedder]), 0.0);
    for (outcome, count) in [("miss", 1.0), ("hit_semantic", 1.0), ("hit_exact", 2.0)] {
        let outcome = format!("outcome=\"{outcome}\"");
        let labels = ["policy=\"alike\"", &outcome];
        assert_eq!(value("aisix_cache_requests_total", &labels), count);
    }
    let family = "aisix_cache_semantic_embedding_seconds_count";
    assert_eq!(value(family, &["policy=\"alike\""]), 2.0);
}

#[tokio::test]
async fn an_explanation_makes_no_vectors() {
    let house = house(json!({}));
    let builder = Gateway::builder(house.config.clone()).transport(house.oracle.clone());
    let question = Question::new().model(MODEL).key(API_KEY);
    let explanation = Explainer::new(builder).explain(question).await.unwrap();
    assert_eq!(explanation.verdict, Verdict::Sent);
    assert_eq!(house.embedded(), 0);
}

#[tokio::test]
async fn a_vector_is_given_up_with_the_client() {
    let house = house(json!({}));
    house.answer_embeddings_by(vector(&[1.0, 0.0]).head_stall());
    let asking = send(&house.gateway, chat("hi @0"));
    let given_up = tokio::time::timeout(Duration::from_millis(50), asking).await;
    assert!(given_up.is_err());
    let (attempts, _) = house.last.0.lock().unwrap().clone();
    assert_eq!((attempts, house.embedded()), (0, 1));
    assert!(house.oracle.chats.requests().is_empty());
}

#[tokio::test]
async fn a_chain_can_have_it_too_and_a_cache_without_a_place_asks_nobody() {
    let semantic = json!({"embedding_model": MODEL, "threshold": 0.5});
    let chain = |backend: &str| json!([{"name": "cache", "settings": {"semantic": semantic, "backend": backend}}]);
    for (backend, said, asked) in [("memory", "0.9962", 3), ("redis", "", 2)] {
        let oracle = Oracle::default();
        let setup = Setup::new().hooks(aisix_hooks::hooks());
        let setup = setup.model(json!({"plugins": chain(backend)}));
        let builder = Gateway::builder(setup.config()).transport(oracle.clone());
        let gateway = builder.build().unwrap();
        for (text, said) in [("hi @0", ""), ("hi @5", said)] {
            let response = send(&gateway, chat(text)).await;
            let similarity = response.headers().get("x-aisix-cache-similarity");
            let similarity = similarity.map_or("", |it| it.to_str().unwrap());
            assert_eq!(similarity, said);
            testing::text(response).await;
        }
        let requests = oracle.chats.requests().len() + oracle.embeddings.requests().len();
        assert_eq!(requests, asked, "{backend}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_by_its_field() {
    let config = Setup::new().hooks(aisix_hooks::hooks()).config();
    for (semantic, message) in [
        (
            json!({"threshold": 0.9}),
            "`semantic.embedding_model` is required",
        ),
        (
            json!({"embedding_model": "a"}),
            "`semantic.threshold` is required",
        ),
        (
            json!({"embedding_model": "", "threshold": 0.9}),
            "`semantic.embedding_model`",
        ),
        (
            json!({"embedding_model": "a", "threshold": 1.1}),
            "`semantic.threshold`",
        ),
        (
            json!({"embedding_model": "a", "threshold": -0.1}),
            "`semantic.threshold`",
        ),
        (
            json!({"embedding_model": "a", "threshold": 1, "max_entries": 0}),
            "`semantic.max_entries`",
        ),
        (
            json!({"embedding_model": "a", "threshold": 1, "max_entries": 10_001}),
            "`semantic.max_entries`",
        ),
        (
            json!({"embedding_model": "a", "threshold": 1, "embedding_timeout_ms": -1}),
            "`semantic.embedding_timeout_ms`",
        ),
    ] {
        let entry = Entry::new(
            Kind::CachePolicy,
            "1",
            json!({"name": "a", "semantic": semantic}),
        );
        let said = config.apply([Change::Put(entry)]).to_string();
        assert!(said.contains(message), "{said}");
        let chain = json!([{"name": "cache", "settings": {"semantic": semantic}}]);
        let message = message.replacen('`', "`plugins[0].settings.", 1);
        let said = wrong(chain);
        assert!(said.contains(&message), "{said}");
    }
}
