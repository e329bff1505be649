//! The gateway on hyper's server alone: no router, no framework.
//!
//! ```sh
//! cargo run -p example-embed-hyper
//! curl http://127.0.0.1:8080/v1/chat/completions -H 'Authorization: Bearer sk-demo' \
//!   -H 'Content-Type: application/json' \
//!   -d '{"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}'
//! ```

use std::{error::Error, net::SocketAddr};

use aisix_core::{
    BoxError, Gateway,
    config::{Config, Entry, KeyHash, Kind},
    edge::ClientAddr,
};
use aisix_providers::http::{Client, Settings};
use hyper::{
    body::Incoming,
    rt::{Read, Write},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use serde_json::json;
use tower::Service;

fn gateway() -> Result<Gateway, Box<dyn Error>> {
    let provider_key = json!({"display_name": "key", "provider": "mock", "api_key": "unused"});
    let model = json!({
        "display_name": "demo",
        "provider": "mock",
        "model_name": "mock",
        "provider_key_id": "key",
        "allowed_cidrs": ["127.0.0.0/8", "::1"],
    });
    let api_key = json!({"key_hash": KeyHash::of("sk-demo").to_hex(), "allowed_models": ["demo"]});
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

// ANCHOR: connection
/// Serves one connection. The gateway learns the client's address from the request's extensions.
async fn connection<I>(io: I, peer: SocketAddr, gateway: Gateway) -> Result<(), BoxError>
where
    I: Read + Write + Unpin + 'static,
{
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(ClientAddr(peer));
        gateway.clone().call(request)
    });
    auto::Builder::new(TokioExecutor::new())
        .serve_connection(io, service)
        .await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let gateway = gateway()?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    loop {
        let (stream, peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let gateway = gateway.clone();
        tokio::spawn(async move {
            // An error here means that the client broke off, which the gateway has seen already.
            let _ = connection(TokioIo::new(stream), peer, gateway).await;
        });
    }
}
// ANCHOR_END: connection

#[cfg(test)]
mod tests;
