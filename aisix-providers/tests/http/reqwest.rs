//! `reqwest::Client` as the transport.

use aisix_core::{ErrorKind, body::Body, testing, upstream::Transport};
use aisix_providers::Reqwest;
use http::Request;

use crate::server;

#[tokio::test]
async fn a_request_arrives_and_its_answer_comes_back() {
    let address = server::start(None).await;
    let client = Reqwest(reqwest::Client::builder().no_proxy().build().unwrap());
    let request = Request::post(format!("http://{address}/x"));
    let response = client
        .send(request.body(Body::from("hello")).unwrap())
        .await;
    assert_eq!(testing::text(response.unwrap()).await, "/x hello");

    let request = Request::post("http://127.0.0.1:1/").body(Body::empty());
    let error = client.send(request.unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    assert_eq!(error.message(), "the upstream could not be reached");
}
