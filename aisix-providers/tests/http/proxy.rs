//! Through the proxy of the environment, in a process of its own whose environment has one.

use std::process::Command;

use aisix_core::{testing, upstream::Tls};
use aisix_providers::http::{Client, Settings};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::{
    plain::post,
    server::{identity, start},
};

const URL: &str = "AISIX_TEST_PROXIED_URL";
const PEM: &str = "AISIX_TEST_PROXIED_PEM";

#[tokio::test]
async fn upstreams_are_reached_through_the_proxy_of_the_environment() {
    let identity = identity();
    let address = start(Some(&identity)).await;
    let (proxy, asked) = tunnel(address.port()).await;
    let child = tokio::task::spawn_blocking(move || {
        Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "proxy::asks_in_the_environment_of_the_test_above",
            ])
            .env("HTTPS_PROXY", format!("http://user:secret@{proxy}"))
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            // Nothing has this name: only the proxy knows the way.
            .env(URL, "https://localhost:1/")
            .env(PEM, &identity.pem)
            .output()
            .unwrap()
    });
    let output = child.await.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    let head = asked.await.unwrap();
    assert!(
        head.starts_with("CONNECT localhost:1 HTTP/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.to_lowercase()
            .contains("proxy-authorization: basic dxnlcjpzzwnyzxq="),
        "{head}"
    );
}

#[tokio::test]
async fn asks_in_the_environment_of_the_test_above() {
    let (Ok(url), Ok(pem)) = (std::env::var(URL), std::env::var(PEM)) else {
        return;
    };
    identity();
    let client = Client::new(Settings::default()).unwrap();
    let tls = Tls {
        ca_cert: Some(pem),
        verify: true,
    };
    let response = post(&client, &url, Some(tls)).await.unwrap();
    assert_eq!(testing::text(response).await, "/ hello");
}

/// A proxy that tunnels one connection to this port, wherever it was asked to go; and what it was
/// asked.
async fn tunnel(port: u16) -> (std::net::SocketAddr, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        client
            .write_all(b"HTTP/1.1 200 Connected\r\n\r\n")
            .await
            .unwrap();
        let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        // The client may hang up whenever it likes.
        let _ = copy_bidirectional(&mut client, &mut server).await;
        String::from_utf8(head).unwrap()
    });
    (address, asked)
}
