//! Asking by a request of HTTP.

use std::pin::Pin;

use ::http::{Request, Response};
use bytes::BytesMut;
use http_body::Body as _;

use super::{
    probe::{Bad, Found},
    question::{self, Sender},
};
use crate::{
    balance::health::Reason,
    body::Body,
    replicas::{Replica, pool::Active},
};

/// How much of a body is looked at, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Asks once.
pub(super) async fn ask(replica: &Replica, active: &Active, sender: &Sender) -> Found {
    let response = sender.send(request(replica, active)).await?;
    let status = Some(response.status());
    let bad = |reason| Bad { status, reason };
    if !active.check.expects(response.status().as_u16()) {
        let reason = match response.status().is_server_error() {
            true => Reason::UpstreamServerError,
            false => Reason::UnexpectedAnswer,
        };
        return Err(bad(reason));
    }
    if let Some(pattern) = &active.check.body_pattern {
        let text = text(response).await;
        let text = text.ok_or_else(|| bad(Reason::TransportError))?;
        if !pattern.is_found_in(&text) {
            return Err(bad(Reason::UnexpectedAnswer));
        }
    }
    Ok(status)
}

fn request(replica: &Replica, active: &Active) -> Option<Request<Body>> {
    let request = Request::get(question::uri(replica, &active.path)?);
    let mut request = request.body(Body::empty()).ok()?;
    question::set_headers(request.headers_mut(), active);
    Some(request)
}

/// The beginning of a body; `None` if it broke.
async fn text(response: Response<Body>) -> Option<String> {
    let mut body = response.into_body();
    let mut read = BytesMut::new();
    while read.len() < MAX_BODY {
        let next = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
        let Some(frame) = next.await else {
            break;
        };
        if let Ok(data) = frame.ok()?.into_data() {
            let room = MAX_BODY - read.len();
            read.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Some(String::from_utf8_lossy(&read).into_owned())
}
