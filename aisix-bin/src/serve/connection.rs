//! The life of one connection.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, task::Poll, time::Duration};

use aisix_core::edge::{ClientAddr, Drain};
use bytes::Bytes;
use hyper_util::server::graceful::GracefulConnection;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::server::TlsStream;

use super::{
    ListenerSettings,
    certificates::Certificates,
    io::{Io, sniff},
    protocols::Protocols,
    pulse::{Pace, Pulse},
    service::{HttpService, Serve},
};

/// What all connections of a listener share.
pub(super) struct Connections {
    protocols: Protocols,
    tls: Option<Certificates>,
    head_timeout: Duration,
    idle_timeout: Option<Duration>,
    drain: Drain,
}

/// A client that may send its first request.
enum Opened {
    Plain {
        two: bool,
        first: Bytes,
        stream: TcpStream,
    },
    Tls(Box<TlsStream<TcpStream>>),
}

// === impl Connections ===

impl Connections {
    /// Reads the certificate, if there is one.
    pub(super) fn new(settings: &ListenerSettings, drain: Drain) -> anyhow::Result<Self> {
        let tls = settings.tls.as_ref().map(Certificates::follow);
        Ok(Self {
            protocols: Protocols::new(settings),
            tls: tls.transpose()?,
            head_timeout: settings.head_timeout,
            idle_timeout: settings.idle_timeout,
            drain,
        })
    }

    /// Serves one connection until it ends. When `closing` changes, what was begun is finished. The
    /// receiver is held to the end, so that the sender can wait for it.
    pub(super) async fn serve<S: HttpService>(
        self: Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        service: S,
        mut closing: watch::Receiver<bool>,
    ) {
        let opened = tokio::select! {
            _ = closing.changed() => return,
            opened = timeout(self.head_timeout, self.open(stream)) => opened,
        };
        let peer = ClientAddr(peer);
        match opened {
            Ok(Ok(Opened::Plain { two, first, stream })) => {
                self.speak(two, first, stream, peer, service, closing).await;
            }
            Ok(Ok(Opened::Tls(stream))) => {
                let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.speak(two, Bytes::new(), stream, peer, service, closing)
                    .await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "connection ended before a request"),
            Err(_) => tracing::debug!("connection closed: no request in time"),
        }
    }

    async fn open(&self, mut stream: TcpStream) -> io::Result<Opened> {
        if let Some(tls) = &self.tls {
            let stream = tls.acceptor().accept(stream).await?;
            return Ok(Opened::Tls(Box::new(stream)));
        }
        let (two, first) = sniff(&mut stream).await?;
        Ok(Opened::Plain { two, first, stream })
    }

    async fn speak<T, S>(
        &self,
        two: bool,
        first: Bytes,
        stream: T,
        peer: ClientAddr,
        service: S,
        closing: watch::Receiver<bool>,
    ) where
        T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        S: HttpService,
    {
        // In h2, bytes between requests need not be a request's.
        let pulse = Pulse::new(!two);
        let io = Io::new(first, stream, pulse.clone(), !two);
        let service = Serve::new(service, peer, pulse.clone(), self.drain.clone());
        if two {
            let connection = self.protocols.two.serve_connection(io, service);
            self.drive(connection, &pulse, closing).await;
        } else {
            let connection = self.protocols.one.serve_connection(io, service);
            self.drive(connection, &pulse, closing).await;
        }
    }

    /// Polls a connection to its end, which comes when the client leaves, is silent for too long, or
    /// when we close and nothing is in flight. A request in flight is never cut here.
    async fn drive<C>(&self, connection: C, pulse: &Pulse, mut closing: watch::Receiver<bool>)
    where
        C: GracefulConnection<Error = hyper::Error>,
    {
        let mut connection = pin!(connection);
        let mut close = pin!(closing.changed());
        let mut silence = pin!(sleep(self.head_timeout));
        let mut last = false;
        let mut waits = (Pace::Head(0), last, 0);
        std::future::poll_fn(|cx| {
            loop {
                if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "connection failed");
                    }
                    return Poll::Ready(());
                }
                if !last && close.as_mut().poll(cx).is_ready() {
                    last = true;
                    connection.as_mut().graceful_shutdown();
                    continue;
                }
                let pace = pulse.pace();
                let limit = match pace {
                    Pace::Busy => None,
                    Pace::Idle(_) if !last => self.idle_timeout,
                    Pace::Idle(_) | Pace::Head(_) => Some(self.head_timeout),
                };
                // The last answer may take its time, as long as the client goes on taking it.
                let now = (pace, last, if last { pulse.sent() } else { 0 });
                if waits != now {
                    waits = now;
                    if let Some(limit) = limit {
                        silence.as_mut().reset(Instant::now() + limit);
                    }
                }
                if limit.is_none() || silence.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                if last || matches!(pace, Pace::Head(_)) {
                    tracing::debug!("connection closed: too slow");
                    return Poll::Ready(());
                }
                last = true;
                connection.as_mut().graceful_shutdown();
            }
        })
        .await;
    }
}
