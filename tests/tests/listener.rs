//! The proxy's listener: TLS, h2, compressed bodies, workers, and connections that nobody would open.

use aisix_tests::{
    client::Client,
    gateway::{self, Gateway, Setup},
    tls::Certificate,
    upstream::{Flavour, Upstream},
    within,
};
use async_compression::{Level, tokio::write::GzipEncoder};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, task::JoinSet};

const CHAT: &str = "/v1/chat/completions";

async fn house(config: Value) -> (Upstream, Gateway) {
    let upstream = Upstream::start(Flavour::OpenAi).await;
    let setup = Setup::new()
        .provider(&upstream)
        .models(["text"])
        .config(config);
    (upstream, Gateway::start(setup).await)
}

fn chat(uri: &str) -> Request<Full<Bytes>> {
    let body =
        json!({"model": "text", "messages": [{"role": "user", "content": "hi"}]}).to_string();
    let request = Request::post(uri)
        .header("host", "localhost")
        .header("x-api-key", gateway::KEY);
    request.body(Full::from(body)).expect("well formed")
}

/// One call over TLS, and the certificate's owner must be `certificate`.
async fn call(gateway: &Gateway, certificate: &Certificate, alpn: &str) -> std::io::Result<u16> {
    let stream = certificate.connect(gateway.proxy(), alpn).await?;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(alpn.as_bytes()));
    let (stream, mut connections) = (TokioIo::new(stream), JoinSet::new());
    let response = match alpn {
        "h2" => {
            let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream)
                .await
                .expect("h2");
            connections.spawn(async move { connection.await.unwrap_or_default() });
            within(
                "an answer",
                sender.send_request(chat("https://localhost/v1/chat/completions")),
            )
            .await
        }
        _ => {
            let (mut sender, connection) = http1::handshake(stream).await.expect("an open stream");
            connections.spawn(async move { connection.await.unwrap_or_default() });
            within("an answer", sender.send_request(chat(CHAT))).await
        }
    };
    let response = response.expect("the gateway answers");
    let status = response.status().as_u16();
    let body = response
        .into_body()
        .collect()
        .await
        .expect("the body is complete")
        .to_bytes();
    assert!(
        String::from_utf8_lossy(&body).contains("Hello from upstream"),
        "{body:?}"
    );
    Ok(status)
}

#[tokio::test]
async fn tls_speaks_both_protocols_and_takes_a_new_certificate_without_a_restart() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let old = Certificate::new("localhost");
    let (cert, key) = old.write(directory.path());
    let tls = json!({"proxy": {"tls": {"cert_file": cert, "key_file": key}}});
    let (_upstream, gateway) = house(tls).await;
    for alpn in ["h2", "http/1.1"] {
        assert_eq!(
            call(&gateway, &old, alpn).await.expect("our certificate"),
            200
        );
    }
    let new = Certificate::new("localhost");
    assert!(
        new.connect(gateway.proxy(), "h2").await.is_err(),
        "any certificate would do"
    );
    new.write(directory.path());
    let taken = async { while new.connect(gateway.proxy(), "h2").await.is_err() {} };
    within("the new certificate", taken).await;
    assert_eq!(call(&gateway, &new, "h2").await.expect("the new one"), 200);
    assert!(
        old.connect(gateway.proxy(), "h2").await.is_err(),
        "the old one is still shown"
    );
}

#[tokio::test]
async fn a_certificate_that_is_not_there_stops_the_start() {
    let tls = json!({"proxy": {"tls": {"cert_file": "no.pem", "key_file": "no.key"}}});
    let printed = Gateway::try_start(Setup::new().config(tls))
        .await
        .expect_err("no file");
    assert!(
        printed.contains("exit status: 1") && printed.contains("no.pem"),
        "{printed}"
    );
}

#[tokio::test]
async fn h2_is_spoken_without_tls_too() {
    let (_upstream, gateway) = house(json!({})).await;
    let socket = TokioIo::new(Client::new(gateway.proxy()).connect().await);
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), socket)
        .await
        .expect("h2");
    let mut connections = JoinSet::new();
    connections.spawn(async move { connection.await.unwrap_or_default() });
    let uri = format!("http://{}{CHAT}", gateway.proxy());
    let response = within("an answer", sender.send_request(chat(&uri)))
        .await
        .expect("an answer");
    assert_eq!(response.status(), 200);
}

async fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzipEncoder::with_quality(Vec::new(), Level::Best);
    encoder.write_all(text).await.expect("a vector takes all");
    encoder.shutdown().await.expect("a vector takes all");
    encoder.into_inner()
}

#[tokio::test]
async fn a_gzip_body_goes_to_the_provider_in_clear_and_counts_in_full() {
    let (upstream, gateway) = house(json!({"proxy": {"request_body_limit_bytes": 100_000}})).await;
    let client = Client::new(gateway.proxy()).header("content-encoding", "gzip");
    let send = async |body: Vec<u8>| {
        client
            .send(Method::POST, CHAT, body.into())
            .await
            .status
            .as_u16()
    };
    let body = |size| {
        json!({"model": "text", "messages": [{"role": "user", "content": "x".repeat(size)}]})
            .to_string()
    };
    assert_eq!(send(gzip(body(1000).as_bytes()).await).await, 200);
    let request = upstream.exchange(0).await.request;
    assert_eq!(request.body, body(1000));
    assert_eq!(request.header("content-encoding"), None);

    let bomb = gzip(body(10_000_000).as_bytes()).await;
    assert!(bomb.len() < 100_000, "it fits only while it is compressed");
    assert_eq!(send(bomb).await, 413);
    assert_eq!(send(b"no gzip at all".to_vec()).await, 400);
    let other = Client::new(gateway.proxy()).header("content-encoding", "br");
    assert!([400, 415].contains(&other.post_bytes(CHAT, body(1)).await.status.as_u16()));
    assert_eq!(upstream.exchanges().len(), 1);
}

#[tokio::test]
async fn every_kind_of_worker_serves_many_at_once() {
    for proxy in [
        json!({"workers": 2}),
        json!({"workers": 3, "thread_per_core": true}),
        json!({"thread_per_core": false}),
    ] {
        let (upstream, gateway) = house(json!({"proxy": proxy})).await;
        let client = Client::new(gateway.proxy());
        let mut calls = JoinSet::new();
        for _ in 0..40 {
            let client = client.clone();
            calls.spawn(async move { client.chat("text", "hi").await.text().await });
        }
        for answer in calls.join_all().await {
            assert!(answer.contains("Hello from upstream"), "{proxy}: {answer}");
        }
        assert_eq!(upstream.exchanges().len(), 40, "{proxy}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_or_never_ends_does_not_hold_a_connection() {
    let (_upstream, gateway) = house(json!({})).await;
    let client = Client::new(gateway.proxy());
    let large = format!(
        "GET /livez HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "y".repeat(70_000)
    );
    let fits = format!(
        "GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: {}\r\n\r\n",
        "y".repeat(60_000)
    );
    // The server closes after 10 seconds; `raw` waits for it.
    let slow = client.raw(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-");
    let (large, fits, _) = tokio::join!(
        client.raw(large.as_bytes()),
        client.raw(fits.as_bytes()),
        slow
    );
    assert!(large.starts_with("HTTP/1.1 431 "), "{large}");
    assert!(fits.starts_with("HTTP/1.1 200 "), "{fits}");
    assert_eq!(client.chat("text", "hi").await.status, 200);
}

#[tokio::test]
async fn what_http_allows_is_understood() {
    let (_upstream, gateway) = house(json!({})).await;
    let client = Client::new(gateway.proxy());
    let key = gateway::KEY;
    let body = r#"{"model":"text","messages":[{"role":"user","content":"hi"}]}"#;
    let length = body.len();
    let post = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\ncontent-length: {length}\r\n"
    );
    let models = format!("GET /v1/models HTTP/1.1\r\nhost: a\r\nx-api-key: {key}\r\n");
    let table = [
        (
            "HTTP/1.0",
            format!("GET /v1/models HTTP/1.0\r\nx-api-key: {key}\r\n\r\n"),
            1,
        ),
        (
            "an absolute URL",
            format!(
                "GET http://a/v1/models HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-api-key: {key}\r\n\r\n"
            ),
            1,
        ),
        (
            "two requests at once",
            format!("{models}\r\n{models}connection: close\r\n\r\n"),
            2,
        ),
        (
            "two bodies at once",
            format!("{post}\r\n{body}{post}connection: close\r\n\r\n{body}"),
            2,
        ),
        (
            "upper case names",
            format!(
                "GET /v1/models HTTP/1.1\r\nHOST: a\r\nConnection: close\r\nX-API-KEY: {key}\r\n\r\n"
            ),
            1,
        ),
        (
            "expect",
            format!("{post}expect: 100-continue\r\nconnection: close\r\n\r\n{body}"),
            1,
        ),
        (
            "a probe by HEAD",
            "HEAD /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(),
            1,
        ),
    ];
    for (what, request, answers) in table {
        let answer = client.raw(request.as_bytes()).await;
        let answered =
            answer.matches("HTTP/1.1 200 OK").count() + answer.matches("HTTP/1.0 200 OK").count();
        assert_eq!(answered, answers, "{what}: {answer}");
    }
    let stranger = format!(
        "POST {CHAT} HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 900000\r\n\r\n"
    );
    let refused = client.raw(stranger.as_bytes()).await;
    assert!(
        refused.starts_with("HTTP/1.1 401 "),
        "a stranger is asked for the body: {refused}"
    );
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_when_that_is_asked_for() {
    let (_upstream, gateway) = house(json!({"downstream": {"idle_timeout_secs": 1}})).await;
    let client = Client::new(gateway.proxy());
    // It is kept open by the client, so only the server can end it.
    let answer = client.raw(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
