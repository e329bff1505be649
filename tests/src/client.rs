//! A plain HTTP/1.1 caller: one connection per call, closed when the response is dropped.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{gateway, within};

/// A caller of one server.
#[derive(Clone, Debug)]
pub struct Client {
    addr: SocketAddr,
    headers: Vec<(String, String)>,
}

/// A response whose head has come; the body follows as it is read.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    body: Incoming,
    read: BytesMut,
    // Aborted on drop, which closes the connection even in the middle of the body.
    _connection: JoinSet<()>,
}

impl Client {
    /// A caller with the credential that [`gateway::Setup`] defines by default.
    #[must_use]
    pub fn new(addr: SocketAddr) -> Self {
        Self::anonymous(addr).header("authorization", &format!("Bearer {}", gateway::KEY))
    }

    /// A caller without a credential.
    #[must_use]
    pub fn anonymous(addr: SocketAddr) -> Self {
        Self {
            addr,
            headers: Vec::new(),
        }
    }

    /// Sends this header field with every call, instead of an earlier one of that name.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gets a path.
    pub async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// Posts a JSON document.
    pub async fn post(&self, path: &str, body: &Value) -> Response {
        self.post_bytes(path, body.to_string()).await
    }

    /// Posts bytes as `application/json`.
    pub async fn post_bytes(&self, path: &str, body: impl Into<Bytes>) -> Response {
        let json = self.clone().header("content-type", "application/json");
        json.send(Method::POST, path, body.into()).await
    }

    /// Asks `model` for a chat completion with one user message.
    pub async fn chat(&self, model: &str, prompt: &str) -> Response {
        let messages = json!([{"role": "user", "content": prompt}]);
        self.post(
            "/v1/chat/completions",
            &json!({"model": model, "messages": messages}),
        )
        .await
    }

    /// The same, streamed.
    pub async fn chat_stream(&self, model: &str, prompt: &str) -> Response {
        let messages = json!([{"role": "user", "content": prompt}]);
        self.post(
            "/v1/chat/completions",
            &json!({"model": model, "messages": messages, "stream": true}),
        )
        .await
    }

    /// Sends a request and waits for the response head. Dropping the future closes the connection.
    pub async fn send(&self, method: Method, path: &str, body: Bytes) -> Response {
        let socket = self.connect().await;
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket))
            .await
            .expect("an open socket");
        let mut connections = JoinSet::new();
        connections.spawn(async move { connection.await.unwrap_or_default() });
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.addr.to_string());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(body))
            .expect("the test's request is well formed");
        let response = within("a response head", sender.send_request(request)).await;
        let (head, body) = response.expect("the server answers").into_parts();
        Response {
            status: head.status,
            headers: head.headers,
            body,
            read: BytesMut::new(),
            _connection: connections,
        }
    }

    /// Opens a bare connection, for requests that no client would write.
    pub async fn connect(&self) -> TcpStream {
        let socket = within("a connection", TcpStream::connect(self.addr))
            .await
            .expect("the server listens");
        socket.set_nodelay(true).ok();
        socket
    }

    /// Sends these bytes on a bare connection and returns what comes back until the server closes it.
    pub async fn raw(&self, request: &[u8]) -> String {
        let mut socket = self.connect().await;
        socket.write_all(request).await.expect("the server reads");
        let mut answer = Vec::new();
        // A server that has refused the head may reset what it has not read.
        within("the server to close", socket.read_to_end(&mut answer))
            .await
            .ok();
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Response {
    /// The first value of a header field, if it was sent and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The next piece of the body as it arrives; `None` at its end, an error when it is broken off.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, hyper::Error> {
        while let Some(frame) = within("more of the body", self.body.frame()).await {
            if let Ok(bytes) = frame?.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// The next event of a stream with line feeds, without the blank line; `None` at the end of the body.
    pub async fn event(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.read.windows(2).position(|window| window == b"\n\n") {
                let event = self.read.split_to(end + 2);
                return Some(String::from_utf8_lossy(&event[..end]).into_owned());
            }
            let piece = self.piece().await.ok()??;
            self.read.extend_from_slice(&piece);
        }
    }

    /// The payload of the next event that is not a comment, as JSON; `None` at `[DONE]` or the end.
    pub async fn data(&mut self) -> Option<Value> {
        loop {
            let event = self.event().await?;
            let Some(payload) = event.lines().find_map(|line| line.strip_prefix("data: ")) else {
                continue;
            };
            return serde_json::from_str(payload).ok();
        }
    }

    /// What is left of the body. Panics when it is broken off.
    pub async fn bytes(mut self) -> Bytes {
        while let Some(piece) = self.piece().await.expect("the body is complete") {
            self.read.extend_from_slice(&piece);
        }
        self.read.freeze()
    }

    /// What is left of the body as text.
    pub async fn text(self) -> String {
        String::from_utf8(self.bytes().await.to_vec()).expect("the body is UTF-8")
    }

    /// The body as JSON.
    pub async fn json(self) -> Value {
        let text = self.text().await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("not JSON ({error}): {text}"))
    }
}
