use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::{connection, gateway};

/// Asks over a connection in memory, as a client at `peer`.
async fn ask(peer: &str) -> (StatusCode, Value) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let peer = peer.parse().unwrap();
    tokio::spawn(connection(TokioIo::new(theirs), peer, gateway().unwrap()));
    let (mut sender, driver) = http1::handshake(TokioIo::new(ours)).await.unwrap();
    tokio::spawn(driver);

    let body = json!({"model": "demo", "messages": [{"role": "user", "content": "Hello"}]});
    let request = Request::post("/v1/chat/completions")
        .header("host", "localhost")
        .header("authorization", "Bearer sk-demo")
        .body(Full::<Bytes>::from(body.to_string()))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn the_gateway_answers_over_a_connection() {
    let (status, answer) = ask("127.0.0.1:5000").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["object"], "chat.completion");
}

#[tokio::test]
async fn the_clients_address_is_known() {
    let (status, answer) = ask("203.0.113.7:5000").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(answer["error"]["code"], "ip_restricted");
}
