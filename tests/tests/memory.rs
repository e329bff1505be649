//! Memory: many requests leave nothing behind.

use aisix_tests::{
    client::Client,
    gateway::{self, Gateway, Setup},
    within,
};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::task::JoinSet;

const BODY: &str = r#"{"model":"mock","messages":[{"role":"user","content":"hi"}]}"#;

/// Sends this many requests over one connection.
async fn send(client: Client, count: usize) {
    let socket = TokioIo::new(client.connect().await);
    let (mut sender, connection) = http1::handshake(socket).await.expect("an open socket");
    let mut connections = JoinSet::new();
    connections.spawn(async move { connection.await.unwrap_or_default() });
    for _ in 0..count {
        let request = Request::post("/v1/chat/completions")
            .header("host", "a")
            .header("x-api-key", gateway::KEY);
        let request = request
            .body(Full::new(Bytes::from(BODY)))
            .expect("well formed");
        let response = within("an answer", sender.send_request(request))
            .await
            .expect("an answer");
        assert_eq!(response.status(), 200);
        response
            .into_body()
            .collect()
            .await
            .expect("the body is complete");
    }
}

async fn send_in_parallel(client: &Client, count: usize) {
    let senders = (0..4).map(|_| send(client.clone(), count / 4));
    senders.collect::<JoinSet<_>>().join_all().await;
}

#[tokio::test]
async fn twenty_thousand_requests_leave_nothing_behind() {
    let setup = Setup::new()
        .entry("provider_keys", json!({"display_name": "mock", "provider": "mock", "api_key": "none"}))
        .entry("models", json!({"display_name": "mock", "provider": "mock", "model_name": "mock", "provider_key": "mock", "rate_limit": {"rpd": 1_000_000}}))
        .config(json!({"proxy": {"workers": 2}}));
    let gateway = Gateway::start(setup).await;
    let client = Client::new(gateway.proxy());
    send_in_parallel(&client, 4_000).await;
    let before = gateway.resident_kib();
    send_in_parallel(&client, 16_000).await;
    let grown = gateway.resident_kib().saturating_sub(before);
    // Half a KiB for each request would be 8 MiB.
    assert!(
        grown < 6 * 1024,
        "{grown} KiB more than the {before} KiB before"
    );
}
