//! One model name in front of two providers: when the first fails, the second answers, in the dialect of the caller.
//!
//! ```sh
//! OPENAI_API_KEY=… ANTHROPIC_API_KEY=… cargo run -p example-two-providers-fallback
//! curl -i http://127.0.0.1:8080/v1/chat/completions -H 'Authorization: Bearer sk-demo' \
//!   -H 'Content-Type: application/json' \
//!   -d '{"model": "chat", "messages": [{"role": "user", "content": "Hello"}]}'
//! ```
//!
//! A provider without a key is left out, and behind those that are there stands a mock, so that it runs without any account.
//! To see one take over, give a wrong key: with `OPENAI_API_KEY=wrong`, `x-aisix-served-by` and `x-aisix-attempts`
//! tell that somebody else has answered, at the second attempt.

use std::error::Error;

use aisix_core::{
    Gateway, GatewayBuilder,
    config::{Config, Entry, KeyHash, Kind},
};
use aisix_providers::http::{Client, Settings};
use axum::Router;
use serde_json::json;

// ANCHOR: targets
/// A model of a provider, and the environment variable that has the key for it.
struct Target {
    provider: &'static str,
    model: &'static str,
    key: &'static str,
}

/// Who is asked, best first.
const TARGETS: [Target; 2] = [
    Target {
        provider: "openai",
        model: "gpt-5-mini",
        key: "OPENAI_API_KEY",
    },
    Target {
        provider: "anthropic",
        model: "claude-haiku-4-5",
        key: "ANTHROPIC_API_KEY",
    },
];

/// A gateway with the model `chat`, in front of all targets that `key_of` has a key for, and of the mock.
fn gateway(key_of: impl Fn(&str) -> Option<String>) -> Result<GatewayBuilder, Box<dyn Error>> {
    let known = TARGETS.iter().filter_map(|target| {
        let key = key_of(target.key)?;
        Some((target.provider, target.model, key))
    });
    let mock = ("mock", "mock", "unused".to_owned());
    let mut entries = Vec::new();
    let mut targets = Vec::new();
    for (provider, model, key) in known.chain([mock]) {
        let key = json!({"display_name": provider, "provider": provider, "api_key": key});
        entries.push(Entry::new(Kind::ProviderKey, provider, key));
        let direct = json!({
            "display_name": model,
            "provider": provider,
            "model_name": model,
            "provider_key_id": provider,
            "timeout": 20_000,        // milliseconds for an answer that is no stream
            "stream_timeout": 10_000, // the longest gap in a stream, before its first content too
        });
        entries.push(Entry::new(Kind::Model, model, direct));
        targets.push(json!({"model": model}));
    }
    let chat = json!({
        "display_name": "chat",
        "routing": {
            "strategy": "failover",
            "targets": targets,
            "retry_on_429": true,  // who has no room for us is as good as one that is down
            "deadline_ms": 60_000, // of all attempts together
        },
    });
    entries.push(Entry::new(Kind::Model, "chat", chat));
    let caller = json!({"key_hash": KeyHash::of("sk-demo").to_hex(), "allowed_models": ["chat"]});
    entries.push(Entry::new(Kind::ApiKey, "me", caller));

    let config = Config::builder().providers(aisix_providers::registry());
    Ok(Gateway::builder(config.fixed(entries)?))
}
// ANCHOR_END: targets

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // What `https` needs, once in a process.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::new(Settings::default())?;
    let gateway = gateway(|name| std::env::var(name).ok())?
        .transport(client)
        .build()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, Router::new().fallback_service(gateway)).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
