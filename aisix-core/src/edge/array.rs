//! Streams as one JSON array, for callers of Gemini's API that asked for no server-sent events.

use std::borrow::Cow;

use aisix_wire::{STREAM_GENERATE_CONTENT, sse};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::{
    HeaderValue,
    header::{CACHE_CONTROL, CONTENT_TYPE},
    request::Parts,
};
use http_body::Frame;
use http_body_util::StreamBody;

use super::Route;
use crate::{
    BoxError,
    body::Body,
    reply::{Reply, events},
};

/// Whether the answer to a request is an array: its operation's answers always stream, and the query does
/// not ask for `alt=sse`.
pub(super) fn is_wanted(route: Option<&Route>, head: &Parts) -> bool {
    let Some(Route::Operation { operation, .. }) = route else {
        return false;
    };
    let query = head.uri.query().unwrap_or_default();
    let sse = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
        matches!(&*name, "alt" | "$alt") && value == "sse"
    };
    operation.name == STREAM_GENERATE_CONTENT.name
        && !form_urlencoded::parse(query.as_bytes()).any(sse)
}

/// Writes the events of a reply as the elements of an array, each as soon as it comes. A comment becomes a
/// line end, and an error the last element.
pub(super) fn write(reply: Reply) -> Reply {
    if !reply.is_event_stream() {
        return reply;
    }
    let mut reply = reply.map_body(|body| {
        let elements = stream::unfold(Some((events(body), false)), |state| async {
            let (mut events, begun) = state?;
            Some(match events.next().await {
                Some(Ok(event)) => {
                    let (bytes, begun) = element(&event, begun);
                    (Ok(Frame::data(bytes)), Some((events, begun)))
                }
                Some(Err(error)) => (Err(BoxError::from(error)), None),
                None => (Ok(Frame::data(end(begun))), None),
            })
        });
        Body::stream(StreamBody::new(elements))
    });
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.remove(CACHE_CONTROL);
    reply
}

/// What an event becomes, and whether the array has begun with it.
fn element(event: &sse::Event, begun: bool) -> (Bytes, bool) {
    let Some(data) = event.data() else {
        return (Bytes::from_static(b"\n"), begun);
    };
    let mut out = BytesMut::with_capacity(data.len() + 2);
    out.put_slice(if begun { b",\n" } else { b"[" });
    out.put_slice(&data);
    (out.freeze(), true)
}

fn end(begun: bool) -> Bytes {
    Bytes::from_static(if begun { b"]" } else { b"[]" })
}
