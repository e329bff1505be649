use super::{
    super::{aside, get_only},
    *,
};

#[tokio::test]
async fn the_second_server_answers_get_only() {
    let path = |request: &Request<()>| Response::new(Body::from(request.uri().path().to_owned()));
    let server = aside(
        "metrics",
        ListenerSettings::new(localhost()),
        get_only(path),
    )
    .unwrap();
    let mut client = connect(server.addr()).await;
    assert_eq!(send(&mut client, get("/metrics")).await.body(), "/metrics");
    let post = Request::post("/metrics").body(Full::from("x")).unwrap();
    let response = send(&mut client, post).await;
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()["allow"], "GET, HEAD");

    let taken = ListenerSettings::new(server.addr());
    let taken = aside("status", taken, get_only(|_| Response::default()));
    let error = format!("{:#}", taken.unwrap_err());
    assert!(
        error.starts_with("cannot serve status on 127.0.0.1:"),
        "{error}"
    );

    let addr = server.addr();
    drop(server);
    let closed = async {
        while TcpStream::connect(addr).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    soon(closed).await;
}
