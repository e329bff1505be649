//! One keep-alive HTTP/1.1 connection of the load generator, written for low overhead.
//!
//! It shares a core with the upstream, so it does not use hyper's client: its cost per streamed frame
//! would hide the differences between subjects.

mod framing;

use anyhow::{Context, Result, bail, ensure};
use framing::Framing;
use memchr::memmem;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The most a reply may have, head and body each; more is a failed call.
const REPLY_LIMIT: usize = 8 << 20;

/// How long one call took, from its first byte written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// To the first byte of the body.
    pub(crate) first: Duration,
    /// To the last byte of the body.
    pub(crate) total: Duration,
}

/// What makes a reply a good one, besides status 200 and a complete body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expect {
    /// A chat completion.
    Chat,
    /// A message.
    Message,
    /// Exactly this many chunks and then `[DONE]`.
    Chunks(usize),
    /// At least this many events, the last of which ends so.
    Events(usize, &'static str),
}

/// A connection that carries one call at a time.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    body: Vec<u8>,
}

impl Connection {
    /// Connects, with `TCP_NODELAY`.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("connect")?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            received: Vec::with_capacity(64 << 10),
            body: Vec::with_capacity(64 << 10),
        })
    }

    /// Makes one call with a whole request, head and body, and checks the reply.
    ///
    /// Any error leaves the connection unusable; so does dropping the future.
    pub(crate) async fn call(&mut self, request: &[u8], expect: Expect) -> Result<Sample> {
        let (status, sample) = self.exchange(request).await?;
        if status != 200 {
            bail!("status {status}: {}", excerpt(&self.body));
        }
        expect.check(&self.body)?;
        Ok(sample)
    }

    /// The body of the last reply.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    /// Makes one call and takes whatever reply comes; gives its status.
    ///
    /// Any error leaves the connection unusable; so does dropping the future.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<(u16, Sample)> {
        self.received.clear();
        self.body.clear();
        let start = Instant::now();
        self.stream.write_all(request).await.context("write")?;
        let (status, mut framing, head) = self.head().await?;
        let mut first = None;
        let mut rest = head;
        let total = loop {
            let done = framing.feed(&self.received[rest..], &mut self.body)?;
            if first.is_none() && !self.body.is_empty() {
                first = Some(start.elapsed());
            }
            if done {
                break start.elapsed();
            }
            ensure!(self.body.len() < REPLY_LIMIT, "the reply's body is endless");
            self.received.clear();
            rest = 0;
            self.read().await?;
        };
        let first = first.unwrap_or(total);
        Ok((status, Sample { first, total }))
    }

    /// Reads until the head is complete; gives the status, the framing and where the body starts.
    async fn head(&mut self) -> Result<(u16, Framing, usize)> {
        loop {
            self.read().await?;
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut head = httparse::Response::new(&mut headers);
            if let httparse::Status::Complete(length) = head.parse(&self.received)? {
                let status = head.code.context("no status")?;
                return Ok((status, Framing::read(head.headers)?, length));
            }
            ensure!(
                self.received.len() < REPLY_LIMIT,
                "the reply's head is endless"
            );
        }
    }

    async fn read(&mut self) -> Result<()> {
        let count = self
            .stream
            .read_buf(&mut self.received)
            .await
            .context("read")?;
        ensure!(
            count > 0,
            "the connection was closed before the reply's end"
        );
        Ok(())
    }
}

impl Expect {
    /// Fails when the body is not what was asked for.
    fn check(self, body: &[u8]) -> Result<()> {
        match self {
            Self::Chat => {
                let found = memmem::find(body, b"\"chat.completion\"").is_some();
                ensure!(found, "no chat completion: {}", excerpt(body));
            }
            Self::Message => {
                let found = memmem::find(body, b"\"end_turn\"").is_some();
                ensure!(found, "no message: {}", excerpt(body));
            }
            Self::Events(least, last) => {
                let ended = body.trim_ascii_end().ends_with(last.as_bytes());
                ensure!(ended, "the stream did not end with {last}");
                let events = memmem::find_iter(body, b"data: {").count();
                ensure!(events >= least, "{events} events instead of {least}");
            }
            Self::Chunks(expected) => {
                let ended = body.trim_ascii_end().ends_with(b"data: [DONE]");
                ensure!(ended, "the stream did not end with [DONE]");
                let chunks = memmem::find_iter(body, b"data: {").count();
                ensure!(chunks == expected, "{chunks} chunks instead of {expected}");
            }
        }
        Ok(())
    }
}

/// The beginning of a body, for an error message.
pub(crate) fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Calls a server that answers with these parts, each flushed, and then closes.
    async fn call(parts: &'static [&'static str], expect: Expect) -> Result<Sample> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut request = [0; 16];
            let _ = stream.read(&mut request).await.unwrap();
            for part in parts {
                stream.write_all(part.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut connection = Connection::open(address).await?;
        connection.call(b"x", expect).await
    }

    fn message(result: Result<Sample>) -> String {
        result.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_stream_in_pieces_is_counted_whole() {
        let parts = &[
            "HTTP/1.1 200 OK\r\nTransfer-Enc",
            "oding: chunked\r\n\r\nb\r\ndata: ",
            "{}\n\n\n\r\n",
            "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n",
        ];
        let sample = call(parts, Expect::Chunks(1)).await.unwrap();
        assert!(sample.first <= sample.total);
    }

    #[tokio::test]
    async fn a_missing_chunk_fails_the_call() {
        let parts = &["HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\ndata: [DONE]\n\n"];
        let result = call(parts, Expect::Chunks(1)).await;
        assert_eq!(message(result), "0 chunks instead of 1");
    }

    #[tokio::test]
    async fn a_stream_that_ends_otherwise_fails_the_call() {
        let parts = &["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ndata: {}\n\n"];
        assert!(call(parts, Expect::Events(1, "{}")).await.is_ok());
        let result = call(parts, Expect::Events(1, "[DONE]")).await;
        assert_eq!(message(result), "the stream did not end with [DONE]");
        let result = call(parts, Expect::Events(2, "{}")).await;
        assert_eq!(message(result), "1 events instead of 2");
    }

    #[tokio::test]
    async fn a_cut_body_fails_the_call() {
        let parts = &["HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n\"chat.completion\""];
        let result = call(parts, Expect::Chat).await;
        assert!(message(result).contains("closed before"));
    }

    #[tokio::test]
    async fn another_status_fails_the_call_and_shows_why() {
        let parts = &["HTTP/1.1 429 Too Many Requests\r\nContent-Length: 9\r\n\r\nslow down"];
        let result = call(parts, Expect::Chat).await;
        assert_eq!(message(result), "status 429: slow down");
    }
}
