//! Without TLS, and without a TLS provider in the process.

use std::time::{Duration, Instant};

use aisix_core::{
    Error, ErrorKind,
    body::Body,
    testing,
    upstream::{Tls, Transport},
};
use aisix_providers::http::{Client, Settings};
use http::{Request, Response};

use crate::server;

pub(crate) fn settings() -> Settings {
    Settings {
        proxy_from_env: false,
        ..Settings::default()
    }
}

pub(crate) async fn post(
    client: &Client,
    url: &str,
    tls: Option<Tls>,
) -> Result<Response<Body>, Error> {
    let mut request = Request::post(url).body(Body::from("hello")).unwrap();
    if let Some(tls) = tls {
        request.extensions_mut().insert(std::sync::Arc::new(tls));
    }
    client.send(request).await
}

#[tokio::test]
async fn a_request_arrives_and_its_answer_comes_back() {
    let address = server::start(None).await;
    let client = Client::new(settings()).unwrap();
    for n in 0..3 {
        let response = post(&client, &format!("http://{address}/{n}"), None)
            .await
            .unwrap();
        assert_eq!(testing::text(response).await, format!("/{n} hello"));
    }
}

#[tokio::test]
async fn a_closed_port_is_a_transport_error() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Client::new(settings()).unwrap();
    let error = post(&client, &format!("http://{address}/"), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert_eq!(error.message(), "the upstream could not be reached");
}

#[tokio::test]
async fn a_server_that_hangs_up_is_a_transport_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let client = Client::new(settings()).unwrap();
    let error = post(&client, &format!("http://{address}/"), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert!(
        !error.message().contains("127.0.0.1"),
        "{}",
        error.message()
    );
}

#[tokio::test]
async fn connecting_to_nobody_ends_at_the_limit() {
    server::identity();
    // The kernel accepts the connection, but nobody answers the handshake.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = Client::new(Settings {
        connect_timeout: Some(Duration::from_millis(200)),
        ..settings()
    });
    let started = Instant::now();
    let error = post(&client.unwrap(), &format!("https://{address}/"), None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.message(),
        "connecting to the upstream timed out after 200ms"
    );
    assert!(started.elapsed() >= Duration::from_millis(200));
    drop(listener);
}

#[tokio::test]
async fn a_body_that_is_dropped_closes_the_connection() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let closed = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = [0; 1_024];
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n";
        stream.write_all(head).await.unwrap();
        // The end of the request's bytes, or a reset: the other side is gone.
        while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    });
    let client = Client::new(settings()).unwrap();
    let mut response = post(&client, &format!("http://{address}/"), None)
        .await
        .unwrap();
    assert_eq!(
        testing::next_text(response.body_mut()).await.as_deref(),
        Some("a")
    );
    drop(response);
    closed.await.unwrap();
}
