//! The body type of requests and replies.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};

use crate::BoxError;

/// A streamed or complete HTTP body.
///
/// Complete bodies are kept as bytes and cost no allocation. A streamed body is polled in place:
/// dropping it drops what feeds it, which is how a client that leaves cancels the upstream.
pub struct Body(Repr);

enum Repr {
    Full(Option<Bytes>),
    Stream(UnsyncBoxBody<Bytes, BoxError>),
}

// === impl Body ===

impl Body {
    /// A body without content.
    pub const fn empty() -> Self {
        Self(Repr::Full(None))
    }

    /// A complete body.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(Repr::Full((!bytes.is_empty()).then_some(bytes)))
    }

    /// Wraps any other body. Errors are boxed.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let mut body = Some(body);
        if let Some(same) = (&mut body as &mut dyn std::any::Any).downcast_mut::<Option<Self>>() {
            return same.take().expect("the option was filled two lines above");
        }
        let body = body.expect("the option was filled above and not taken");
        if body.is_end_stream() {
            return Self::empty();
        }
        Self::stream(body)
    }

    /// Wraps a body whose polling or dropping matters even when it is empty.
    pub(crate) fn stream<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(Repr::Stream(body.map_err(Into::into).boxed_unsync()))
    }

    /// The whole content, when it is already here.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Repr::Full(bytes) => Some(bytes.as_deref().unwrap_or_default()),
            Repr::Stream(_) => None,
        }
    }

    /// The same, sharing its memory.
    pub(crate) fn to_bytes(&self) -> Option<Bytes> {
        match &self.0 {
            Repr::Full(bytes) => Some(bytes.clone().unwrap_or_default()),
            Repr::Stream(_) => None,
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::full(bytes)
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::full(text)
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::full(text)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Full(bytes) => write!(f, "Body({} bytes)", bytes.as_ref().map_or(0, Bytes::len)),
            Repr::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Repr::Full(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Repr::Stream(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Repr::Full(bytes) => bytes.is_none(),
            Repr::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Repr::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Repr::Stream(body) => body.size_hint(),
        }
    }
}
