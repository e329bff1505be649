//! Asking the standard health service of gRPC: `grpc.health.v1.Health/Check`.
//!
//! What is said and how it is framed: <https://github.com/grpc/grpc/blob/master/doc/health-checking.md> and
//! <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.

mod message;

use std::pin::Pin;

use ::http::{
    HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header::CONTENT_TYPE,
};
use bytes::BytesMut;
use http_body::Body as _;

use super::{
    probe::{Bad, Found, seconds},
    question::{self, Sender},
};
use crate::{
    balance::health::Reason,
    body::Body,
    replicas::{Replica, pool::Active},
};

const PATH: &str = "/grpc.health.v1.Health/Check";
const STATUS: &str = "grpc-status";
/// How much of an answer is read, in bytes. A good one has seven.
const MAX_ANSWER: usize = 4 * 1024;

/// An answer, read to its end.
struct Answer {
    body: BytesMut,
    /// A status that is in the head already is none of a good answer, for no message follows.
    trailers: Option<HeaderMap>,
}

/// Asks once. Only a service that serves is well.
pub(super) async fn ask(replica: &Replica, active: &Active, sender: &Sender) -> Found {
    let response = sender.send(request(replica, active)).await?;
    let status = Some(response.status());
    let bad = |reason| Bad { status, reason };
    match response.status() {
        StatusCode::OK if is_grpc(response.headers()) => {}
        status if status.is_server_error() => return Err(bad(Reason::UpstreamServerError)),
        _ => return Err(bad(Reason::UnexpectedAnswer)),
    }
    let answer = Answer::read(response).await;
    let answer = answer.ok_or_else(|| bad(Reason::TransportError))?;
    match answer.is_good() {
        true => Ok(status),
        false => Err(bad(Reason::UnexpectedAnswer)),
    }
}

fn request(replica: &Replica, active: &Active) -> Option<Request<Body>> {
    let question = message::question(&active.check.service);
    let mut request = Request::post(question::uri(replica, PATH)?)
        .version(Version::HTTP_2)
        .body(Body::full(question))
        .ok()?;
    let headers = request.headers_mut();
    question::set_headers(headers, active);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("te", HeaderValue::from_static("trailers"));
    let time = format!("{}S", seconds(active.check.timeout_seconds).as_secs());
    headers.insert("grpc-timeout", HeaderValue::try_from(time).ok()?);
    Some(request)
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind.starts_with(b"application/grpc"))
}

// === impl Answer ===

impl Answer {
    /// Reads it, no further than needed; `None` if it broke.
    async fn read(response: Response<Body>) -> Option<Self> {
        let mut body = response.into_body();
        let mut answer = Self {
            body: BytesMut::new(),
            trailers: None,
        };
        while answer.body.len() <= MAX_ANSWER {
            let next = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
            let Some(frame) = next.await else {
                break;
            };
            match frame.ok()?.into_data() {
                Ok(data) => answer
                    .body
                    .extend_from_slice(&data[..data.len().min(MAX_ANSWER + 1)]),
                Err(frame) => answer.trailers = frame.into_trailers().ok(),
            }
        }
        Some(answer)
    }

    fn is_good(&self) -> bool {
        let trailers = self.trailers.as_ref();
        let status = trailers.and_then(|trailers| trailers.get(STATUS));
        status.is_some_and(|status| status == "0") && message::says_serving(&self.body)
    }
}
