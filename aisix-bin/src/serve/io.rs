//! The bytes of a connection, as hyper reads them.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes, BytesMut};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::pulse::Pulse;

/// What an h2 client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A stream whose first bytes were read already, and which tells a [`Pulse`] what comes and goes.
#[derive(Debug)]
pub(super) struct Io<T> {
    first: Bytes,
    stream: TokioIo<T>,
    pulse: Arc<Pulse>,
    hears: bool,
}

/// Reads until it is clear whether the client speaks h2, and returns that with what was read.
pub(super) async fn sniff<T: AsyncRead + Unpin>(stream: &mut T) -> io::Result<(bool, Bytes)> {
    let mut first = BytesMut::new();
    loop {
        let length = first.len().min(PREFACE.len());
        if first[..length] != PREFACE[..length] {
            return Ok((false, first.freeze()));
        }
        if length == PREFACE.len() {
            return Ok((true, first.freeze()));
        }
        if stream.read_buf(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

// === impl Io ===

impl<T> Io<T> {
    /// `first` comes before what `stream` has to say. `hears`: bytes between requests are a head's.
    pub(super) fn new(first: Bytes, stream: T, pulse: Arc<Pulse>, hears: bool) -> Self {
        Self {
            first,
            stream: TokioIo::new(stream),
            pulse,
            hears,
        }
    }

    fn sent(&self, write: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(write, Poll::Ready(Ok(_))) {
            self.pulse.send();
        }
        write
    }
}

impl<T: AsyncRead + Unpin> Read for Io<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let read = if self.first.is_empty() {
            Pin::new(&mut self.stream).poll_read(cx, buf)
        } else {
            let length = self.first.len().min(buf.remaining());
            buf.put_slice(&self.first[..length]);
            self.first.advance(length);
            Poll::Ready(Ok(()))
        };
        if self.hears && matches!(read, Poll::Ready(Ok(()))) {
            self.pulse.hear();
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> Write for Io<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.sent(write)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        Write::is_write_vectored(&self.stream)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.sent(write)
    }
}
