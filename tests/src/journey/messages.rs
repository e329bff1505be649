//! The journeys of the Messages dialect: its own SDK at any provider, and any SDK at its provider.

use serde_json::json;

use super::{gateway, scripted};
use crate::{
    gateway as house,
    sdk::{Language, Sdk},
    upstream::{self, Flavour, Message, Reply, Step, Upstream, message},
};

/// Scripts an upstream of the Messages dialect, which says what the one of OpenAI's dialect says.
async fn anthropic() -> Upstream {
    let upstream = Upstream::start(Flavour::Anthropic).await;
    let text = || Message::text(&["Hel", "lo ", "wörld"]);
    upstream.on("text", text());
    let weather = Message::calling("call_1", "weather", &["{\"ci", "ty\":\"Par", "is\"}"]);
    upstream.on("tool", weather.clone());
    upstream.on("two-tools", weather.and_calling("call_2", "time", &["{}"]));
    let refusals = [
        ("bad-400", 400, "invalid_request_error"),
        ("key-401", 401, "authentication_error"),
        ("forbidden-403", 403, "permission_error"),
        ("missing-404", 404, "not_found_error"),
        ("limited-429", 429, "rate_limit_error"),
        ("broken-500", 500, "api_error"),
    ];
    for (model, status, kind) in refusals {
        let refusal = message::refusal(status, kind, &format!("no, says {model}"));
        upstream.on(
            model,
            if status == 429 {
                refusal.header("retry-after", "7")
            } else {
                refusal
            },
        );
    }
    let start = json!({"id": "m", "type": "message", "role": "assistant", "model": "fails-midway", "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 4, "output_tokens": 1}});
    let events = [
        json!({"type": "message_start", "message": start}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}}),
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    ];
    upstream.on("fails-midway", message::events(&events));
    upstream.on("stalls", text().after(4, Step::Stall));
    upstream.on("never", Reply::never());
    upstream
}

/// Points the SDK straight at the scripted upstream, which shows that the upstream speaks the dialect.
pub async fn speaks_to_the_scripted_messages(language: Language) {
    let upstream = anthropic().await;
    Sdk::start(language, "messages", &upstream.base_url(), upstream::KEY)
        .passed()
        .await;
}

/// Everything that the dialect offers, through the gateway to a provider of the same dialect.
pub async fn cannot_tell_the_gateway_from_anthropic(language: Language) {
    let upstream = anthropic().await;
    let gateway = gateway(&upstream).await;
    Sdk::start(language, "messages", &gateway.base_url(), house::KEY)
        .passed()
        .await;
    for exchange in upstream.exchanges() {
        assert_eq!(
            exchange.request.header("x-api-key"),
            Some(upstream::KEY),
            "only the provider key goes upstream"
        );
    }
}

/// The same checks at a provider of OpenAI's dialect, which never sees that a Messages SDK asked.
pub async fn cannot_tell_openai_from_anthropic(language: Language) {
    let upstream = scripted().await;
    let gateway = gateway(&upstream).await;
    Sdk::start(language, "messages", &gateway.base_url(), house::KEY)
        .passed()
        .await;
    for exchange in upstream.exchanges() {
        let request = exchange.request;
        assert_eq!(request.path, "/v1/chat/completions");
        for foreign in ["x-api-key", "anthropic-version"] {
            assert_eq!(request.header(foreign), None, "{foreign} went upstream");
        }
    }
}

/// What the gateway itself says to a Messages SDK, and that it cancels upstream when the caller leaves;
/// once at each dialect.
pub async fn understands_the_gateway_in_messages(language: Language) {
    for upstream in [anthropic().await, scripted().await] {
        let gateway = gateway(&upstream).await;
        let base = gateway.base_url();
        let mut sdk = Sdk::start(language, "messages_gateway", &base, house::KEY);
        for (waiting, model) in [("stream closed", "stalls"), ("timed out", "never")] {
            sdk.wait(waiting).await;
            upstream.exchange_for(model).await.closed().await;
            sdk.resume().await;
        }
        sdk.passed().await;
    }
}

/// What of OpenAI's dialect can be said in Messages, by an OpenAI SDK.
pub async fn calls_anthropic_as_if_it_were_openai(language: Language) {
    let upstream = anthropic().await;
    let gateway = gateway(&upstream).await;
    Sdk::start(language, "translated", &gateway.base_url(), house::KEY)
        .passed()
        .await;
}
