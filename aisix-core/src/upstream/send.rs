//! The innermost stage: one attempt at one upstream.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE, response::Parts};
use http_body::Body as _;
use tokio::time::{timeout, timeout_at};
use tower_service::Service;

use super::{
    Endpoint, Exit, MAX_REFUSAL, Prepared, Settings, Transport,
    back::Back,
    encode, headers,
    recording::Recording,
    relay::{Relay, RelaySettings},
    tape::Tape,
    way::Way,
};
use crate::{
    body::Body,
    call::{Attempt, AttemptRecord},
    error::{Error, ErrorKind},
    reply::{Progress, Reply},
    stage::StageFuture,
};

/// The largest answer that is not a stream, in bytes.
const MAX_ANSWER: usize = 128 * 1024 * 1024;

/// Sends an [`Attempt`] and answers with the upstream's [`Reply`].
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    settings: Settings,
}

// === impl Upstream ===

impl Upstream {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Service<Attempt> for Upstream {
    type Response = Reply;
    type Error = Error;
    type Future = StageFuture<Reply, Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, attempt: Attempt) -> Self::Future {
        let settings = self.settings;
        Box::pin(async move {
            let mut recording = Recording::new(&attempt);
            let exchange = exchange(&settings, &attempt, recording.record());
            let result = match attempt.deadline {
                None => exchange.await,
                Some((end, total)) => timeout_at(end, exchange)
                    .await
                    .unwrap_or_else(|_| Err(timed_out(total))),
            };
            match result {
                Ok(mut reply) => {
                    recording.answered(&mut reply);
                    Ok(reply)
                }
                Err(error) => {
                    recording.failed(&error);
                    Err(error)
                }
            }
        })
    }
}

async fn exchange(
    settings: &Settings,
    attempt: &Attempt,
    record: &mut AttemptRecord,
) -> Result<Reply, Error> {
    let call = &attempt.call;
    let endpoint = attempt.target.endpoint()?;
    let dialect = endpoint
        .dialect(call.inbound.operation)
        .ok_or_else(|| Error::new(ErrorKind::NotImplemented, "operation not supported"))?;
    let way = Way::of(call.inbound.operation, dialect)
        .ok_or_else(|| Error::new(ErrorKind::NotImplemented, "operation not supported"))?;
    let encoded = encode::body(attempt, endpoint.as_ref(), way)?;
    let mut request = endpoint.prepare(attempt, encoded.body).await?;
    headers::outgoing(attempt, dialect, request.headers_mut());
    if encoded.caches_for_an_hour {
        headers::ask_for_an_hour(request.headers_mut());
    }
    if let Some(tls) = &attempt.target.tls {
        request.extensions_mut().insert(tls.clone());
    }

    let transport = match &call.exit {
        Exit::Send(transport) => endpoint.transport().unwrap_or(transport.as_ref()),
        Exit::Show(witness) => {
            let prepared = Prepared {
                request,
                fidelity: encoded.fidelity,
                dropped: encoded.dropped,
                has_own_transport: endpoint.transport().is_some(),
            };
            witness.prepared(attempt, prepared);
            return Ok(Reply::new(StatusCode::OK, "application/json", Bytes::new()));
        }
    };
    call.expense.attempted();
    attempt.expense.attempted();
    let response = receive_head(transport, attempt, request).await?;
    let (head, body) = response.into_parts();
    record.status = Some(head.status);
    record.upstream_request_id = headers::upstream_request_id(&head.headers);

    if head.status != StatusCode::OK {
        return Err(refused(endpoint.as_ref(), &head, body).await);
    }
    let mut reply = if is_event_stream(&head.headers) {
        stream(settings, attempt, encoded.back, &head, body).await?
    } else {
        complete(attempt, encoded.back, &head, body).await?
    };
    headers::tell_fidelity(reply.headers_mut(), encoded.fidelity, &encoded.dropped);
    Ok(reply)
}

async fn receive_head(
    transport: &dyn Transport,
    attempt: &Attempt,
    request: http::Request<Body>,
) -> Result<http::Response<Body>, Error> {
    let head = attempt.target.deadlines.head;
    let limit = [head, gap(attempt)].into_iter().flatten().min();
    within(limit, transport.send(request)).await?
}

/// The longest silence of the upstream. Calls that want no stream have a total deadline instead.
fn gap(attempt: &Attempt) -> Option<Duration> {
    attempt
        .target
        .deadlines
        .gap
        .filter(|_| attempt.call.streams())
}

/// Waits for `future`, but no longer than `limit`.
pub(super) async fn within<F: Future>(
    limit: Option<Duration>,
    future: F,
) -> Result<F::Output, Error> {
    match limit {
        None => Ok(future.await),
        Some(limit) => timeout(limit, future).await.map_err(|_| timed_out(limit)),
    }
}

pub(super) fn timed_out(limit: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!("upstream request timed out after {}ms", limit.as_millis()),
    )
}

/// Reads what the upstream says, for as long as it is short and quick.
async fn refused(endpoint: &dyn Endpoint, head: &Parts, body: Body) -> Error {
    let read = timeout(Duration::from_secs(5), collect(body, MAX_REFUSAL, None)).await;
    let body = match read {
        Ok(Ok(body)) => body,
        Ok(Err(_)) | Err(_) => Bytes::new(),
    };
    endpoint.classify(head, &body)
}

async fn stream(
    settings: &Settings,
    attempt: &Attempt,
    back: Back,
    head: &Parts,
    body: Body,
) -> Result<Reply, Error> {
    let progress = Progress::shared();
    let keep_usage = encode::wants_usage(&attempt.call.inbound.payload);
    let relay = Relay::new(
        body,
        Tape::new(attempt, back, keep_usage),
        progress.clone(),
        RelaySettings::new(settings, attempt),
    );
    let relay = relay.commit().await?;
    let mut reply_head = reply_head(head);
    reply_head
        .headers
        .insert("cache-control", http::HeaderValue::from_static("no-cache"));
    Ok(Reply::with_progress(
        reply_head,
        Body::stream(relay),
        progress,
    ))
}

async fn complete(attempt: &Attempt, back: Back, head: &Parts, body: Body) -> Result<Reply, Error> {
    let body = collect(body, MAX_ANSWER, gap(attempt)).await?;
    let (body, usage) = back.answer(attempt, body)?;
    let progress = Progress::shared();
    progress.update(|state| state.usage = usage);
    Ok(Reply::with_progress(
        reply_head(head),
        Body::full(body),
        progress,
    ))
}

fn reply_head(head: &Parts) -> Parts {
    let (mut reply, ()) = http::Response::new(()).into_parts();
    reply.headers = headers::incoming(&head.headers);
    reply
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .trim_start()
                .get(..17)
                .is_some_and(|start| start.eq_ignore_ascii_case("text/event-stream"))
        })
}

/// Reads a whole body. One that came in one piece is not copied.
async fn collect(mut body: Body, limit: usize, gap: Option<Duration>) -> Result<Bytes, Error> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        let next = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
        let Some(frame) = within(gap, next).await? else {
            break;
        };
        let frame = frame.map_err(|error| {
            Error::new(ErrorKind::Transport, "the connection to the upstream broke")
                .with_source(error)
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len() + rest.len() + data.len() > limit {
            return Err(Error::new(
                ErrorKind::Decode,
                "the upstream's answer is too large",
            ));
        }
        if first.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                let expected = body.size_hint().upper().unwrap_or(0).min(1 << 20) as usize;
                rest.reserve(first.len() + data.len() + expected);
                rest.extend_from_slice(&first);
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}
