//! A stream that is kept while it passes.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use aisix_core::{
    BoxError,
    body::Body,
    wire::{
        Dialect, Usage, anthropic, gemini,
        openai::{self, Mark, responses},
        sse,
    },
};
use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;

/// What has passed of a stream.
pub(super) struct Tape(Mutex<State>);

struct State {
    pieces: Vec<Bytes>,
    /// The bytes in `pieces`.
    length: usize,
    max_length: usize,
    /// Whether all of it has passed.
    is_whole: bool,
    /// Whether it broke, or is longer than what is kept.
    is_spoilt: bool,
}

/// A body that is kept while it passes.
struct Recorded {
    body: Body,
    tape: Arc<Tape>,
}

/// Looks on to see whether a stream is complete, in its dialect.
enum Witness {
    OpenAi(openai::Meter),
    Anthropic(anthropic::Meter),
    Gemini(gemini::Meter),
    Responses(responses::Meter),
}

// === impl Tape ===

impl Tape {
    /// Keeps what passes of `body`, as long as it is no longer than `max_length` bytes.
    pub(super) fn record(body: Body, max_length: usize) -> (Arc<Self>, Body) {
        let tape = Arc::new(Self(Mutex::new(State {
            pieces: Vec::new(),
            length: 0,
            max_length,
            is_whole: false,
            is_spoilt: false,
        })));
        let recorded = Recorded {
            body,
            tape: tape.clone(),
        };
        (tape, Body::new(recorded))
    }

    /// The stream, if all of it has passed.
    pub(super) fn take(&self) -> Option<Vec<Bytes>> {
        let mut state = self.0.lock();
        (state.is_whole && !state.is_spoilt).then(|| std::mem::take(&mut state.pieces))
    }
}

impl State {
    fn push(&mut self, piece: Bytes) {
        self.length += piece.len();
        match self.length > self.max_length {
            true => self.spoil(),
            false => self.pieces.push(piece),
        }
    }

    fn spoil(&mut self) {
        self.is_spoilt = true;
        self.pieces = Vec::new();
    }
}

// === impl Recorded ===

impl http_body::Body for Recorded {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        let mut state = this.tape.0.lock();
        match &frame {
            None => state.is_whole = true,
            Some(Err(_)) => state.spoil(),
            Some(Ok(frame)) => {
                if let (Some(data), false) = (frame.data_ref(), state.is_spoilt) {
                    state.push(data.clone());
                }
                state.is_whole |= this.body.is_end_stream();
            }
        }
        drop(state);
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The events of a stream without comments between them, and the tokens if they are told in it; `None` when
/// it is not complete, or tells of an error.
pub(super) fn complete(dialect: Dialect, pieces: Vec<Bytes>) -> Option<(Bytes, Option<Usage>)> {
    let length = pieces.iter().map(Bytes::len).sum();
    let mut decoder = sse::Decoder::new(usize::MAX);
    let mut witness = Witness::of(dialect)?;
    let mut whole = BytesMut::with_capacity(length);
    for piece in pieces {
        decoder.push(piece);
        while let Ok(Some(event)) = decoder.next() {
            if let Some(data) = event.data() {
                let mark = witness.observe(&event, &data);
                if matches!(mark, Mark::Error(_) | Mark::Malformed) {
                    return None;
                }
                whole.extend_from_slice(&event.raw);
            }
        }
    }
    let (is_done, usage) = witness.seen();
    let is_complete = is_done && decoder.finish().is_none();
    is_complete.then(|| (whole.freeze(), usage))
}

// === impl Witness ===

impl Witness {
    /// `None` for a dialect whose streams nobody here understands.
    fn of(dialect: Dialect) -> Option<Self> {
        Some(match dialect {
            Dialect::OpenAi => Self::OpenAi(openai::Meter::new()),
            Dialect::Anthropic => Self::Anthropic(anthropic::Meter::new()),
            Dialect::Gemini => Self::Gemini(gemini::Meter::new()),
            Dialect::Responses => Self::Responses(responses::Meter::new()),
            _ => return None,
        })
    }

    fn observe(&mut self, event: &sse::Event, data: &[u8]) -> Mark {
        match self {
            Self::OpenAi(meter) => meter.observe(data),
            Self::Anthropic(meter) => meter.observe(event.name(), data),
            Self::Gemini(meter) => meter.observe(data),
            Self::Responses(meter) => meter.observe(event.name(), data),
        }
    }

    /// Whether the last event has passed, and the tokens.
    fn seen(&self) -> (bool, Option<Usage>) {
        match self {
            Self::OpenAi(meter) => (meter.done(), meter.usage()),
            Self::Anthropic(meter) => (meter.done(), meter.usage()),
            Self::Gemini(meter) => (meter.done(), meter.usage()),
            Self::Responses(meter) => (meter.done(), meter.usage()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const CHUNK: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    const DONE: &str = "data: [DONE]\n\n";

    fn completed(pieces: &[&str]) -> Option<String> {
        let pieces = pieces.iter().map(|piece| Bytes::from((*piece).to_owned()));
        let (whole, _) = complete(Dialect::OpenAi, pieces.collect())?;
        Some(String::from_utf8(whole.to_vec()).unwrap())
    }

    #[test]
    fn only_streams_that_end_well_are_complete() {
        let whole = format!("{CHUNK}{DONE}");
        assert_eq!(completed(&[CHUNK, ":\n\n", DONE]), Some(whole.clone()));
        assert_eq!(completed(&[&CHUNK[..9], &CHUNK[9..], DONE]), Some(whole));
        let error = "data: {\"error\":{\"message\":\"oh\"}}\n\n";
        for pieces in [
            [CHUNK, ""],
            [CHUNK, "data: [DONE]"],
            [error, DONE],
            ["data: nonsense\n\n", DONE],
            [CHUNK, error],
        ] {
            assert_eq!(completed(&pieces), None, "{pieces:?}");
        }
    }
}
