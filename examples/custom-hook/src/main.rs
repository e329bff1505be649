//! Policies of one's own, in four forms: an async function, a hand-written Tower layer, a layer of
//! tower's as it is, and a factory that configuration uses by name.
//!
//! ```sh
//! cargo run -p example-custom-hook
//! curl -i http://127.0.0.1:8080/v1/chat/completions -H 'Authorization: Bearer sk-demo' \
//!   -H 'Content-Type: application/json' \
//!   -d '{"model": "demo", "messages": [{"role": "user", "content": "What is the launch code?"}]}'
//! ```

mod plugin;
mod timing;

use std::{error::Error, time::Duration};

use aisix_core::{
    Error as CallError, ErrorKind, Gateway,
    call::Call,
    config::{Config, Entry, KeyHash, Kind},
    hook::{Hooks, Next, from_fn},
    reply::Reply,
    wire::{Edits, json_string},
};
use aisix_providers::http::{Client, Settings};
use axum::Router;
use serde_json::json;
use tower::timeout::TimeoutLayer;

use crate::{plugin::BannedWords, timing::TimingLayer};

// ANCHOR: refuse
/// Refuses calls that speak of what nobody may speak of.
async fn guard(call: Call, next: Next) -> Result<Reply, CallError> {
    let messages = call.inbound.payload.member("messages");
    let text = messages.map(|messages| messages.raw(call.bytes()).to_ascii_lowercase());
    if text.is_some_and(|text| text.windows(11).any(|part| part == b"launch code")) {
        let message = "request blocked by content policy";
        return Err(CallError::new(ErrorKind::Blocked, message));
    }
    next.run(call).await
}
// ANCHOR_END: refuse

// ANCHOR: edit
/// Tells the provider who asks, whatever the client says. All other bytes stay as they came.
async fn name_user(mut call: Call, next: Next) -> Result<Reply, CallError> {
    let mut edits = Edits::new();
    edits.set("user", json_string(call.caller().id()));
    let edited = call.inbound.payload.edit(&edits);
    edited.map_err(|error| {
        CallError::new(ErrorKind::Internal, "internal error").with_source(error)
    })?;
    next.run(call).await
}
// ANCHOR_END: edit

// ANCHOR: chain
fn gateway() -> Result<Gateway, Box<dyn Error>> {
    let client = Client::new(Settings::default())?;
    Ok(Gateway::builder(config()?)
        .transport(client)
        .hook(TimingLayer) // outermost: it times the other hooks too
        .hook(TimeoutLayer::new(Duration::from_secs(20)))
        .hook(from_fn(guard))
        .hook(from_fn(name_user)) // innermost: next to the upstream
        .build()?)
}
// ANCHOR_END: chain

// ANCHOR: config
fn config() -> Result<Config, Box<dyn Error>> {
    let provider_key = json!({"display_name": "key", "provider": "mock", "api_key": "unused"});
    let model = json!({
        "display_name": "demo",
        "provider": "mock",
        "model_name": "mock",
        "provider_key_id": "key",
        "plugins": [{"name": "banned_words", "settings": {"words": ["swordfish"]}}],
    });
    let api_key = json!({"key_hash": KeyHash::of("sk-demo").to_hex(), "allowed_models": ["*"]});
    Ok(Config::builder()
        .providers(aisix_providers::registry())
        .hooks(Hooks::new().plugin(BannedWords))
        .fixed([
            Entry::new(Kind::ProviderKey, "key", provider_key),
            Entry::new(Kind::Model, "demo", model),
            Entry::new(Kind::ApiKey, "me", api_key),
        ])?)
}
// ANCHOR_END: config

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, Router::new().fallback_service(gateway()?)).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
