use super::*;

const BRIEF: Duration = Duration::from_millis(100);

fn impatient() -> Proxy {
    let mut proxy = proxy();
    proxy.listener.head_timeout = BRIEF;
    proxy
}

#[tokio::test]
async fn a_head_that_does_not_arrive_is_not_waited_for() {
    let server = start(impatient(), tower::service_fn(echo));
    assert_eq!(talk(server.addr, b"").await, "");
    assert_eq!(talk(server.addr, b"GET / HT").await, "");
    assert_eq!(talk(server.addr, b"PRI * HT").await, "");
}

#[tokio::test]
async fn a_second_head_has_the_same_limit() {
    let server = start(impatient(), tower::service_fn(echo));
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut first = [0; 15];
    soon(stream.read_exact(&mut first)).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    stream.write_all(b"GET / HT").await.unwrap();
    let rest = read_to_end(&mut stream).await;
    assert!(!rest.contains("HTTP/1.1"), "{rest}");
}

#[tokio::test]
async fn an_idle_connection_is_kept_without_an_idle_timeout() {
    let server = start(impatient(), tower::service_fn(echo));
    let mut idle = connect(server.addr).await;
    send(&mut idle, get("/")).await;
    // When this one is closed, the other has been idle for longer.
    talk(server.addr, b"GET / HT").await;
    assert_eq!(send(&mut idle, get("/")).await.status(), 200);
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_idle_timeout() {
    let mut proxy = proxy();
    proxy.listener.idle_timeout = Some(BRIEF);
    let server = start(proxy, tower::service_fn(echo));
    let answer = talk(server.addr, b"GET / HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_request_in_flight_is_not_silence() {
    let mut proxy = impatient();
    proxy.listener.idle_timeout = Some(BRIEF);
    let gate = Arc::new(Semaphore::new(0));
    let server = start(proxy, gated(&gate));
    let mut client = connect(server.addr).await;
    let slow = client.send_request(get("/slow"));
    let slow = tokio::spawn(slow);
    // Both limits pass twice meanwhile.
    for _ in 0..2 {
        talk(server.addr, b"GET / HT").await;
    }
    gate.add_permits(1);
    let response = soon(slow).await.unwrap().unwrap();
    assert_eq!(text(response).await.body(), "done");
}
