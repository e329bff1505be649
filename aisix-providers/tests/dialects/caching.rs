//! `auto_prompt_caching`: breakpoints in what goes to Anthropic, whoever asks.

use aisix_core::testing;
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::{CHAT, House, MESSAGES, anthropic_answer};

const GEMINI: &str = "/v1beta/models/test-model:generateContent";

fn house(ttl: &str) -> House {
    let caching = json!({"enabled": true, "ttl": ttl});
    House::with(
        "anthropic",
        json!({"model_name": "claude-sonnet-4-5", "auto_prompt_caching": caching}),
    )
}

/// The same conversation in every dialect: instructions, a tool, and two turns of the user.
fn conversations() -> [(&'static str, Value); 4] {
    let message = |role: &str, text: &str| json!({"role": role, "content": text});
    let turns = [
        message("user", "one"),
        message("assistant", "two"),
        message("user", "three"),
    ];
    let mut with_system = vec![message("system", "be brief")];
    with_system.extend(turns.clone());
    let schema = json!({"type": "object", "properties": {}});
    let function = json!({"name": "f", "parameters": schema});
    let part = |role: &str, text: &str| json!({"role": role, "parts": [{"text": text}]});
    [
        (
            CHAT,
            json!({"messages": with_system, "tools": [{"type": "function", "function": function}]}),
        ),
        (
            MESSAGES,
            json!({"max_tokens": 9, "system": "be brief", "messages": turns,
                "tools": [{"name": "f", "input_schema": schema}]}),
        ),
        (
            "/v1/responses",
            json!({"instructions": "be brief", "input": turns,
                "tools": [{"type": "function", "name": "f", "parameters": schema}]}),
        ),
        (
            GEMINI,
            json!({"systemInstruction": {"parts": [{"text": "be brief"}]},
                "contents": [part("user", "one"), part("model", "two"), part("user", "three")],
                "tools": [{"functionDeclarations": [function]}]}),
        ),
    ]
}

#[tokio::test]
async fn callers_of_every_dialect_profit() {
    for ttl in ["5m", "1h"] {
        let house = house(ttl);
        for (path, body) in conversations() {
            let (response, mut exchange) = house.post(path, body, anthropic_answer()).await;
            let fidelity = response.headers()["x-aisix-fidelity"].clone();
            assert_eq!(response.status(), 200, "{path}");
            let sent = exchange.request().await;
            let body = sent.json();
            let control = match ttl {
                "5m" => json!({"type": "ephemeral"}),
                _ => json!({"type": "ephemeral", "ttl": "1h"}),
            };
            for place in [
                "/tools/0",
                "/system/0",
                "/messages/0/content/0",
                "/messages/2/content/0",
            ] {
                let place = body.pointer(place).expect(place);
                assert_eq!(place["cache_control"], control, "{path}: {body}");
            }
            assert_eq!(sent.text().matches("cache_control").count(), 4, "{path}");
            let beta = sent.head.headers.get("anthropic-beta");
            let expected = (ttl == "1h").then_some("extended-cache-ttl-2025-04-11");
            assert_eq!(beta.map(|beta| beta.to_str().unwrap()), expected, "{path}");
            let expected = if path == MESSAGES {
                "edited"
            } else {
                "translated"
            };
            assert_eq!(fidelity, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn the_callers_own_beta_is_kept_and_named_once() {
    let house = house("1h");
    for (own, expected) in [
        (
            "a-1, b-2",
            &["a-1, b-2", "extended-cache-ttl-2025-04-11"][..],
        ),
        (
            "a-1,extended-cache-ttl-2025-04-11",
            &["a-1,extended-cache-ttl-2025-04-11"],
        ),
    ] {
        let mut exchange = house.upstream.answer(anthropic_answer());
        let body = json!({"model": testing::MODEL, "max_tokens": 9,
            "messages": [{"role": "user", "content": "hi"}]});
        let mut request: Request<_> = testing::request(MESSAGES, body.to_string());
        let headers = request.headers_mut();
        headers.insert("anthropic-beta", own.parse().unwrap());
        let response = house.gateway.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let sent = exchange.request().await;
        let beta = sent.head.headers.get_all("anthropic-beta").iter();
        let beta: Vec<_> = beta.map(|beta| beta.to_str().unwrap()).collect();
        assert_eq!(beta, expected);
    }
}

#[tokio::test]
async fn counting_and_other_providers_are_left_alone() {
    let house = house("5m");
    let (path, body) = ("/v1/messages/count_tokens", conversations()[1].1.clone());
    let (_, mut exchange) = house.post(path, body, anthropic_answer()).await;
    assert!(!exchange.request().await.text().contains("cache_control"));
    let caching = json!({"model_name": "gpt-4o", "auto_prompt_caching": {"enabled": true}});
    let house = House::with("openai", caching);
    for (path, body) in conversations() {
        let answer = testing::Answer::chat("hi");
        let (_, mut exchange) = house.post(path, body, answer).await;
        let sent = exchange.request().await;
        assert!(!sent.text().contains("cache_control"), "{path}");
    }
}

#[tokio::test]
async fn one_that_is_off_does_nothing() {
    let caching = json!({"enabled": false});
    let model = json!({"model_name": testing::MODEL, "auto_prompt_caching": caching});
    let house = House::with("anthropic", model);
    let (path, body) = conversations()[1].clone();
    let (response, mut exchange) = house.post(path, body, anthropic_answer()).await;
    assert_eq!(response.headers()["x-aisix-fidelity"], "verbatim");
    assert!(!exchange.request().await.text().contains("cache_control"));
}
