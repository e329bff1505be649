//! An upstream below HTTP, for answers that no HTTP server would write.

use std::net::SocketAddr;

use bytes::BytesMut;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::Step;

/// Reads each request and then plays the steps on the socket, byte for byte, head included.
///
/// After the last step it closes the connection. Nothing is checked and nothing recorded.
#[derive(Debug)]
pub struct RawUpstream {
    addr: SocketAddr,
    _tasks: JoinSet<()>,
}

impl RawUpstream {
    /// Starts it on a free port of 127.0.0.1.
    pub async fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let addr = listener
            .local_addr()
            .expect("a bound socket has an address");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                connections.spawn(play(socket, steps.clone()));
            }
        });
        Self {
            addr,
            _tasks: tasks,
        }
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The base URL of an OpenAI client.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.addr)
    }
}

async fn play(mut socket: TcpStream, steps: Vec<Step>) {
    if read_request(&mut socket).await.is_none() {
        return;
    }
    for step in steps {
        match step {
            Step::Send(bytes) => {
                if socket.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Step::Wait(gate) => gate.pass().await,
            Step::Stall => std::future::pending().await,
            Step::Cut => return,
        }
    }
}

/// Reads a head and the body that its `content-length` announces; `None` when the peer leaves first.
async fn read_request(socket: &mut TcpStream) -> Option<()> {
    let mut received = BytesMut::new();
    loop {
        if socket.read_buf(&mut received).await.ok()? == 0 {
            return None;
        }
        let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length
            .and_then(|length| length.trim().parse().ok())
            .unwrap_or(0);
        if received.len() >= end + 4 + length {
            return Some(());
        }
    }
}
