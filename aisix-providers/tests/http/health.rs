//! Checks of replicas, against real servers.

use std::{convert::Infallible, future::pending, net::SocketAddr, time::Duration};

use aisix_core::{
    config::{Config, Kind},
    models::health,
    replicas,
    testing::Setup,
};
use aisix_providers::http::Client;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};

use crate::{
    plain::settings,
    server::{self, Identity, identity},
};

/// The health service of gRPC. What it says goes by the name of the service that is asked for.
async fn answer(
    request: Request<Incoming>,
) -> Result<Response<http_body_util::combinators::BoxBody<Bytes, Infallible>>, Infallible> {
    assert_eq!(request.version(), Version::HTTP_2);
    assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
    let question = request.into_body().collect().await.unwrap().to_bytes();
    let grpc = Response::builder().header("content-type", "application/grpc");
    let (message, status): (&'static [u8], _) = match question.get(7..) {
        None => (b"\0\0\0\0\x02\x08\x01", "0"),
        Some(b"down") => (b"\0\0\0\0\x02\x08\x02", "0"),
        Some(b"garbage") => (b"garbage", "0"),
        Some(b"failed") => (b"\0\0\0\0\x02\x08\x01", "13"),
        Some(b"silent") => pending().await,
        // The head alone.
        Some(_) => {
            let grpc = grpc.header("grpc-status", "12");
            return Ok(grpc.body(Full::default().boxed()).unwrap());
        }
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    let body = Full::new(Bytes::from_static(message));
    let body = body.with_trailers(async move { Some(Ok(trailers)) });
    Ok(grpc.body(body.boxed()).unwrap())
}

/// Starts a server of gRPC, over TLS if there is an identity.
async fn start(identity: Option<&Identity>) -> SocketAddr {
    let acceptor = identity.map(Identity::http2);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                match acceptor {
                    None => serve(stream).await,
                    Some(acceptor) => {
                        if let Ok(stream) = acceptor.accept(stream).await {
                            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
                            serve(stream).await;
                        }
                    }
                }
            });
        }
    });
    address
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    // The client hangs up after each question.
    let _ = http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service_fn(answer))
        .await;
}

/// What is known of replicas once all have been asked.
async fn told(targets: Value, active: &Value) -> Vec<String> {
    told_with(json!({}), targets, active).await
}

/// The same with these TLS settings of the provider key.
async fn told_with(tls: Value, targets: Value, active: &Value) -> Vec<String> {
    let checks = json!({"active": active});
    let upstream = json!({"name": "own", "targets": targets, "health_checks": checks});
    let setup = Setup::new()
        .provider_key(json!({"upstream_id": "own", "tls": tls}))
        .add(Kind::Upstream, "own", upstream);
    let config = setup.config();
    let client = Client::new(settings()).unwrap();
    let checks = tokio::spawn(replicas::checks(config.clone(), client, []));
    let all = async {
        while !all_are_told(&config) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all)
        .await
        .unwrap();
    checks.abort();
    words(&config)
}

fn replicas_of(config: &Config) -> Vec<Value> {
    let told = health::to_json(&config.current());
    told[0]["replicas"].as_array().unwrap().clone()
}

fn all_are_told(config: &Config) -> bool {
    let replicas = replicas_of(config);
    replicas
        .iter()
        .all(|it| it.get("last_checked_at").is_some())
}

fn words(config: &Config) -> Vec<String> {
    let word = |it: &Value| it["status_reason"].as_str().unwrap_or("healthy").to_owned();
    replicas_of(config).iter().map(word).collect()
}

#[tokio::test]
async fn a_server_of_grpc_is_well_if_it_says_so() {
    let address = start(None).await;
    let targets = json!([{"base_url": format!("http://{address}/v1")}]);
    for (service, word) in [
        ("", "healthy"),
        ("down", "unexpected_answer"),
        ("garbage", "unexpected_answer"),
        ("failed", "unexpected_answer"),
        ("unimplemented", "unexpected_answer"),
        ("silent", "request_timeout"),
    ] {
        let active = json!({"type": "grpc", "service": service, "interval_seconds": 1, "timeout_seconds": 1,
            "unhealthy_threshold": 1, "healthy_threshold": 1});
        assert_eq!(told(targets.clone(), &active).await, [word], "{service}");
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_http_2_is_not() {
    let address = server::start(None).await;
    let targets = json!([{"base_url": format!("http://{address}")}]);
    let active = json!({"type": "grpc", "interval_seconds": 1, "unhealthy_threshold": 1});
    assert_eq!(told(targets, &active).await, ["transport_error"]);
}

#[tokio::test]
async fn checks_use_the_certificates_of_the_provider_key() {
    let identity = identity();
    let ports = [
        server::start(Some(&identity)).await,
        start(Some(&identity)).await,
    ];
    for (address, check) in ports.into_iter().zip(["http", "grpc"]) {
        let targets = json!([{"base_url": format!("https://localhost:{}", address.port())}]);
        let active = json!({"type": check, "interval_seconds": 1, "unhealthy_threshold": 1});
        let trusted = json!({"ca_cert": identity.pem});
        for (tls, word) in [
            (json!({}), "transport_error"),
            (trusted, "healthy"),
            (json!({"verify": false}), "healthy"),
        ] {
            let told = told_with(tls.clone(), targets.clone(), &active).await;
            assert_eq!(told, [word], "{check} {tls}");
        }
    }
}
