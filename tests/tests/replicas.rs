//! Replicas of an upstream that die and come back while callers ask.

use std::{net::SocketAddr, time::Duration};

use aisix_tests::{
    client::Client,
    gateway::{Gateway, Setup},
    patiently,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// A server of its own that answers chats and `/health`, until it is dropped with all its connections.
struct Server {
    addr: SocketAddr,
    running: JoinHandle<()>,
}

// === impl Server ===

impl Server {
    async fn start(addr: &str) -> Self {
        let listener = TcpListener::bind(addr).await.expect("the port is free");
        let addr = listener.local_addr().expect("it is bound");
        let running = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(serve(socket));
            }
        });
        Self { addr, running }
    }

    /// Kills it, and waits until it is gone.
    async fn kill(self) -> SocketAddr {
        let addr = self.addr;
        self.running.abort();
        drop(self.running.await);
        addr
    }
}

/// Answers requests of a connection, one after the other.
async fn serve(mut socket: TcpStream) {
    let answer =
        json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
        .to_string();
    let reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{answer}",
        answer.len()
    );
    let mut read = Vec::new();
    loop {
        while let Some(length) = complete(&read) {
            read.drain(..length);
            if socket.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
        }
        match socket.read_buf(&mut read).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// The length of a request, if all of it is there.
fn complete(read: &[u8]) -> Option<usize> {
    let head = read.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&read[..head]).to_lowercase();
    let mut lines = text.lines();
    let body = lines.find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let length = head + body.unwrap_or(0);
    (read.len() >= length).then_some(length)
}

/// How the three fare, as the metrics listener tells it.
async fn told(gateway: &Gateway) -> Vec<Value> {
    let aside = Client::anonymous(gateway.metrics_listener());
    let told = aside.get("/status/models").await.json().await;
    told[0]["replicas"].as_array().cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_dies_and_comes_back_under_load_fails_no_request() {
    let mut servers = Vec::new();
    for _ in 0..3 {
        servers.push(Server::start("127.0.0.1:0").await);
    }
    let targets = servers.iter().map(|server| {
        json!({"id": server.addr.port().to_string(), "base_url": format!("http://{}/v1", server.addr)})
    });
    let checks = json!({"active": {"path": "/health", "interval_seconds": 1, "timeout_seconds": 1,
        "unhealthy_threshold": 1, "healthy_threshold": 1}});
    let setup = Setup::new()
        .entry(
            "upstreams",
            json!({"name": "own", "targets": targets.collect::<Vec<_>>(), "health_checks": checks}),
        )
        .entry(
            "provider_keys",
            json!({"display_name": "own", "api_key": "none", "adapter": "openai", "upstream": "own"}),
        )
        .entry(
            "models",
            json!({"display_name": "own", "provider": "vllm", "model_name": "m", "provider_key": "own"}),
        );
    let gateway = Gateway::start(setup).await;
    let mut callers = JoinSet::new();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    for _ in 0..4 {
        let (client, stopped) = (Client::new(gateway.proxy()), stopped.clone());
        callers.spawn(async move {
            let mut statuses = Vec::new();
            while !*stopped.borrow() {
                let response = client.chat("own", "hi").await;
                statuses.push(response.status.as_u16());
                response.text().await;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            statuses
        });
    }
    let is = async |status: &str| {
        patiently("the health of the first replica", async {
            while told(&gateway).await[0]["status"] != status {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    };
    is("healthy").await;
    let addr = servers.remove(0).kill().await;
    is("unhealthy").await;
    let back = Server::start(&addr.to_string()).await;
    is("healthy").await;
    stop.send(true).expect("callers listen");
    let mut all = 0;
    while let Some(statuses) = callers.join_next().await {
        let statuses = statuses.expect("a caller ends");
        all += statuses.len();
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    }
    assert!(all > 50, "{all} requests");
    assert!(told(&gateway).await.iter().all(|it| it["in_flight"] == 0));
    drop(back);
}
