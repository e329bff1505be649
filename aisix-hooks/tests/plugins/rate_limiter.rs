//! How often one may call.

use aisix_core::{
    Gateway,
    body::Body,
    config::{Change, Entry, Kind},
    testing::{self, Answer, Setup, Upstream},
};
use http::{Request, Response};
use serde_json::{Value, json};

use crate::ask::*;

fn limiter(limits: &Value) -> Value {
    json!([{"name": "rate_limiter", "settings": {"limits": limits}}])
}

fn number(response: &Response<Body>, name: &str) -> i64 {
    response.headers()[name].to_str().unwrap().parse().unwrap()
}

fn by(user: &str) -> Request<Body> {
    let mut request = testing::chat_request("hi");
    request
        .headers_mut()
        .insert("x-user-id", user.parse().unwrap());
    request
}

#[tokio::test(start_paused = true)]
async fn the_call_over_the_limit_is_refused_until_the_window_has_passed() {
    let upstream = Upstream::new();
    let limits = json!({"global": {"limit": 2, "window": "1m"}});
    let gateway = gateway(&upstream, limiter(&limits));
    for left in [1, 0] {
        upstream.answer(Answer::chat("hello"));
        let response = send(&gateway, testing::chat_request("hi")).await;
        assert_eq!(response.status(), 200);
        assert_eq!(number(&response, "x-ratelimit-global-limit"), 2);
        assert_eq!(number(&response, "x-ratelimit-global-remaining"), left);
        assert!(number(&response, "x-ratelimit-global-reset") > 1_700_000_000);
    }
    let response = send(&gateway, testing::chat_request("hi")).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "60");
    assert_eq!(number(&response, "x-ratelimit-global-remaining"), 0);
    let error = &testing::json(response).await["error"];
    assert_eq!(error["message"], "global rate limit exceeded");
    assert_eq!(upstream.requests().len(), 2);

    tokio::time::advance(std::time::Duration::from_secs(62)).await;
    upstream.answer(Answer::chat("hello"));
    let response = send(&gateway, testing::chat_request("hi")).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_spread_evenly_come_back_one_by_one() {
    let upstream = Upstream::new();
    let limits =
        json!({"global": {"limit": 3, "window": "1m"}, "per_ip": {"limit": 2, "window": "10s"}});
    let mut chain = limiter(&limits);
    chain[0]["settings"]["algorithm"] = json!("gcra");
    let gateway = gateway(&upstream, chain);
    let second = std::time::Duration::from_secs(1);
    for (after, status, [global, per_ip], wait) in [
        (0, 200, [2, 1], None),
        (0, 200, [1, 0], None),
        // Refused by one, counted by none.
        (0, 429, [1, 0], Some("5")),
        (4, 429, [1, 0], Some("1")),
        (1, 200, [0, 0], None),
        (5, 429, [0, 1], Some("10")),
        (9, 429, [0, 2], Some("1")),
        (1, 200, [0, 1], None),
    ] {
        tokio::time::advance(after * second).await;
        if status == 200 {
            upstream.answer(Answer::chat("hello"));
        }
        let response = send(&gateway, testing::chat_request("hi")).await;
        assert_eq!(response.status(), status);
        assert_eq!(number(&response, "x-ratelimit-global-limit"), 3);
        assert_eq!(number(&response, "x-ratelimit-global-remaining"), global);
        assert_eq!(number(&response, "x-ratelimit-per_ip-remaining"), per_ip);
        assert!(number(&response, "x-ratelimit-global-reset") > 1_700_000_000);
        let told = response.headers().get("retry-after");
        assert_eq!(told.map(|wait| wait.to_str().unwrap()), wait);
    }
}

#[tokio::test]
async fn addresses_are_counted_apart_and_a_refusal_takes_no_place_of_another_kind() {
    let upstream = Upstream::new();
    let limits = json!({"per_ip": {"limit": 1, "window": "1h"},
        "global": {"limit": 2, "window": "1h"}});
    let gateway = gateway(&upstream, limiter(&limits));
    for (address, status) in [
        ("192.0.2.1:1", 200),
        ("192.0.2.1:2", 429),
        ("[::ffff:192.0.2.1]:3", 429),
        ("192.0.2.2:1", 200),
        ("192.0.2.3:1", 429),
    ] {
        if status == 200 {
            upstream.answer(Answer::chat("hello"));
        }
        let response = send(&gateway, from(address, testing::chat_request("hi"))).await;
        assert_eq!(response.status(), status, "{address}");
    }
}

#[tokio::test]
async fn users_are_counted_apart_and_calls_without_one_are_not() {
    let upstream = Upstream::new();
    let limits = json!({"per_user": {"limit": 1, "window": "1h"}});
    let gateway = gateway(&upstream, limiter(&limits));
    let nobody = || testing::chat_request("hi");
    for (request, status) in [
        (by("ann"), 200),
        (by("ann"), 429),
        (by("bob"), 200),
        (nobody(), 200),
        (nobody(), 200),
    ] {
        if status == 200 {
            upstream.answer(Answer::chat("hello"));
        }
        assert_eq!(send(&gateway, request).await.status(), status);
    }
}

#[test]
fn settings_are_checked() {
    for limits in [
        json!({}),
        json!({"global": {"limit": 0, "window": "1m"}}),
        json!({"global": {"limit": 1, "window": "soon"}}),
        json!({"per_ua": {"limit": 1, "window": "1m"}}),
    ] {
        let said = wrong(limiter(&limits));
        assert!(said.contains("limits"), "{said}");
    }
}

#[tokio::test]
async fn a_key_over_its_limit_is_refused_in_the_dialect_of_its_caller() {
    let upstream = Upstream::new();
    let limits = json!({"per_key": {"limit": 1, "window": "1h"}});
    let gateway = gateway(&upstream, limiter(&limits));
    upstream.answer(Answer::chat("hello"));
    let first = send(&gateway, testing::chat_request("hi")).await;
    assert_eq!(first.status(), 200);
    let message = json!({"role": "user", "content": "hi"});
    let contents = json!([{"role": "user", "parts": [{"text": "hi"}]}]);
    let gemini = format!("/v1beta/models/{}:generateContent", testing::MODEL);
    for stream in [false, true] {
        for (path, mut body) in [
            ("/v1/chat/completions", json!({"messages": [message]})),
            (
                "/v1/messages",
                json!({"messages": [message], "max_tokens": 9}),
            ),
            ("/v1/responses", json!({"input": "hi"})),
            (&gemini, json!({"contents": contents})),
        ] {
            if path != gemini {
                body["model"] = json!(testing::MODEL);
                body["stream"] = json!(stream);
            }
            let response = send(&gateway, testing::request(path, body.to_string())).await;
            assert_eq!(response.status(), 429, "{path}");
            assert_eq!(number(&response, "x-ratelimit-per_key-remaining"), 0);
            let error = &testing::json(response).await["error"];
            assert_eq!(error["message"], "per_key rate limit exceeded", "{path}");
        }
    }
}

#[tokio::test]
async fn counts_outlive_a_change_of_the_limit() {
    for algorithm in ["sliding_window", "gcra"] {
        outlives(algorithm).await;
    }
}

async fn outlives(algorithm: &str) {
    let upstream = Upstream::new();
    let setup = |limit: u32| {
        let limits = json!({"global": {"limit": limit, "window": "1h"}});
        let mut chain = limiter(&limits);
        chain[0]["settings"]["algorithm"] = json!(algorithm);
        json!({"display_name": testing::MODEL, "provider": "plain", "model_name": "m",
            "provider_key_id": "key", "plugins": chain})
    };
    let config = Setup::new()
        .hooks(aisix_hooks::hooks())
        .model(setup(1))
        .config();
    let gateway = Gateway::builder(config.clone())
        .transport(upstream.clone())
        .build()
        .unwrap();
    for (limit, status) in [(1, 200), (1, 429), (2, 200), (2, 429)] {
        let entry = Entry::new(Kind::Model, "model", setup(limit));
        assert!(config.apply([Change::Put(entry)]).into_result().is_ok());
        if status == 200 {
            upstream.answer(Answer::chat("hello"));
        }
        let response = send(&gateway, testing::chat_request("hi")).await;
        assert_eq!(response.status(), status, "{limit}");
    }
}
