use super::*;

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let server = start(proxy(), tower::service_fn(echo));
    let stream = TcpStream::connect(server.addr).await.unwrap();
    let peer = stream.local_addr().unwrap().to_string();
    let mut client = handshake(stream).await;
    for body in ["one", "two"] {
        let request = Request::post("/").body(Full::from(body)).unwrap();
        let response = send(&mut client, request).await;
        assert_eq!(response.body(), body);
        assert_eq!(response.headers()["x-peer"], *peer);
        assert!(!response.headers().contains_key("connection"));
    }
}

#[tokio::test]
async fn contradicting_content_lengths_are_refused() {
    let server = start(proxy(), tower::service_fn(echo));
    let request =
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd";
    let answer = talk(server.addr, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let request = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3, 4\r\n\r\nabcd";
    let answer = talk(server.addr, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused() {
    let server = start(proxy(), tower::service_fn(echo));
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(64 * 1024));
    let answer = talk(server.addr, long.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");

    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(101));
    let answer = talk(server.addr, many.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");

    let fits = format!(
        "GET / HTTP/1.1\r\nx: {}\r\nconnection: close\r\n\r\n",
        "a".repeat(63 * 1024)
    );
    let answer = talk(server.addr, fits.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_is_read() {
    let server = start(proxy(), tower::service_fn(echo));
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    stream.set_nodelay(true).unwrap();
    // It begins like the preface of h2.
    for byte in b"PRI /x HTTP/1.1\r\nconnection: close\r\n\r\n" {
        stream.write_all(&[*byte]).await.unwrap();
    }
    let answer = read_to_end(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn a_panic_ends_its_connection_only() {
    let service = tower::service_fn(async |request: Request<Body>| match request.uri().path() {
        "/panic" => panic!("as the test wants it"),
        _ => Ok::<_, Infallible>(Response::new(Body::from("fine"))),
    });
    let server = start(proxy(), service);
    let answer = talk(server.addr, b"GET /panic HTTP/1.1\r\n\r\n").await;
    assert_eq!(answer, "");
    let mut client = connect(server.addr).await;
    assert_eq!(send(&mut client, get("/")).await.body(), "fine");
}
