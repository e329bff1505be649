use async_compression::tokio::write::GzipEncoder;

use super::*;

async fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(text.as_bytes()).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

async fn post(encoding: &str, body: Vec<u8>) -> Response<String> {
    let server = start(proxy(), tower::service_fn(echo));
    let mut client = connect(server.addr).await;
    let request = Request::post("/")
        .header("content-encoding", encoding)
        .body(Full::from(body))
        .unwrap();
    send(&mut client, request).await
}

#[tokio::test]
async fn a_gzip_body_arrives_decoded() {
    let long = "what the client meant ".repeat(10_000);
    for encoding in ["gzip", "GZIP", "x-gzip"] {
        let response = post(encoding, gzip(&long).await).await;
        assert_eq!(*response.body(), long);
        assert!(!response.headers().contains_key("x-content-encoding"));
        assert!(!response.headers().contains_key("x-content-length"));
    }
}

#[tokio::test]
async fn all_members_of_a_gzip_body_are_decoded() {
    let mut body = gzip("one ").await;
    body.extend(gzip("two").await);
    assert_eq!(post("gzip", body).await.body(), "one two");
}

#[tokio::test]
async fn a_broken_gzip_body_is_an_error_of_the_body() {
    assert_eq!(post("gzip", b"not gzip".to_vec()).await.status(), 400);
    let mut cut = gzip("what the client meant").await;
    cut.truncate(cut.len() - 9);
    assert_eq!(post("gzip", cut).await.status(), 400);
}

#[tokio::test]
async fn a_body_that_says_it_is_not_encoded_is_taken_as_it_is() {
    let response = post("identity", b"plain".to_vec()).await;
    assert_eq!(response.body(), "plain");
    assert_eq!(response.headers()["x-content-length"], "5");
}

#[tokio::test]
async fn other_encodings_are_refused() {
    for encoding in ["br", "deflate", "gzip, gzip", "zstd"] {
        let response = post(encoding, b"?".to_vec()).await;
        assert_eq!(response.status(), 415, "{encoding}");
        assert_eq!(response.headers()["accept-encoding"], "gzip");
        assert_eq!(response.headers()["content-type"], "application/json");
        let start = r#"{"error":{"message":"unsupported content-encoding"#;
        assert!(response.body().starts_with(start), "{}", response.body());
        assert!(
            response
                .body()
                .contains(r#""type":"invalid_request_error""#)
        );
    }
}

#[tokio::test]
async fn who_is_answered_before_the_body_was_read_is_told_that_the_connection_ends() {
    let refuse = async |_| Ok::<_, Infallible>(Response::new(Body::from("no")));
    let closes = async |addr, request| {
        let response = send(&mut connect(addr).await, request).await;
        response.headers().contains_key("connection")
    };
    let post = |body: &'static str| Request::post("/").body(Full::from(body)).unwrap();
    let refusing = start(proxy(), tower::service_fn(refuse));
    assert!(closes(refusing.addr, post("a body")).await);
    assert!(!closes(refusing.addr, post("")).await);
    assert!(!closes(refusing.addr, get("/")).await);
    let reading = start(proxy(), tower::service_fn(echo));
    assert!(!closes(reading.addr, post("a body")).await);
}
