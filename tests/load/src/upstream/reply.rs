//! The replies of the mock upstream, their bytes fixed at compile time.

use super::ask::Stream;
use super::speech::Speech;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep, sleep_until};

/// A reply's body: whole, or a stream of events, each its own frame.
pub(crate) enum Reply {
    /// The remaining bytes, taken when sent.
    Whole(Option<Bytes>),
    /// What is left of a stream.
    Events(Events),
}

/// The state of a stream.
pub(crate) struct Events {
    speech: Speech,
    stream: Stream,
    sent: usize,
    started: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
}

/// The small JSON reply.
pub(crate) fn chat(speech: Speech) -> Response<Reply> {
    whole(StatusCode::OK, speech.answer())
}

/// A stream; its clock starts now, and the first chunk is due at once.
pub(crate) fn stream(speech: Speech, stream: Stream) -> Response<Reply> {
    let started = Instant::now();
    let paced = !stream.gap.is_zero();
    let events = Events {
        speech,
        stream,
        sent: 0,
        started,
        sleep: paced.then(|| Box::pin(sleep_until(started))),
    };
    let mut response = Response::new(Reply::Events(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-request-id", HeaderValue::from_static("req_load"));
    response
}

/// The reply to a call without a readable model.
pub(crate) fn bad_request() -> Response<Reply> {
    let body =
        br#"{"error":{"message":"no readable model","type":"invalid_request_error","code":null}}"#;
    whole(StatusCode::BAD_REQUEST, body)
}

/// The reply of an upstream that has failed.
pub(crate) fn broken() -> Response<Reply> {
    let body = br#"{"error":{"message":"out of order","type":"server_error","code":null}}"#;
    whole(StatusCode::INTERNAL_SERVER_ERROR, body)
}

/// The reply to anything that is no chat.
pub(crate) fn not_found() -> Response<Reply> {
    let body =
        br#"{"error":{"message":"unknown path","type":"invalid_request_error","code":null}}"#;
    whole(StatusCode::NOT_FOUND, body)
}

/// What a service has found.
pub(crate) fn found(body: Bytes) -> Response<Reply> {
    answer(StatusCode::OK, body)
}

fn whole(status: StatusCode, body: &'static [u8]) -> Response<Reply> {
    answer(status, Bytes::from_static(body))
}

fn answer(status: StatusCode, body: Bytes) -> Response<Reply> {
    let mut response = Response::new(Reply::Whole(Some(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("x-request-id", HeaderValue::from_static("req_load"));
    response
}

impl Events {
    /// Gives the next event when it is due; what follows the last chunk is due with it.
    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let Some(event) = self.speech.event(&self.stream, self.sent) else {
            return Poll::Ready(None);
        };
        if let Some(sleep) = self.sleep.as_mut() {
            // The first is due at once, and a timer would round even that up to its next tick.
            if self.sent > 0 {
                ready!(sleep.as_mut().poll(context));
            }
            let next = (self.sent + 1).min(self.stream.chunks.saturating_sub(1));
            // From the start and not from now, so that a late chunk does not delay the rest.
            let due = self.stream.gap * u32::try_from(next).unwrap_or(u32::MAX);
            sleep.as_mut().reset(self.started + due);
        }
        self.sent += 1;
        Poll::Ready(Some(Bytes::from_static(event)))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.get_mut() {
            Self::Whole(bytes) => bytes.take(),
            Self::Events(events) => ready!(events.poll_event(context)),
        };
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64))
            }
            Self::Events(_) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use std::time::Duration;

    async fn text(chunks: usize, gap: Duration, usage: bool) -> String {
        let reply = stream(Speech::OpenAi, Stream { chunks, gap, usage }).into_body();
        let bytes = reply.collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_stream_has_its_chunks_then_done() {
        let text = text(200, Duration::ZERO, false).await;
        assert_eq!(text.matches("data: {").count(), 200);
        assert!(!text.contains("usage"));
        assert!(text.ends_with("data: [DONE]\n\n"));
    }

    #[tokio::test]
    async fn usage_comes_after_the_last_chunk() {
        let text = text(2, Duration::ZERO, true).await;
        let events: Vec<_> = text.split_terminator("\n\n").collect();
        assert_eq!(events.len(), 4);
        assert!(events[1].contains("\"stop\"") && events[2].contains("usage"));
    }

    #[tokio::test]
    async fn a_paced_stream_takes_a_gap_per_chunk_after_the_first() {
        let start = Instant::now();
        let text = text(5, Duration::from_millis(4), true).await;
        assert!(start.elapsed() >= Duration::from_millis(16));
        assert_eq!(text.matches("data: ").count(), 7);
    }
}
