//! A streamed body, taken apart into events and put together again.

use std::{panic::AssertUnwindSafe, pin::Pin};

use aisix_wire::sse;
use bytes::Bytes;
use futures_core::Stream;
use futures_util::{StreamExt, stream};
use http_body::{Body as _, Frame};
use http_body_util::StreamBody;

use crate::{
    BoxError,
    body::Body,
    error::{Error, ErrorKind},
};

/// The largest event that is taken apart.
const MAX_EVENT: usize = 16 * 1024 * 1024;

/// The events of a reply, each with its bytes as they came.
pub type EventStream = Pin<Box<dyn Stream<Item = Result<sse::Event, Error>> + Send>>;

pub(super) fn map(body: Body, change: impl FnOnce(EventStream) -> EventStream) -> Body {
    let changed = change(events(body));
    // What panics there must not take the connection and its other calls with it.
    let frames = AssertUnwindSafe(changed)
        .catch_unwind()
        .map(|event| match event {
            Ok(Ok(event)) => Ok(Frame::data(event.raw)),
            Ok(Err(error)) => Err(BoxError::from(error)),
            Err(_) => Err(Error::new(ErrorKind::Internal, "a hook failed").into()),
        });
    Body::stream(StreamBody::new(frames))
}

/// Takes a streamed body apart.
pub(crate) fn events(body: Body) -> EventStream {
    let state = (body, sse::Decoder::new(MAX_EVENT), false);
    Box::pin(stream::unfold(
        state,
        |(mut body, mut decoder, ended)| async move {
            if ended {
                return None;
            }
            loop {
                match decoder.next() {
                    Ok(Some(event)) => return Some((Ok(event), (body, decoder, false))),
                    Ok(None) => {}
                    Err(error) => {
                        let error = Error::new(ErrorKind::Decode, "an event is too long")
                            .with_source(error);
                        return Some((Err(error), (body, decoder, true)));
                    }
                }
                match next_data(&mut body).await {
                    Some(Ok(bytes)) => decoder.push(bytes),
                    Some(Err(error)) => {
                        return Some((Err(Error::from_boxed(error)), (body, decoder, true)));
                    }
                    None => {
                        let rest = decoder.finish()?;
                        return Some((Ok(rest), (body, decoder, true)));
                    }
                }
            }
        },
    ))
}

async fn next_data(body: &mut Body) -> Option<Result<Bytes, BoxError>> {
    loop {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await?;
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => return Some(Ok(data)),
            Ok(Err(_trailers)) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}
