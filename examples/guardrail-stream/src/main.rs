//! A hook that reads a stream while it passes, and changes it: a word is hidden, also where it comes in
//! two pieces. No more is held back than what could still become that word.
//!
//! ```sh
//! cargo run -p example-guardrail-stream
//! curl -N http://127.0.0.1:8080/v1/chat/completions -H 'Authorization: Bearer sk-demo' \
//!   -H 'Content-Type: application/json' \
//!   -d '{"model": "demo", "stream": true, "mock": {"text": "The password is swordfish, sir.", "chunks": 30},
//!        "messages": [{"role": "user", "content": "What is the password?"}]}'
//! ```

mod hide;

use std::error::Error;

use aisix_core::{
    Error as CallError, Gateway,
    call::Call,
    config::{Config, Entry, KeyHash, Kind},
    hook::{Next, from_fn},
    reply::Reply,
};
use aisix_providers::http::{Client, Settings};
use axum::Router;
use futures_util::StreamExt;
use serde_json::json;

use crate::hide::Hide;

// ANCHOR: hook
/// Hides a word in whatever is streamed to callers of OpenAI's dialect.
async fn guard(call: Call, next: Next) -> Result<Reply, CallError> {
    let reply = next.run(call).await?;
    Ok(reply.map_events(|events| {
        let mut hide = Hide::new("swordfish");
        Box::pin(events.map(move |event| event.map(|event| hide.event(event))))
    }))
}
// ANCHOR_END: hook

fn gateway() -> Result<Gateway, Box<dyn Error>> {
    let client = Client::new(Settings::default())?;
    let provider_key = json!({"display_name": "key", "provider": "mock", "api_key": "unused"});
    let model = json!({
        "display_name": "demo",
        "provider": "mock",
        "model_name": "mock",
        "provider_key_id": "key",
    });
    let api_key = json!({"key_hash": KeyHash::of("sk-demo").to_hex(), "allowed_models": ["*"]});
    let config = Config::builder()
        .providers(aisix_providers::registry())
        .fixed([
            Entry::new(Kind::ProviderKey, "key", provider_key),
            Entry::new(Kind::Model, "demo", model),
            Entry::new(Kind::ApiKey, "me", api_key),
        ])?;
    let builder = Gateway::builder(config).transport(client);
    Ok(builder.hook(from_fn(guard)).build()?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, Router::new().fallback_service(gateway()?)).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
