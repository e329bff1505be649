//! The gateway under a prefix of an axum app that has routes of its own.
//!
//! ```sh
//! cargo run -p example-embed-axum
//! curl http://127.0.0.1:8080/llm/v1/chat/completions -H 'Authorization: Bearer sk-demo' \
//!   -H 'Content-Type: application/json' \
//!   -d '{"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}'
//! ```
//!
//! An OpenAI SDK finds it at the base URL `http://127.0.0.1:8080/llm/v1`.

use std::error::Error;

use aisix_core::{
    Gateway,
    config::{Config, Entry, KeyHash, Kind},
};
use aisix_providers::http::{Client, Settings};
use axum::{Router, routing::get};
use serde_json::json;

// ANCHOR: gateway
fn gateway() -> Result<Gateway, Box<dyn Error>> {
    let provider_key = json!({
        "display_name": "a provider key",
        "provider": "mock", // "openai" or "deepseek", with a real `api_key`
        "api_key": "unused",
    });
    let model = json!({
        "display_name": "demo", // the name that callers use
        "provider": "mock",
        "model_name": "mock", // the name at the provider, such as "gpt-4o"
        "provider_key_id": "key",
    });
    let api_key = json!({
        "key_hash": KeyHash::of("sk-demo").to_hex(),
        "allowed_models": ["*"],
        "rate_limit": {"rpm": 60},
    });
    let config = Config::builder()
        .providers(aisix_providers::registry())
        .fixed([
            Entry::new(Kind::ProviderKey, "key", provider_key),
            Entry::new(Kind::Model, "demo", model),
            Entry::new(Kind::ApiKey, "me", api_key),
        ])?;
    let client = Client::new(Settings::default())?;
    Ok(Gateway::builder(config).transport(client).build()?)
}
// ANCHOR_END: gateway

// ANCHOR: app
fn app() -> Result<Router, Box<dyn Error>> {
    Ok(Router::new()
        .route("/", get(|| async { "the app's own page" }))
        .nest_service("/llm", gateway()?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app()?).await?;
    Ok(())
}
// ANCHOR_END: app

#[cfg(test)]
mod tests;
