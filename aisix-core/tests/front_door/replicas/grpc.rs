//! Replicas whose health service of gRPC is asked.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use aisix_core::{BoxError, body::Body, replicas};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderMap, Request, Response, Version, request::Parts};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tower::service_fn;

use super::{setup, words};

/// What a server answers: its status, the type of its content, pieces of a body, and trailers if it comes to them.
#[derive(Clone)]
struct Said {
    status: u16,
    content_type: &'static str,
    pieces: Vec<Vec<u8>>,
    end: End,
}

#[derive(Clone, Copy)]
enum End {
    /// With this status of gRPC.
    Status(&'static str),
    /// Without any.
    Bare,
    Broken,
    Never,
}

/// What was asked.
type Asked = Arc<Mutex<Vec<(Parts, Bytes)>>>;

// === impl Said ===

impl Said {
    /// A message in its frame.
    fn message(message: &[u8]) -> Self {
        let mut frame = vec![0, 0, 0, 0, u8::try_from(message.len()).unwrap()];
        frame.extend_from_slice(message);
        Self::bytes(&frame)
    }

    fn bytes(bytes: &[u8]) -> Self {
        Self {
            status: 200,
            content_type: "application/grpc+proto",
            pieces: vec![bytes.to_vec()],
            end: End::Status("0"),
        }
    }

    fn serving() -> Self {
        Self::message(&[8, 1])
    }

    fn end(self, end: End) -> Self {
        Self { end, ..self }
    }

    fn response(self) -> Response<Body> {
        let data = self.pieces.into_iter().map(|it| Frame::data(it.into()));
        let data = stream::iter(data.map(Ok::<_, BoxError>).collect::<Vec<_>>());
        let end = self.end;
        let last = stream::once(async move {
            match end {
                End::Status(status) => {
                    let mut trailers = HeaderMap::new();
                    trailers.insert("grpc-status", status.parse().unwrap());
                    Some(Ok(Frame::trailers(trailers)))
                }
                End::Bare => None,
                End::Broken => Some(Err("reset".into())),
                End::Never => pending().await,
            }
        });
        let frames = data.chain(last.filter_map(std::future::ready));
        Response::builder()
            .status(self.status)
            .header("content-type", self.content_type)
            .body(body(frames))
            .unwrap()
    }
}

fn body(frames: impl Stream<Item = Result<Frame<Bytes>, BoxError>> + Send + 'static) -> Body {
    Body::new(StreamBody::new(frames))
}

/// The word of a replica that was asked once, and what it was asked.
async fn asked(active: Value, said: Said) -> (String, Asked) {
    let mut check = json!({"type": "grpc", "unhealthy_threshold": 1, "timeout_seconds": 3});
    let members = check.as_object_mut().unwrap();
    members.extend(active.as_object().unwrap().clone());
    let checks = json!({"active": check, "headers": {"x-env": "test", "te": "nothing"}});
    let targets = json!([{"base_url": "http://a.test:50051/v1"}]);
    let config = setup(json!({"targets": targets, "health_checks": checks})).config();
    let asked = Asked::default();
    let transport = service_fn({
        let asked = asked.clone();
        move |request: Request<Body>| {
            let (asked, said) = (asked.clone(), said.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                asked.lock().unwrap().push((head, body));
                Ok::<_, BoxError>(said.response())
            }
        }
    });
    let checks = tokio::spawn(replicas::checks(config.clone(), transport, []));
    tokio::time::sleep(Duration::from_secs(5)).await;
    checks.abort();
    (words(&config).remove(0), asked)
}

#[tokio::test(start_paused = true)]
async fn the_health_service_is_asked_over_http_2() {
    for (active, question) in [
        (json!({}), &b"\0\0\0\0\0"[..]),
        (json!({"service": "a.B"}), b"\0\0\0\0\x05\x0a\x03a.B"),
    ] {
        let (word, asked) = asked(active, Said::serving()).await;
        assert_eq!(word, "healthy");
        let asked = asked.lock().unwrap();
        let (head, body) = &asked[0];
        assert_eq!(asked.len(), 1);
        assert_eq!(
            (head.method.as_str(), head.version),
            ("POST", Version::HTTP_2)
        );
        let url = "http://a.test:50051/grpc.health.v1.Health/Check";
        assert_eq!(head.uri, url);
        for (name, value) in [
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("grpc-timeout", "3S"),
            ("x-env", "test"),
        ] {
            assert_eq!(head.headers[name], value);
        }
        assert_eq!(body, question);
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_name_of_a_service_is_told_whole() {
    let service = "s".repeat(200);
    let (_, asked) = asked(json!({"service": service}), Said::serving()).await;
    let asked = asked.lock().unwrap();
    let expected = [b"\0\0\0\0\xcb\x0a\xc8\x01", service.as_bytes()].concat();
    assert_eq!(asked[0].1, expected);
}

#[tokio::test(start_paused = true)]
async fn only_a_service_that_serves_is_well() {
    let in_pieces = Said {
        pieces: vec![vec![0, 0], vec![], vec![0, 0, 2, 8], vec![1]],
        ..Said::serving()
    };
    let strange = Said {
        content_type: "application/json",
        ..Said::serving()
    };
    let status = |status| Said {
        status,
        ..Said::serving()
    };
    let failed = |status| Said::bytes(b"").end(End::Status(status));
    for (said, word) in [
        (Said::serving(), "healthy"),
        (in_pieces, "healthy"),
        // Fields that are not known: of each kind, and after those that are.
        (
            Said::message(b"\x10\x96\x01\x19AAAAAAAA\x22\x03abc\x2dAAAA\x08\x01"),
            "healthy",
        ),
        (Said::message(&[8, 1, 8, 2]), "unexpected_answer"),
        (Said::message(&[8, 0x81, 0]), "healthy"),
        // UNKNOWN, in two ways, NOT_SERVING, SERVICE_UNKNOWN, and what nobody knows.
        (Said::message(&[]), "unexpected_answer"),
        (Said::message(&[8, 0]), "unexpected_answer"),
        (Said::message(&[8, 2]), "unexpected_answer"),
        (Said::message(&[8, 3]), "unexpected_answer"),
        (Said::message(&[8, 0x81, 1]), "unexpected_answer"),
        // NOT_FOUND, UNIMPLEMENTED and UNAVAILABLE.
        (failed("5"), "unexpected_answer"),
        (failed("12"), "unexpected_answer"),
        (failed("14"), "unexpected_answer"),
        (Said::serving().end(End::Status("13")), "unexpected_answer"),
        (Said::serving().end(End::Bare), "unexpected_answer"),
        (Said::serving().end(End::Broken), "transport_error"),
        (Said::serving().end(End::Never), "request_timeout"),
        (status(503), "upstream_server_error"),
        (status(404), "unexpected_answer"),
        (strange, "unexpected_answer"),
        // Garbage: too short, compressed, cut, too long, no message at all, and far too much.
        (Said::bytes(b""), "unexpected_answer"),
        (Said::bytes(b"\0\0\0"), "unexpected_answer"),
        (Said::bytes(b"\x01\0\0\0\x02\x08\x01"), "unexpected_answer"),
        (Said::bytes(b"\0\0\0\0\x03\x08\x01"), "unexpected_answer"),
        (Said::bytes(b"\0\0\0\0\x02\x08\x01\0"), "unexpected_answer"),
        (Said::message(b"\x08"), "unexpected_answer"),
        (Said::message(b"\x08\x01\x0b"), "unexpected_answer"),
        (Said::message(b"\x08\x01\x00\x01"), "unexpected_answer"),
        (Said::message(b"\x08\x01\x12\x09a"), "unexpected_answer"),
        (Said::message(b"\x08\x01\x11AAA"), "unexpected_answer"),
        (Said::message(b"\x08\x01\x15AAA"), "unexpected_answer"),
        (
            Said::message(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
            "unexpected_answer",
        ),
        (
            Said::bytes(&[0x55; 1 << 16]).end(End::Never),
            "unexpected_answer",
        ),
    ] {
        let told = format!("{:02x?}", &said.pieces[0][..said.pieces[0].len().min(30)]);
        assert_eq!(asked(json!({}), said).await.0, word, "{told}");
    }
}
