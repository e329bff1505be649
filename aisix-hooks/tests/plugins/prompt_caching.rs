//! Prompts that are cached.

use std::sync::Arc;

use aisix_core::{
    Error, Gateway,
    body::Body,
    call::Attempt,
    testing::{self, Answer, Setup, Upstream},
    upstream::{Endpoint, Provider, Registry, Spec},
    wire::{Dialect, Operation},
};
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::*;

/// A provider of Anthropic's dialect.
struct Claude;

impl Provider for Claude {
    fn kind(&self) -> &'static str {
        "claude"
    }

    fn has_default_base(&self) -> bool {
        true
    }

    fn endpoint(&self, _: &Spec<'_>) -> Result<Arc<dyn Endpoint>, Error> {
        Ok(Arc::new(Self))
    }
}

#[async_trait]
impl Endpoint for Claude {
    fn dialect(&self, _: &Operation) -> Option<Dialect> {
        Some(Dialect::Anthropic)
    }

    async fn prepare(&self, _: &Attempt, body: Bytes) -> Result<http::Request<Body>, Error> {
        let request = http::Request::post("http://upstream.test/v1/messages");
        Ok(request.body(Body::full(body)).unwrap())
    }
}

fn to_claude(upstream: &Upstream, plugins: Value) -> Gateway {
    let setup = Setup::new()
        .hooks(aisix_hooks::hooks())
        .providers(Registry::new().provider(Claude));
    let model = json!({"provider": "claude", "plugins": plugins,
        "auto_prompt_caching": {"enabled": true, "ttl": "1h"}});
    setup.model(model).gateway(upstream)
}

fn caching(settings: Value) -> Value {
    json!([{"name": "prompt_caching", "settings": settings}])
}

fn answer() -> Answer {
    Answer::json(
        200,
        &json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "text", "text": "hi"}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1}}),
    )
}

#[tokio::test]
async fn it_counts_more_than_the_model_for_callers_of_every_dialect() {
    let upstream = Upstream::new();
    let gateway = to_claude(&upstream, caching(json!({"user_turns": 1})));
    for request in requests("hi", false) {
        let path = request.uri().path().to_owned();
        upstream.answer(answer());
        assert_eq!(send(&gateway, request).await.status(), 200, "{path}");
        let sent = upstream.last_request();
        let control = &sent.json()["messages"][0]["content"][0]["cache_control"];
        assert_eq!(*control, json!({"type": "ephemeral"}), "{path}");
        assert!(!sent.head.headers.contains_key("anthropic-beta"), "{path}");
    }
}

#[tokio::test]
async fn nothing_is_set_where_nothing_is_wanted() {
    let upstream = Upstream::new();
    let gateway = to_claude(&upstream, caching(json!({"user_turns": 0})));
    for request in requests("hi", false) {
        upstream.answer(answer());
        send(&gateway, request).await;
        assert!(!upstream.last_request().text().contains("cache_control"));
    }
}

#[tokio::test]
async fn other_upstreams_get_the_very_bytes() {
    let upstream = Upstream::new();
    let gateway = gateway(&upstream, caching(json!({"ttl": "1h"})));
    upstream.answer(Answer::chat("hello"));
    let response = send(&gateway, testing::chat_request("hi")).await;
    assert_eq!(response.status(), 200);
    assert!(!upstream.last_request().text().contains("cache_control"));
}

#[test]
fn settings_are_checked() {
    for (settings, expected) in [
        (json!({"ttl": "2h"}), "settings.ttl`"),
        (
            json!({"user_turns": 5}),
            "settings.user_turns` must be at most 4",
        ),
        (
            json!({"tools": false, "system": false, "user_turns": 0}),
            "settings.user_turns` must be at least 1, where",
        ),
    ] {
        let said = wrong(caching(settings));
        assert!(said.contains(expected), "{said}");
    }
}
