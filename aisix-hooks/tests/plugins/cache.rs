//! Answers that are kept.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aisix_core::{
    Gateway,
    body::Body,
    call::Trail,
    config::{Change, Config, Entry, KeyHash, Kind},
    observe::Observer,
    reply::Outcome,
    testing::{self, Answer, MODEL, Setup, Upstream, next_text},
};
use aisix_hooks::observe::{Metrics, MetricsSettings};
use http::{HeaderValue, Request, Response};
use serde_json::{Value, json};

use crate::ask::*;

/// A chain with one cache.
fn cache(settings: Value) -> Value {
    json!([{"name": "cache", "settings": settings}])
}

fn chat(members: Value) -> Request<Body> {
    let mut body = json!({"model": MODEL, "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    testing::request("/v1/chat/completions", body.to_string())
}

/// The same request in every dialect.
fn in_every_dialect(streams: bool) -> [Request<Body>; 4] {
    let ask = |path: &str, body: Value| testing::request(path, body.to_string());
    let message = json!({"role": "user", "content": "hi"});
    let verb = if streams {
        "streamGenerateContent?alt=sse"
    } else {
        "generateContent"
    };
    [
        chat(json!({"stream": streams})),
        ask(
            "/v1/responses",
            json!({"model": MODEL, "input": [message], "stream": streams}),
        ),
        ask(
            "/v1/messages",
            json!({"model": MODEL, "max_tokens": 9, "messages": [message], "stream": streams}),
        ),
        ask(
            &format!("/v1beta/models/{MODEL}:{verb}"),
            json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
        ),
    ]
}

fn with(mut request: Request<Body>, name: &'static str, value: &'static str) -> Request<Body> {
    let value = HeaderValue::from_static(value);
    request.headers_mut().insert(name, value);
    request
}

/// What a reply says about caches.
fn said(response: &Response<Body>) -> &str {
    let header = response.headers().get("x-aisix-cache");
    header.map_or("", |value| value.to_str().unwrap())
}

/// Asks, reads the answer, and tells what was said about caches.
async fn asked(gateway: &Gateway, request: Request<Body>) -> (String, String) {
    let response = send(gateway, request).await;
    let said = said(&response).to_owned();
    (said, testing::text(response).await)
}

/// Asks several times, each time with an answer ready, and tells what was said about caches.
async fn statuses(
    gateway: &Gateway,
    upstream: &Upstream,
    requests: impl IntoIterator<Item = Request<Body>>,
) -> Vec<String> {
    let mut statuses = Vec::new();
    for request in requests {
        let before = upstream.requests().len();
        upstream.answer(Answer::chat("hello"));
        let (status, answer) = asked(gateway, request).await;
        assert!(answer.contains("hello"), "{answer}");
        let went = upstream.requests().len() - before;
        assert_eq!(went, usize::from(status != "hit"), "{status}");
        if went == 0 {
            // The answer that nobody has asked for is used up.
            let request = testing::chat_request(&format!("unlike {}", statuses.len()));
            let request = with(request, "cache-control", "no-cache, no-store");
            send(gateway, request).await;
        }
        statuses.push(status);
    }
    statuses
}

#[derive(Clone, Default)]
struct Marks(Arc<Mutex<Vec<(&'static str, String)>>>);

impl Observer for Marks {
    fn ended(&self, trail: &Trail, _: &Outcome<'_>) {
        *self.0.lock().unwrap() = trail.marks();
    }
}

#[tokio::test]
async fn the_same_request_is_answered_from_memory_in_every_dialect() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, cache(json!({})));
    for (first, second) in in_every_dialect(false)
        .into_iter()
        .zip(in_every_dialect(false))
    {
        let path = first.uri().path().to_owned();
        let before = upstream.requests().len();
        upstream.answer(Answer::chat("hello"));
        let first = send(&gateway, first).await;
        assert_eq!(said(&first), "miss", "{path}");
        let (fidelity, kind) = (
            first.headers()["x-aisix-fidelity"].clone(),
            first.headers()["content-type"].clone(),
        );
        let answer = testing::text(first).await;
        assert!(answer.contains("hello"), "{path}: {answer}");
        let second = send(&gateway, second).await;
        assert_eq!(second.status(), 200, "{path}");
        assert_eq!(said(&second), "hit", "{path}");
        let headers = second.headers();
        assert_eq!(headers["x-aisix-cache-layer"], "exact");
        assert_eq!(headers["age"], "0");
        assert_eq!(headers["x-aisix-fidelity"], fidelity);
        assert_eq!(headers["content-type"], kind);
        assert_eq!(testing::text(second).await, answer, "{path}");
        assert_eq!(upstream.requests().len(), before + 1, "{path}");
    }
}

#[tokio::test]
async fn embeddings_and_completions_are_kept_and_counts_are_not() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, cache(json!({})));
    for (path, body, answer) in [
        (
            "/v1/embeddings",
            json!({"model": MODEL, "input": "hi"}),
            json!({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
                "usage": {"prompt_tokens": 1, "total_tokens": 1}}),
        ),
        (
            "/v1/completions",
            json!({"model": MODEL, "prompt": "hi"}),
            json!({"id": "c", "choices": [{"index": 0, "text": "ho", "finish_reason": "stop"}]}),
        ),
    ] {
        upstream.answer(Answer::json(200, &answer));
        let ask = || testing::request(path, body.to_string());
        let (first, answer) = asked(&gateway, ask()).await;
        assert_eq!(first, "miss", "{path}");
        assert_eq!(asked(&gateway, ask()).await, ("hit".to_owned(), answer));
    }
}

#[tokio::test]
async fn how_a_request_is_written_does_not_count() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, cache(json!({})));
    let write = |body: &str| testing::request("/v1/chat/completions", body.to_owned());
    let requests = [
        write(
            r#"{"model":"test-model","temperature":1,"messages":[{"role":"user","content":"hi"}]}"#,
        ),
        write(
            r#"{ "messages": [ {"content": "\u0068i", "role": "user"} ],
                "temperature": 1.0, "model": "test-model", "stream": false }"#,
        ),
        write(
            r#"{"model":"test-model","user":"me","metadata":{"a":"b"},"temperature":10e-1,
                "messages":[{"role":"user","content":"hi"}]}"#,
        ),
    ];
    assert_eq!(
        statuses(&gateway, &upstream, requests).await,
        ["miss", "hit", "hit"]
    );
}

#[tokio::test]
async fn whatever_can_change_the_answer_counts() {
    let upstream = Upstream::new();
    let setup = Setup::new()
        .hooks(aisix_hooks::hooks())
        .model(json!({"plugins": cache(json!({}))}))
        .provider_key(json!({"request": {"forward_client_headers": ["x-mode"]}}));
    let gateway = setup.gateway(&upstream);
    let requests = || {
        [
            chat(json!({})),
            chat(json!({"temperature": 0})),
            chat(json!({"seed": 1})),
            chat(json!({"messages": [{"role": "system", "content": "hi"}]})),
            chat(json!({"tools": []})),
            chat(json!({"anything": "else"})),
            with(chat(json!({})), "openai-beta", "a=v2"),
            with(chat(json!({})), "x-mode", "a"),
            with(chat(json!({})), "x-mode", "b"),
        ]
    };
    let told = statuses(&gateway, &upstream, requests()).await;
    assert_eq!(told, ["miss"; 9]);
    let told = statuses(&gateway, &upstream, requests()).await;
    assert_eq!(told, ["hit"; 9]);
    let other = with(chat(json!({})), "x-other", "not forwarded");
    assert_eq!(statuses(&gateway, &upstream, [other]).await, ["hit"]);
}

/// A gateway with two models and two callers, all of whose calls go through a cache.
fn shared(upstream: &Upstream, settings: Value) -> Gateway {
    let model = json!({"display_name": "other", "provider": "plain",
        "model_name": "upstream-model", "provider_key_id": "key"});
    let key = json!({"key_hash": KeyHash::of("sk-other").to_hex(), "allowed_models": ["*"]});
    let chain = json!({"name": "default", "plugins": cache(settings)});
    Setup::new()
        .hooks(aisix_hooks::hooks())
        .add(Kind::Model, "other", model)
        .add(Kind::ApiKey, "other", key)
        .add(Kind::Gateway, "default", chain)
        .gateway(upstream)
}

#[tokio::test]
async fn callers_and_models_are_isolated_unless_callers_are_said_to_share() {
    for (scope, shares) in [("api_key", "miss"), ("env", "hit")] {
        let upstream = Upstream::new();
        let gateway = shared(&upstream, json!({"scope": scope}));
        let requests = [
            chat(json!({})),
            with(chat(json!({})), "authorization", "Bearer sk-other"),
            chat(json!({"model": "other"})),
            chat(json!({})),
        ];
        let told = statuses(&gateway, &upstream, requests).await;
        assert_eq!(told, ["miss", shares, "miss", "hit"], "{scope}");
    }
}

#[tokio::test]
async fn callers_may_decide_by_cache_control() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, cache(json!({})));
    let ask = |value| with(chat(json!({})), "cache-control", value);
    let requests = [
        ask("no-store"),
        ask("no-store"),
        ask("no-cache"),
        ask("max-age=60"),
        ask("max-age=0"),
        ask("no-store"),
    ];
    let told = statuses(&gateway, &upstream, requests).await;
    // What `no-cache` has written is read.
    assert_eq!(told, ["miss", "miss", "bypass", "hit", "miss", "hit"]);
}

#[tokio::test(start_paused = true)]
async fn answers_grow_old() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, cache(json!({"ttl_seconds": 60})));
    upstream.answer(Answer::chat("hello"));
    assert_eq!(asked(&gateway, chat(json!({}))).await.0, "miss");
    tokio::time::advance(Duration::from_secs(59)).await;
    let response = send(&gateway, chat(json!({}))).await;
    assert_eq!(
        (said(&response), &response.headers()["age"]),
        ("hit", &"59".parse().unwrap())
    );
    let young = with(chat(json!({})), "cache-control", "max-age=59");
    upstream.answer(Answer::refusal(400, "asked"));
    assert_eq!(send(&gateway, young).await.status(), 400);
    tokio::time::advance(Duration::from_secs(1)).await;
    upstream.answer(Answer::chat("hello"));
    assert_eq!(asked(&gateway, chat(json!({}))).await.0, "miss");
}

#[tokio::test]
async fn only_complete_good_answers_are_kept() {
    let upstream = Upstream::new();
    let settings = json!({"streaming": true, "max_entry_bytes": 2000});
    let gateway = gateway(&upstream, cache(settings));
    let content = || Answer::stream().content("hello");
    let long = "x".repeat(3000);
    for (streams, answer) in [
        (false, Answer::refusal(400, "no")),
        (false, Answer::chat(&long)),
        (true, content().cut()),
        (
            true,
            content().event(&json!({"error": {"message": "oh"}})).done(),
        ),
        (true, content().content(&long).finish().done()),
        (true, content().content(&long).content("a").finish().done()),
    ] {
        let ask = || chat(json!({"stream": streams}));
        upstream.answer(answer.clone());
        asked(&gateway, ask()).await;
        upstream.answer(Answer::refusal(400, "asked again"));
        let (_, again) = asked(&gateway, ask()).await;
        assert!(again.contains("asked again"), "{answer:?}: {again}");
    }
}

#[tokio::test]
async fn what_its_caller_did_not_take_is_not_kept() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, cache(json!({"streaming": true})));
    for streams in [false, true] {
        let ask = || chat(json!({"stream": streams}));
        let mut exchange = upstream.answer(match streams {
            false => Answer::chat("hello"),
            true => Answer::stream().content("hello").stall(),
        });
        drop(send(&gateway, ask()).await);
        exchange.ended().await;
        upstream.answer(Answer::refusal(400, "asked again"));
        assert_eq!(send(&gateway, ask()).await.status(), 400);
    }
}

#[tokio::test]
async fn streams_are_replayed_as_they_were_in_every_dialect() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, cache(json!({"streaming": true})));
    for (first, second) in in_every_dialect(true)
        .into_iter()
        .zip(in_every_dialect(true))
    {
        let path = first.uri().path().to_owned();
        upstream.answer(
            Answer::stream()
                .role()
                .content("hel")
                .content("lo")
                .finish()
                .usage(5, 7)
                .done(),
        );
        let (status, answer) = asked(&gateway, first).await;
        assert_eq!(status, "miss", "{path}");
        let second = send(&gateway, second).await;
        assert_eq!(said(&second), "hit", "{path}");
        assert_eq!(second.headers()["content-type"], "text/event-stream");
        assert_eq!(second.headers()["cache-control"], "no-cache");
        assert_eq!(testing::text(second).await, answer, "{path}");
    }
}

#[tokio::test]
async fn an_answer_that_is_kept_whole_is_replayed_as_a_stream_and_the_other_way_round() {
    for kept_as_stream in [false, true] {
        let upstream = Upstream::new();
        let gateway = gateway(&upstream, cache(json!({"streaming": true})));
        let pairs = in_every_dialect(kept_as_stream)
            .into_iter()
            .zip(in_every_dialect(!kept_as_stream));
        for (first, second) in pairs {
            let path = first.uri().path().to_owned();
            upstream.answer(match kept_as_stream {
                false => Answer::chat("hello"),
                true => Answer::stream()
                    .content("hello")
                    .finish()
                    .usage(5, 7)
                    .done(),
            });
            asked(&gateway, first).await;
            let second = send(&gateway, second).await;
            if path == "/v1/responses" {
                assert_eq!(second.status(), 404, "its forms are kept side by side");
                continue;
            }
            assert_eq!(said(&second), "hit", "{path}");
            let kind = match kept_as_stream {
                false => "text/event-stream",
                true => "application/json",
            };
            assert_eq!(second.headers()["content-type"], kind, "{path}");
            let answer = testing::text(second).await;
            assert!(answer.contains("hello"), "{path}: {answer}");
            let whole = serde_json::from_str::<Value>(&answer);
            assert_eq!(whole.is_ok(), kept_as_stream, "{path}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_replayed_stream_tells_the_usage_to_those_who_ask() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, cache(json!({"streaming": true})));
    let ask = |with_usage: bool| {
        chat(json!({"stream": true, "stream_options": {"include_usage": with_usage}}))
    };
    let stream = Answer::stream().content("hello").finish();
    upstream.answer(stream.usage(5, 7).done());
    let (_, first) = asked(&gateway, ask(false)).await;
    assert!(!first.contains("prompt_tokens"), "{first}");
    for (with_usage, again) in [(true, false), (true, true), (false, false)] {
        let (status, answer) = asked(&gateway, ask(with_usage)).await;
        assert_eq!(status, "hit");
        let told = answer.matches("\"prompt_tokens\":5").count();
        assert_eq!(told, usize::from(with_usage), "{again}: {answer}");
        assert!(answer.ends_with("data: [DONE]\n\n"), "{answer}");
    }
}

#[tokio::test]
async fn what_only_one_form_can_say_is_asked_for_in_the_other() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, cache(json!({"streaming": true})));
    let mut answer: Value = serde_json::from_str(&testing::chat_answer("hello")).unwrap();
    answer["choices"][0]["logprobs"] = json!({"content": []});
    upstream.answer(Answer::json(200, &answer));
    asked(&gateway, chat(json!({"logprobs": true}))).await;
    upstream.answer(Answer::stream().content("hello").finish().done());
    let ask = || chat(json!({"logprobs": true, "stream": true}));
    assert_eq!(asked(&gateway, ask()).await.0, "miss");
    assert_eq!(asked(&gateway, ask()).await.0, "hit");
}

#[tokio::test(start_paused = true)]
async fn heartbeats_are_not_kept() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, cache(json!({"streaming": true})));
    let silence = Duration::from_secs(20);
    let stream = Answer::stream().content("a").wait(silence);
    upstream.answer(stream.content("b").finish().done());
    let (_, first) = asked(&gateway, chat(json!({"stream": true}))).await;
    assert!(first.contains(":\n\n"), "{first}");
    let (status, second) = asked(&gateway, chat(json!({"stream": true}))).await;
    assert_eq!((&*status, second), ("hit", first.replace(":\n\n", "")));
}

#[tokio::test]
async fn streams_are_left_alone_unless_they_are_to_be_kept() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, cache(json!({})));
    for _ in 0..2 {
        upstream.answer(Answer::stream().content("hello").finish().done());
        let (status, _) = asked(&gateway, chat(json!({"stream": true}))).await;
        assert_eq!(status, "");
    }
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn answers_that_depend_on_more_than_the_request_are_not_looked_for() {
    let (upstream, marks) = (Upstream::new(), Marks::default());
    let setup = Setup::new()
        .hooks(aisix_hooks::hooks())
        .model(json!({"plugins": cache(json!({}))}));
    let gateway = setup.builder(&upstream).observe(marks.clone());
    let gateway = gateway.build().unwrap();
    for (name, value, status) in [
        ("conversation", json!("c"), "bypass"),
        ("background", json!(true), "bypass"),
        ("conversation", json!(null), "miss"),
        ("background", json!(false), "miss"),
    ] {
        let body = json!({"model": MODEL, "input": "hi", name: value});
        send(
            &gateway,
            testing::request("/v1/responses", body.to_string()),
        )
        .await;
        let noted = marks.0.lock().unwrap().clone();
        assert!(
            noted.contains(&("cache_status", status.to_owned())),
            "{body}"
        );
    }
}

/// Changes the model's chain.
fn change(config: &Config, plugins: Value) {
    let document = json!({"display_name": MODEL, "provider": "plain",
        "model_name": "upstream-model", "provider_key_id": "key", "plugins": plugins});
    let change = Change::Put(Entry::new(Kind::Model, "model", document));
    assert!(config.apply([change]).into_result().is_ok());
}

#[tokio::test]
async fn answers_outlive_changes_until_they_are_purged() {
    let upstream = Upstream::new();
    let config = Setup::new().hooks(aisix_hooks::hooks()).config();
    let gateway = Gateway::builder(config.clone()).transport(upstream.clone());
    let gateway = gateway.build().unwrap();
    let mut told = Vec::new();
    for settings in [
        json!({}),
        json!({"ttl_seconds": 60}),
        json!({"purge_generation": 1}),
        json!({"purge_generation": 1}),
        json!({"purge_generation": 1, "max_bytes": 1_000_000, "max_entry_bytes": 10_000}),
    ] {
        change(&config, cache(settings));
        told.extend(statuses(&gateway, &upstream, [chat(json!({}))]).await);
    }
    assert_eq!(told, ["miss", "hit", "miss", "hit", "miss"]);
}

#[tokio::test]
async fn guards_see_what_is_kept_wherever_they_stand() {
    let upstream = Upstream::new();
    let config = Setup::new().hooks(aisix_hooks::hooks()).config();
    let gateway = Gateway::builder(config.clone()).transport(upstream.clone());
    let gateway = gateway.build().unwrap();
    let chain = |word: &str| {
        let patterns = json!([{"kind": "literal", "value": word}]);
        json!([{"name": "cache", "priority": 0, "settings": {"streaming": true}},
            {"name": "keyword_guard", "priority": 999, "settings": {"patterns": patterns}}])
    };
    for streams in [false, true] {
        change(&config, chain("other"));
        let ask = || chat(json!({"stream": streams, "seed": u8::from(streams)}));
        upstream.answer(match streams {
            false => Answer::chat("hello"),
            true => Answer::stream().content("hello").finish().done(),
        });
        assert_eq!(asked(&gateway, ask()).await.0, "miss");
        assert_eq!(asked(&gateway, ask()).await.0, "hit");
        change(&config, chain("hello"));
        let (_, answer) = asked(&gateway, ask()).await;
        assert!(
            answer.contains("response blocked by content policy"),
            "{answer}"
        );
    }
    assert_eq!(upstream.requests().len(), 2);
}

#[tokio::test]
async fn an_answer_that_a_guard_refuses_is_not_kept() {
    let upstream = Upstream::new();
    let chain = json!([{"name": "cache", "settings": {"streaming": true}},
        {"name": "keyword_guard", "settings": {"patterns": [{"kind": "literal", "value": "secret"}]}}]);
    let gateway = gateway(&upstream, chain);
    for streams in [false, true] {
        for _ in 0..2 {
            upstream.answer(match streams {
                false => Answer::chat("a secret"),
                true => Answer::stream().content("a secret").finish().done(),
            });
            let (_, answer) = asked(&gateway, chat(json!({"stream": streams}))).await;
            assert!(answer.contains("blocked"), "{answer}");
        }
    }
    assert_eq!(upstream.requests().len(), 4);
}

#[tokio::test]
async fn a_hit_costs_a_request_and_no_tokens() {
    let upstream = Upstream::new();
    let setup = Setup::new()
        .hooks(aisix_hooks::hooks())
        .model(json!({"plugins": cache(json!({}))}))
        .api_key(json!({"rate_limit": {"rpd": 3, "rpm": 100, "tpm": 2_000}}));
    let gateway = setup.gateway(&upstream);
    upstream.answer(Answer::chat("hello"));
    let mut left = Vec::new();
    for _ in 0..3 {
        let response = send(&gateway, chat(json!({}))).await;
        let tokens = &response.headers()["x-ratelimit-remaining-tokens"];
        left.push(tokens.to_str().unwrap().parse::<u64>().unwrap());
        testing::text(response).await;
    }
    // The first has used 12, the others nothing.
    assert_eq!([left[0] - left[1], left[1] - left[2]], [12, 0]);
    assert_eq!(send(&gateway, chat(json!({}))).await.status(), 429);
}

#[tokio::test]
async fn hits_and_misses_are_noted_and_counted() {
    let (upstream, marks) = (Upstream::new(), Marks::default());
    let metrics = Metrics::new(MetricsSettings::default());
    let gateway = Setup::new()
        .hooks(aisix_hooks::hooks())
        .model(json!({"plugins": cache(json!({"name": "answers", "streaming": true}))}))
        .builder(&upstream)
        .observe(marks.clone())
        .observe(metrics.clone())
        .build()
        .unwrap();
    let noted = || {
        let marks = marks.0.lock().unwrap();
        let marks = marks.iter().map(|(name, value)| format!("{name}={value}"));
        marks.collect::<Vec<_>>().join(" ")
    };
    upstream.answer(Answer::chat("hello"));
    asked(&gateway, chat(json!({}))).await;
    assert_eq!(noted(), "cache_policy=answers cache_status=miss");
    let hit = "cache_policy=answers cache_status=hit cache_hit_layer=exact \
        cache_hit_saved_input_tokens=5 cache_hit_saved_output_tokens=7";
    asked(&gateway, chat(json!({}))).await;
    assert_eq!(noted(), hit);
    upstream.answer(Answer::chat("hello"));
    let request = with(chat(json!({})), "cache-control", "no-cache");
    asked(&gateway, request).await;
    assert_eq!(noted(), "cache_policy=answers cache_status=bypass");
    // A stream without the usage event, whose usage the gateway knows all the same.
    for _ in 0..2 {
        let stream = Answer::stream().content("hello").finish();
        upstream.answer(stream.usage(5, 7).done());
        asked(&gateway, chat(json!({"stream": true, "seed": 1}))).await;
    }
    assert_eq!(noted(), hit);
    let metrics = metrics.render();
    for (outcome, count) in [("miss", 2), ("hit_exact", 2), ("bypass", 1)] {
        let labels = format!("policy=\"answers\",outcome=\"{outcome}\"");
        let line = format!("aisix_cache_requests_total{{{labels}}} {count}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_by_name() {
    for (settings, message) in [
        (json!({"ttl_seconds": 0}), "ttl_seconds"),
        (json!({"ttl_seconds": 604_801}), "ttl_seconds"),
        (json!({"scope": "team"}), "scope"),
        (json!({"backend": "disk"}), "backend"),
        (json!({"max_bytes": 100_000}), "max_entry_bytes"),
    ] {
        let said = wrong(cache(settings.clone()));
        assert!(
            said.contains(&format!("`plugins[0].settings.{message}`")),
            "{settings}: {said}"
        );
    }
}

#[tokio::test]
async fn a_stream_that_is_under_way_is_not_held_up() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, cache(json!({"streaming": true})));
    let _exchange = upstream.answer(Answer::stream().content("hello").stall());
    let mut body = send(&gateway, chat(json!({"stream": true})))
        .await
        .into_body();
    assert!(next_text(&mut body).await.unwrap().contains("hello"));
}

#[tokio::test]
async fn what_an_ensemble_is_made_of_is_part_of_the_key() {
    let upstream = Upstream::new();
    upstream.always(testing::UPSTREAM_MODEL, Answer::chat("hello"));
    let group = |(temperature, judge, prompt, least): (f64, &str, &str, u32)| {
        let judge = json!({"model": judge, "synthesis_prompt": prompt});
        let panel = json!([{"model": MODEL, "temperature": temperature}, {"model": MODEL}]);
        let ensemble = json!({"panel": panel, "judge": judge, "min_responses": least});
        json!({"display_name": "group", "ensemble": ensemble, "plugins": cache(json!({}))})
    };
    let first = (0.1, MODEL, "a", 1);
    let setup = Setup::new().hooks(aisix_hooks::hooks());
    let other = json!({"display_name": "other", "provider": "plain", "provider_key_id": "key",
        "model_name": testing::UPSTREAM_MODEL});
    let setup = setup.add(Kind::Model, "other", other);
    let config = setup.add(Kind::Model, "group", group(first)).config();
    let gateway = Gateway::builder(config.clone()).transport(upstream.clone());
    let gateway = gateway.build().unwrap();
    let mut told = Vec::new();
    let each = [
        (0.2, MODEL, "a", 1),
        (0.1, "other", "a", 1),
        (0.1, MODEL, "b", 1),
        (0.1, MODEL, "a", 2),
    ];
    for made_of in [first, first].into_iter().chain(each).chain([first]) {
        let entry = Entry::new(Kind::Model, "group", group(made_of));
        assert!(config.apply([Change::Put(entry)]).into_result().is_ok());
        told.push(asked(&gateway, chat(json!({"model": "group"}))).await.0);
    }
    let expected = ["miss", "hit", "miss", "miss", "miss", "miss", "hit"];
    assert_eq!(told, expected);
}
