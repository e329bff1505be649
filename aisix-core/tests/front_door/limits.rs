//! Limits through the front door, on a clock that stands still.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use aisix_core::{
    Error, ErrorKind, Gateway,
    call::Call,
    hook::{Next, from_fn},
    limit::Memory,
    reply::Reply,
    testing::{self, Answer, Endings, Setup, Upstream, next_text},
    upstream::Settings,
};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use crate::ask::*;

/// A quarter past the minute.
const NOON: u64 = 1_800_000_015;

#[derive(Clone)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn store(&self) -> Memory {
        let clock = self.0.clone();
        Memory::with_clock(move || clock.load(Ordering::Relaxed))
    }

    fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::Relaxed);
    }
}

struct Limited {
    upstream: Upstream,
    gateway: Gateway,
    clock: Clock,
    endings: Endings,
}

fn limited(key: Value, model: Value) -> Limited {
    let upstream = Upstream::new();
    let clock = Clock(Arc::new(AtomicU64::new(NOON)));
    let endings = Endings::new();
    let settings = Settings {
        retries: 0,
        ..Settings::default()
    };
    let setup = Setup::new()
        .upstream(settings)
        .api_key(json!({ "rate_limit": key }))
        .model(json!({ "rate_limit": model }));
    let builder = setup.builder(&upstream).limits(clock.store());
    let gateway = builder.observe(endings.clone()).build().unwrap();
    Limited {
        upstream,
        gateway,
        clock,
        endings,
    }
}

impl Limited {
    async fn ask(&self, answer: Answer) -> Response<aisix_core::body::Body> {
        self.upstream.answer(answer);
        chat(&self.gateway).await
    }

    /// Asks and reads the answer; returns the status.
    async fn asked(&self) -> u16 {
        let response = self.ask(Answer::chat("hello")).await;
        let status = response.status().as_u16();
        testing::text(response).await;
        status
    }

    async fn remaining(&self, unit: &str) -> String {
        let response = self.ask(Answer::chat("hello")).await;
        let name = format!("x-ratelimit-remaining-{unit}");
        response.headers()[name.as_str()]
            .to_str()
            .unwrap()
            .to_owned()
    }
}

#[tokio::test]
async fn requests_are_counted_in_the_window_of_the_clock() {
    let limited = limited(json!({"rpm": 2}), json!({}));
    assert_eq!((limited.asked().await, limited.asked().await), (200, 200));
    let response = chat(&limited.gateway).await;
    assert_eq!(
        response.headers()["retry-after"],
        "45",
        "the minute ends in 45 s"
    );
    let expected = error("rate_limit_exceeded", "request limit exceeded (rpm)");
    assert_eq!(refusal(response).await, (429, expected));
    assert_eq!(limited.upstream.requests().len(), 2);

    limited.clock.advance(44);
    assert_eq!(chat(&limited.gateway).await.status(), 429);
    limited.clock.advance(1);
    assert_eq!(limited.asked().await, 200);
}

#[tokio::test]
async fn a_limit_of_the_model_is_shared_and_shows_no_headers() {
    let limited = limited(json!({}), json!({"rph": 1}));
    let response = limited.ask(Answer::chat("hello")).await;
    let shown = response
        .headers()
        .keys()
        .filter(|name| name.as_str().starts_with("x-ratelimit"));
    assert_eq!(shown.count(), 0);
    let (status, body) = refusal(chat(&limited.gateway).await).await;
    assert_eq!(
        (status, body),
        (
            429,
            error("rate_limit_exceeded", "request limit exceeded (rph)")
        )
    );
}

#[tokio::test]
async fn a_call_over_the_models_limit_takes_nothing_of_the_keys() {
    let limited = limited(json!({"rpm": 10}), json!({"rps": 1}));
    assert_eq!(limited.asked().await, 200);
    for _ in 0..5 {
        assert_eq!(chat(&limited.gateway).await.status(), 429);
    }
    limited.clock.advance(1);
    assert_eq!(limited.remaining("requests").await, "8");
}

#[tokio::test]
async fn the_callers_standings_are_told() {
    let limited = limited(
        json!({"rpm": 10, "tpm": 1000, "concurrency": 3, "rpd": 5}),
        json!({"rpm": 1}),
    );
    let response = limited.ask(Answer::chat("hello")).await;
    let mut told: Vec<_> = response
        .headers()
        .iter()
        .filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix("x-ratelimit-")?;
            Some(format!("{name}: {}", value.to_str().unwrap()))
        })
        .collect();
    told.sort();
    let expected = [
        "limit-concurrent: 3",
        "limit-requests: 10",
        "limit-tokens: 1000",
        "remaining-concurrent: 2",
        "remaining-requests: 9",
        "remaining-tokens: 0",
        "reset-requests: 45s",
        "reset-tokens: 45s",
    ];
    assert_eq!(
        told, expected,
        "1024 tokens are expected, so all are reserved"
    );
}

#[tokio::test]
async fn tokens_are_settled_with_the_real_usage() {
    let limited = limited(json!({"tpm": 2000}), json!({}));
    assert_eq!(limited.asked().await, 200);
    // 12 were used; 8 for the prompt and 1024 for the answer are reserved by the next.
    assert_eq!(
        limited.remaining("tokens").await,
        (2000 - 12 - 8 - 1024).to_string()
    );
    // Its answer was dropped unread, but its usage was known.
    assert_eq!(
        limited.remaining("tokens").await,
        (2000 - 24 - 8 - 1024).to_string()
    );
}

#[tokio::test]
async fn the_wanted_maximum_is_reserved() {
    let limited = limited(json!({"tpm": 2000}), json!({}));
    for (members, output) in [
        (json!({"max_tokens": 100}), 100),
        (json!({"max_completion_tokens": 50, "max_tokens": 100}), 50),
        (json!({"max_tokens": 100, "n": 3}), 300),
        (json!({"max_tokens": 100_000}), 2000),
    ] {
        limited.clock.advance(60);
        limited.upstream.answer(Answer::refusal(400, "free"));
        let body = chat_body(&members);
        limited.upstream.answer(Answer::chat("hello"));
        // The first is refused by the upstream and leaves no tokens behind.
        send(&limited.gateway, testing::request(CHAT, body.clone())).await;
        let response = send(&limited.gateway, testing::request(CHAT, body)).await;
        let left: u64 = response.headers()["x-ratelimit-remaining-tokens"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(left, 2000_u64.saturating_sub(8 + output), "{members}");
    }
}

#[tokio::test]
async fn a_call_larger_than_the_whole_limit_passes_once_in_a_fresh_window() {
    let limited = limited(json!({"tpm": 5}), json!({}));
    assert_eq!(limited.asked().await, 200, "it uses 12 of 5");
    let response = chat(&limited.gateway).await;
    assert_eq!(response.headers()["retry-after"], "45");
    let expected = error("rate_limit_exceeded", "token limit exceeded (tpm)");
    assert_eq!(refusal(response).await, (429, expected));
    limited.clock.advance(45);
    assert_eq!(limited.asked().await, 200);
}

#[tokio::test]
async fn a_slot_is_held_until_the_body_ends() {
    let limited = limited(json!({"concurrency": 1}), json!({}));
    limited
        .upstream
        .answer(Answer::stream().content("a").stall());
    let mut body = stream(&limited.gateway).await.into_body();
    next_text(&mut body).await;
    let response = chat(&limited.gateway).await;
    assert!(!response.headers().contains_key("retry-after"));
    let expected = error("rate_limit_exceeded", "concurrency limit exceeded");
    assert_eq!(refusal(response).await, (429, expected));
    drop(body);
    assert_eq!(limited.asked().await, 200);
    let held = limited.ask(Answer::chat("hello")).await;
    assert_eq!(
        chat(&limited.gateway).await.status(),
        429,
        "a whole answer holds it too"
    );
    drop(held);
    assert_eq!(limited.asked().await, 200);
}

#[tokio::test]
async fn a_slot_is_given_back_by_a_client_that_leaves_early() {
    let limited = limited(json!({"concurrency": 1}), json!({}));
    let mut exchange = limited.upstream.answer(Answer::chat("x").head_stall());
    let gateway = limited.gateway.clone();
    let call = tokio::spawn(async move { chat(&gateway).await });
    exchange.request().await;
    assert_eq!(chat(&limited.gateway).await.status(), 429);
    call.abort();
    exchange.ended().await;
    assert_eq!(limited.asked().await, 200);
}

#[tokio::test]
async fn every_ending_settles_once() {
    let content = || Answer::stream().content("0123456789ab");
    for (answer, used) in [
        (content().finish().usage(100, 50).done(), 150),
        (content().finish().done(), 8 + 3),
        (content().cut(), 8 + 3),
        (content().usage(100, 50).cut(), 150),
        (Answer::stream().cut(), 0),
        (Answer::refusal(500, "no"), 0),
        (Answer::chat("x"), 12),
        (Answer::json(200, &json!({"id": "x"})), 8),
    ] {
        let limited = limited(
            json!({"tpm": 10_000, "rpm": 10, "concurrency": 1}),
            json!({}),
        );
        limited.upstream.answer(answer.clone());
        testing::text(stream(&limited.gateway).await).await;
        let response = limited.ask(Answer::chat("hello")).await;
        let left = |unit: &str| {
            response.headers()[format!("x-ratelimit-remaining-{unit}").as_str()].clone()
        };
        assert_eq!(
            left("tokens"),
            (10_000 - used - 8 - 1024).to_string(),
            "{answer:?}"
        );
        assert_eq!(
            (left("requests"), left("concurrent")),
            ("8".parse().unwrap(), "0".parse().unwrap())
        );
        assert_eq!(limited.endings.all().len(), 1);
    }
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_pays_for_its_prompt() {
    let limited = limited(json!({"tpm": 10_000}), json!({}));
    let mut exchange = limited.upstream.answer(Answer::chat("x").head_stall());
    let gateway = limited.gateway.clone();
    let call = tokio::spawn(async move { chat(&gateway).await });
    exchange.request().await;
    call.abort();
    exchange.ended().await;
    let endings = &limited.endings;
    assert_eq!((endings.attempts(), endings.abandoned()), (vec![None], 1));
    assert_eq!(
        limited.remaining("tokens").await,
        (10_000 - 8 - 8 - 1024).to_string()
    );
}

#[tokio::test]
async fn a_hook_that_refuses_gives_everything_back() {
    let upstream = Upstream::new();
    let blocks = from_fn(|call: Call, next: Next| async move {
        match call.bytes().windows(5).any(|word| word == b"block") {
            true => Err(Error::new(ErrorKind::Blocked, "blocked")),
            false => next.run(call).await,
        }
    });
    let setup = Setup::new().api_key(json!({"rate_limit": {"rpm": 2, "tpm": 5, "concurrency": 1}}));
    let clock = Clock(Arc::new(AtomicU64::new(NOON)));
    let builder = setup.builder(&upstream).limits(clock.store()).hook(blocks);
    let gateway = builder.build().unwrap();
    for _ in 0..5 {
        assert_eq!(
            send(&gateway, testing::chat_request("block"))
                .await
                .status(),
            422
        );
    }
    upstream.answer(Answer::chat("hello"));
    let response = chat(&gateway).await;
    assert_eq!(response.headers()["x-ratelimit-remaining-requests"], "1");
}

#[tokio::test]
async fn a_hook_that_answers_by_itself_may_charge_a_request_and_no_tokens() {
    for (charges, requests) in [(true, "8"), (false, "9")] {
        let upstream = Upstream::new();
        let answers = from_fn(move |call: Call, next: Next| async move {
            if call.trail().user_agent().is_none() {
                return next.run(call).await;
            }
            if charges {
                call.charge_request();
            }
            let answer = testing::chat_answer("known");
            Ok(Reply::new(StatusCode::OK, "application/json", answer))
        });
        let limits = json!({"rate_limit": {"rpm": 10, "tpm": 10_000}});
        let clock = Clock(Arc::new(AtomicU64::new(NOON)));
        let builder = Setup::new().api_key(limits).builder(&upstream);
        let builder = builder.limits(clock.store()).hook(answers);
        let gateway = builder.build().unwrap();
        let mut request = testing::chat_request("hi");
        let agent = HeaderValue::from_static("any");
        request.headers_mut().insert("user-agent", agent);
        testing::text(send(&gateway, request).await).await;
        upstream.answer(Answer::chat("hello"));
        let response = chat(&gateway).await;
        let left = |unit: &str| &response.headers()[format!("x-ratelimit-remaining-{unit}")];
        assert_eq!(left("requests"), requests);
        assert_eq!(left("tokens"), &(10_000 - 8 - 1024).to_string());
    }
}

#[tokio::test]
async fn a_caller_over_its_limit_buys_no_hook_calls() {
    let seen = Arc::new(AtomicU64::new(0));
    let counts = {
        let seen = seen.clone();
        from_fn(move |call: Call, next: Next| {
            seen.fetch_add(1, Ordering::Relaxed);
            next.run(call)
        })
    };
    let upstream = Upstream::new();
    let setup = Setup::new().api_key(json!({"rate_limit": {"rpd": 0}}));
    let gateway = setup.builder(&upstream).hook(counts).build().unwrap();
    assert_eq!(chat(&gateway).await.status(), 429);
    assert_eq!(seen.load(Ordering::Relaxed), 0);
}
