//! A provider that is not built in: the made-up vendor Acme.
//!
//! ```sh
//! cargo run -p example-custom-provider
//! curl http://127.0.0.1:8080/v1/chat/completions -H 'Authorization: Bearer sk-demo' \
//!   -H 'Content-Type: application/json' \
//!   -d '{"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}'
//! ```
//!
//! There is no Acme, so the mock server of `aisix-providers` plays its part: it is a Tower service
//! over HTTP requests, and so a transport. A real program gives `http::Client` there.

mod acme;

use std::error::Error;

use aisix_core::{
    Gateway,
    config::{Config, Entry, KeyHash, Kind},
    upstream::Transport,
};
use aisix_providers::MockServer;
use axum::Router;
use serde_json::json;

// ANCHOR: register
fn gateway(transport: impl Transport) -> Result<Gateway, Box<dyn Error>> {
    let provider_key =
        json!({"display_name": "acme", "provider": "acme", "api_key": "acme-secret"});
    let model = json!({
        "display_name": "demo",
        "provider": "acme",
        "model_name": "roadrunner-1",
        "provider_key_id": "acme",
    });
    let api_key = json!({"key_hash": KeyHash::of("sk-demo").to_hex(), "allowed_models": ["*"]});
    let config = Config::builder()
        .providers(aisix_providers::registry().provider(acme::Acme))
        .fixed([
            Entry::new(Kind::ProviderKey, "acme", provider_key),
            Entry::new(Kind::Model, "demo", model),
            Entry::new(Kind::ApiKey, "me", api_key),
        ])?;
    Ok(Gateway::builder(config).transport(transport).build()?)
}
// ANCHOR_END: register

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    let gateway = gateway(MockServer::new())?;
    axum::serve(listener, Router::new().fallback_service(gateway)).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
