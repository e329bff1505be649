//! Taking ports and accepting connections.

use std::{
    io,
    net::{self, SocketAddr},
    num::NonZeroUsize,
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};

/// How many connections may wait to be accepted. The kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// After how much silence the kernel asks whether the peer still lives, and how often.
const PROBE_AFTER: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_secs(30);
/// How long to wait when the process or the machine is out of something. Doubles up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// Opens `count` listeners on one address, each with a queue of its own.
///
/// Port 0 takes a free one. All share it by `SO_REUSEPORT`, between which the kernel spreads
/// connections. A port that somebody else listens on is refused, even if they would share it: another
/// `aisix` there would silently take half of the connections.
pub(super) fn bind(addr: SocketAddr, count: NonZeroUsize) -> io::Result<Vec<net::TcpListener>> {
    if count.get() == 1 {
        return Ok(vec![open(addr, false)?]);
    }
    if addr.port() != 0 {
        socket(addr, false)?;
    }
    let first = open(addr, true)?;
    let addr = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..count.get() {
        listeners.push(open(addr, true)?);
    }
    Ok(listeners)
}

fn open(addr: SocketAddr, share: bool) -> io::Result<net::TcpListener> {
    let socket = socket(addr, share)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A bound socket, not yet listening. What is accepted from it inherits the keep-alive.
fn socket(addr: SocketAddr, share: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    if share {
        socket.set_reuse_port(true)?;
    }
    let keepalive = TcpKeepalive::new()
        .with_time(PROBE_AFTER)
        .with_interval(PROBE_EVERY);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

/// The next connection, with `TCP_NODELAY`.
///
/// Waits when descriptors or memory have run out, instead of trying at full speed. May be dropped
/// without losing a connection.
pub(super) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match listener.accept().await {
            Ok((stream, peer)) if stream.set_nodelay(true).is_ok() => return (stream, peer),
            // The peer is gone already.
            Ok(_) => continue,
            Err(error) => error,
        };
        if matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionRefused
        ) {
            continue;
        }
        tracing::warn!(%error, "cannot accept a connection, waiting");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}
