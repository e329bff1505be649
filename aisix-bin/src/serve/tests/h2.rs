use hyper::client::conn::http2;
use hyper_util::rt::TokioExecutor;

use super::*;

type Connection = JoinHandle<hyper::Result<()>>;

async fn connect(addr: SocketAddr) -> (http2::SendRequest<Full<Bytes>>, Connection) {
    let stream = soon(TcpStream::connect(addr)).await.unwrap();
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    (client, tokio::spawn(connection))
}

fn get(path: &str) -> Request<Full<Bytes>> {
    let uri = format!("http://test{path}");
    Request::get(uri).body(Full::default()).unwrap()
}

#[tokio::test]
async fn h2_is_spoken_to_who_begins_with_it() {
    let gate = Arc::new(Semaphore::new(0));
    let server = start(proxy(), gated(&gate));
    let (mut client, _) = connect(server.addr).await;
    let slow = tokio::spawn(client.send_request(get("/slow")));
    // One request does not wait for another.
    let response = text(soon(client.send_request(get("/"))).await.unwrap()).await;
    assert_eq!(response.version(), http::Version::HTTP_2);
    assert_eq!(response.body(), "done");
    gate.add_permits(1);
    let response = text(soon(slow).await.unwrap().unwrap()).await;
    assert_eq!(response.body(), "done");
}

#[tokio::test]
async fn an_h2_head_over_the_limit_is_refused() {
    let server = start(proxy(), tower::service_fn(echo));
    let (mut client, _) = connect(server.addr).await;
    let mut request = get("/");
    for n in 0..8 {
        let name: http::HeaderName = format!("x-{n}").parse().unwrap();
        let value = "a".repeat(10 * 1024).parse().unwrap();
        request.headers_mut().insert(name, value);
    }
    match soon(client.send_request(request)).await {
        Ok(response) => assert_eq!(response.status(), 431),
        // hyper's client knows the limit, and does not send it at all.
        Err(error) => assert!(format!("{error:?}").contains("header"), "{error:?}"),
    }
    let response = soon(client.send_request(get("/"))).await.unwrap();
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn a_drain_finishes_what_h2_began() {
    let gate = Arc::new(Semaphore::new(0));
    let server = start(proxy(), gated(&gate));
    let (mut client, connection) = connect(server.addr).await;
    soon(client.send_request(get("/"))).await.unwrap();
    let slow = tokio::spawn(client.send_request(get("/slow")));
    // The server has both when it has answered a third.
    soon(client.send_request(get("/"))).await.unwrap();
    server.shutdown.request();
    soon(
        server
            .shutdown
            .reached(super::super::shutdown::Phase::Closing),
    )
    .await;
    assert!(!server.ended.is_finished());
    gate.add_permits(1);
    let response = text(soon(slow).await.unwrap().unwrap()).await;
    assert_eq!(response.body(), "done");
    soon(connection).await.unwrap().unwrap();
    assert_eq!(soon(server.ended).await.unwrap().unwrap(), Ended::Drained);
}

#[tokio::test]
async fn an_idle_h2_connection_is_closed_after_the_idle_timeout() {
    let mut proxy = proxy();
    proxy.listener.idle_timeout = Some(Duration::from_millis(100));
    let server = start(proxy, tower::service_fn(echo));
    let (mut client, connection) = connect(server.addr).await;
    let response = soon(client.send_request(get("/"))).await.unwrap();
    text(response).await;
    soon(connection).await.unwrap().unwrap();
}
