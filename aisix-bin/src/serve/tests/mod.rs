//! Real sockets on free ports. Every wait is for an event, bounded by [`soon`].

mod aside;
mod bodies;
mod drain;
mod h2;
mod requests;
mod signals;
mod silence;
mod tls;
mod workers;

use std::{convert::Infallible, net::SocketAddr, num::NonZeroUsize, sync::Arc, time::Duration};

use aisix_core::{
    body::Body,
    edge::{ClientAddr, Drain},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    task::JoinHandle,
};

use super::{HttpService, ListenerSettings, Proxy, Shutdown, Workers, worker::Ended};

/// A server that runs until the test ends.
struct Running {
    addr: SocketAddr,
    shutdown: Shutdown,
    drain: Drain,
    ended: JoinHandle<anyhow::Result<Ended>>,
}

type Client = http1::SendRequest<Full<Bytes>>;

/// Fails a test that waits for what does not come.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it did not happen in time")
}

fn localhost() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn proxy() -> Proxy {
    Proxy {
        listener: ListenerSettings::new(localhost()),
        workers: Workers::PerCore(NonZeroUsize::MIN),
        drain: Drain::new(),
        min_drain: Duration::ZERO,
    }
}

fn start<S: HttpService + Sync>(proxy: Proxy, service: S) -> Running {
    let drain = proxy.drain.clone();
    let bound = proxy.bind().unwrap();
    let addr = bound.addr();
    let shutdown = Shutdown::new();
    let make = move |_| Ok::<_, Infallible>(service.clone());
    let ended = tokio::spawn(bound.run(make, shutdown.clone()));
    Running {
        addr,
        shutdown,
        drain,
        ended,
    }
}

/// Answers with what it was sent: the body, and the headers that matter under other names.
async fn echo(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let peer = head.extensions.get::<ClientAddr>().unwrap().0;
    let mut response = match body.collect().await {
        Ok(body) => Response::new(Body::full(body.to_bytes())),
        Err(_) => {
            let mut response = Response::new(Body::from("unreadable"));
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    };
    let headers = response.headers_mut();
    headers.insert("x-peer", peer.to_string().parse().unwrap());
    for name in ["content-length", "content-encoding"] {
        if let Some(value) = head.headers.get(name) {
            let name: http::HeaderName = format!("x-{name}").parse().unwrap();
            headers.insert(name, value.clone());
        }
    }
    Ok(response)
}

/// Answers `/slow` when it is let go, everything else at once.
fn gated(gate: &Arc<Semaphore>) -> impl HttpService + Sync {
    let gate = gate.clone();
    tower::service_fn(move |request: Request<Body>| {
        let gate = gate.clone();
        async move {
            if request.uri().path() == "/slow" {
                gate.acquire().await.unwrap().forget();
            }
            Ok::<_, Infallible>(Response::new(Body::from("done")))
        }
    })
}

async fn connect(addr: SocketAddr) -> Client {
    let stream = soon(TcpStream::connect(addr)).await.unwrap();
    handshake(stream).await
}

async fn handshake<T>(stream: T) -> Client
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let (client, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

fn get(path: &str) -> Request<Full<Bytes>> {
    Request::get(path)
        .header("host", "test")
        .body(Full::default())
        .unwrap()
}

async fn send(client: &mut Client, request: Request<Full<Bytes>>) -> Response<String> {
    soon(client.ready()).await.unwrap();
    let response = soon(client.send_request(request)).await.unwrap();
    text(response).await
}

async fn text(response: Response<hyper::body::Incoming>) -> Response<String> {
    let (head, body) = response.into_parts();
    let body = soon(body.collect()).await.unwrap().to_bytes();
    Response::from_parts(head, String::from_utf8(body.into()).unwrap())
}

/// Sends bytes on a new connection and reads until the server closes it.
async fn talk(addr: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = soon(TcpStream::connect(addr)).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    read_to_end(&mut stream).await
}

/// What comes until the connection is closed, in whichever way.
async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = soon(stream.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}
