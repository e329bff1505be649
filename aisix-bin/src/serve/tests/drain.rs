use super::{super::shutdown::Phase, *};

/// An answer that no socket holds.
const LONG: usize = 32 * 1024 * 1024;

/// Connects until the port is given back.
async fn refused(addr: SocketAddr) {
    let refused = async {
        while TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    soon(refused).await;
}

async fn draining(drain: &Drain) {
    let begun = async {
        while !drain.is_draining() {
            tokio::task::yield_now().await;
        }
    };
    soon(begun).await;
}

#[tokio::test]
async fn a_drain_serves_then_refuses_then_waits() {
    let mut proxy = proxy();
    proxy.min_drain = Duration::from_secs(1);
    let gate = Arc::new(Semaphore::new(0));
    let server = start(proxy, gated(&gate));
    let mut busy = connect(server.addr).await;
    let slow = tokio::spawn(busy.send_request(get("/slow")));
    let mut idle = TcpStream::connect(server.addr).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    soon(idle.read_exact(&mut [0; 15])).await.unwrap();

    server.shutdown.request();
    draining(&server.drain).await;
    let mut late = connect(server.addr).await;
    let served = send(&mut late, get("/")).await;
    assert_eq!(served.status(), 200);
    assert_eq!(served.headers()["connection"], "close");

    soon(server.shutdown.reached(Phase::Closing)).await;
    refused(server.addr).await;
    // The idle connection was closed, the busy one was not.
    let before = read_to_end(&mut idle).await;
    assert!(!before.contains("connection: close"), "{before}");
    assert!(!server.ended.is_finished());

    gate.add_permits(1);
    let response = text(soon(slow).await.unwrap().unwrap()).await;
    assert_eq!(response.body(), "done");
    assert_eq!(soon(server.ended).await.unwrap().unwrap(), Ended::Drained);
}

#[tokio::test]
async fn a_second_request_to_shut_down_ends_at_once() {
    for min_drain in [Duration::ZERO, Duration::from_secs(3600)] {
        let mut proxy = proxy();
        proxy.min_drain = min_drain;
        let gate = Arc::new(Semaphore::new(0));
        let server = start(proxy, gated(&gate));
        let mut busy = connect(server.addr).await;
        send(&mut busy, get("/")).await;
        let slow = tokio::spawn(busy.send_request(get("/slow")));
        server.shutdown.request();
        server.shutdown.request();
        assert_eq!(soon(server.ended).await.unwrap().unwrap(), Ended::Killed);
        assert!(soon(slow).await.unwrap().is_err());
    }
}

#[tokio::test]
async fn who_stops_waiting_for_the_server_ends_it() {
    let server = start(proxy(), tower::service_fn(echo));
    let mut client = connect(server.addr).await;
    send(&mut client, get("/")).await;
    server.ended.abort();
    refused(server.addr).await;
}

#[tokio::test]
async fn a_shutdown_goes_forward_only() {
    let shutdown = Shutdown::new();
    shutdown.advance(Phase::Serving);
    shutdown.request();
    assert_eq!(shutdown.reached(Phase::Serving).await, Phase::Draining);
    shutdown.advance(Phase::Closing);
    shutdown.advance(Phase::Serving);
    assert_eq!(shutdown.reached(Phase::Serving).await, Phase::Closing);
    shutdown.request();
    assert_eq!(shutdown.reached(Phase::Serving).await, Phase::Killed);
}

/// A server whose one answer is more than sockets hold, and a client that has its beginning.
async fn long_answer() -> (Running, TcpStream) {
    let mut proxy = proxy();
    proxy.listener.head_timeout = Duration::from_secs(1);
    let service = tower::service_fn(async |_: Request<Body>| {
        let body = Body::from(Bytes::from(vec![b'a'; LONG]));
        Ok::<_, Infallible>(Response::new(body))
    });
    let server = start(proxy, service);
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    soon(stream.read_exact(&mut [0; 15])).await.unwrap();
    (server, stream)
}

#[tokio::test]
async fn the_last_answer_is_waited_for_while_the_client_takes_it() {
    let (server, mut stream) = long_answer().await;
    server.shutdown.request();
    let mut chunk = vec![0; LONG / 8];
    // Each pause is shorter than the limit, all of them are longer.
    for _ in 0..7 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        soon(stream.read_exact(&mut chunk)).await.unwrap();
    }
    let rest = read_to_end(&mut stream).await;
    assert!(
        rest.len() > LONG / 8,
        "{} bytes are missing",
        LONG / 8 - rest.len()
    );
    assert_eq!(soon(server.ended).await.unwrap().unwrap(), Ended::Drained);
}

#[tokio::test]
async fn the_last_answer_is_not_waited_for_when_nobody_takes_it() {
    let (server, _stream) = long_answer().await;
    server.shutdown.request();
    assert_eq!(soon(server.ended).await.unwrap().unwrap(), Ended::Drained);
}
