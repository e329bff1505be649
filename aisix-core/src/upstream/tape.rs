//! What is done with each event of a stream on its way to the client.

use std::sync::Arc;

use aisix_wire::{
    Dialect, Usage, anthropic,
    chat::{BlockKind, Delta, Event, EventReader, EventWriter, Names, StreamError},
    openai::{self, Mark},
    sse,
};
use bytes::{Bytes, BytesMut};

use super::{classify::in_band, shape::Shape, way::Way};
use crate::{
    call::Attempt,
    config::resource::StreamDoneMarker,
    error::{Error, ErrorKind},
};

/// How many bytes of a translated stream are written into one piece of memory, about.
const PIECE: usize = 4 * 1024;

/// Looks on while events pass, or translates them.
pub(super) enum Tape {
    OpenAi {
        meter: openai::Meter,
        keep_usage: bool,
        shape: Arc<Shape>,
    },
    Anthropic(anthropic::Meter),
    Translated(Box<Translated>),
}

/// What becomes of an event.
pub(super) struct Passage {
    pub(super) bytes: Through,
    /// Whether the client may see the answer's head now.
    pub(super) content: bool,
    /// Whether it was the last event.
    pub(super) last: bool,
}

pub(super) enum Through {
    AsItCame,
    Nothing,
    Instead(Bytes),
}

pub(super) struct Translated {
    reader: Box<dyn EventReader>,
    writer: Box<dyn EventWriter>,
    events: Vec<Event>,
    /// What is written; what has been taken from it shares its memory.
    out: BytesMut,
    usage: Option<Usage>,
    text_bytes: u64,
    names: Names,
}

// === impl Tape ===

impl Tape {
    pub(super) fn new(attempt: &Attempt, way: Way, names: Names, keep_usage: bool) -> Self {
        match way {
            Way::Same(Dialect::Anthropic) => Self::Anthropic(anthropic::Meter::new()),
            Way::Same(_) => Self::OpenAi {
                meter: openai::Meter::new(),
                keep_usage,
                shape: attempt.target.shape.clone(),
            },
            Way::Translated {
                caller, upstream, ..
            } => Self::Translated(Box::new(Translated {
                reader: upstream.reader(),
                writer: caller.writer(&super::encode::context(attempt, keep_usage)),
                events: Vec::new(),
                out: BytesMut::with_capacity(PIECE),
                usage: None,
                text_bytes: 0,
                names,
            })),
        }
    }

    /// Takes one event that has data.
    ///
    /// # Errors
    ///
    /// When the upstream reports an error, or the event makes no sense.
    pub(super) fn take(&mut self, event: &sse::Event, data: &Bytes) -> Result<Passage, Error> {
        let mark = match self {
            Self::OpenAi { meter, .. } => meter.observe(data),
            Self::Anthropic(meter) => meter.observe(event.name(), data),
            Self::Translated(translated) => return translated.take(event.name(), data),
        };
        let bytes = match (&*self, &mark) {
            (_, Mark::Error(said)) => return Err(in_band(said)),
            (_, Mark::Malformed) => return Err(malformed()),
            (Self::OpenAi { keep_usage, .. }, Mark::UsageOnly) if !keep_usage => Through::Nothing,
            (_, Mark::Done) => Through::AsItCame,
            (Self::OpenAi { shape, .. }, _) => match shape.rewrite(data) {
                Some(data) => Through::Instead(sse::encode(None, &data)),
                None => Through::AsItCame,
            },
            _ => Through::AsItCame,
        };
        Ok(Passage {
            bytes,
            content: matches!(mark, Mark::Content | Mark::Finish),
            last: matches!(mark, Mark::Done),
        })
    }

    /// The connection has ended without a last event. What is still to be said, if the answer is
    /// complete all the same.
    ///
    /// # Errors
    ///
    /// When it is not.
    pub(super) fn end(&mut self, content: bool) -> Result<Bytes, Error> {
        let complete = match self {
            Self::OpenAi { meter, shape, .. } => match shape.done_marker() {
                StreamDoneMarker::Required => false,
                StreamDoneMarker::Optional => meter.finished(),
                StreamDoneMarker::None => content,
            },
            Self::Anthropic(_) => false,
            Self::Translated(translated) => return translated.end(),
        };
        match complete {
            // Some upstreams do not say that they are done. Callers want to hear it all the same.
            true => Ok(Bytes::from_static(sse::DONE)),
            false => Err(cut_short()),
        }
    }

    /// The tokens, if the upstream has told.
    pub(super) fn usage(&self) -> Option<Usage> {
        match self {
            Self::OpenAi { meter, .. } => meter.usage(),
            Self::Anthropic(meter) => meter.usage(),
            Self::Translated(translated) => translated.usage,
        }
    }

    /// The bytes of content that have passed.
    pub(super) fn text_bytes(&self) -> u64 {
        match self {
            Self::OpenAi { meter, .. } => meter.text_bytes(),
            Self::Anthropic(meter) => meter.text_bytes(),
            Self::Translated(translated) => translated.text_bytes,
        }
    }
}

// === impl Translated ===

impl Translated {
    fn take(&mut self, name: Option<&[u8]>, data: &[u8]) -> Result<Passage, Error> {
        self.reader
            .read(name, data, &mut self.events)
            .map_err(broken)?;
        let (mut content, mut last) = (false, false);
        let bytes = self.write(&mut content, &mut last);
        Ok(Passage {
            bytes: match bytes.is_empty() {
                true => Through::Nothing,
                false => Through::Instead(bytes),
            },
            content,
            last,
        })
    }

    fn end(&mut self) -> Result<Bytes, Error> {
        self.reader.end(&mut self.events).map_err(broken)?;
        Ok(self.write(&mut false, &mut false))
    }

    /// Writes the events that were read.
    fn write(&mut self, content: &mut bool, last: &mut bool) -> Bytes {
        for mut event in self.events.drain(..) {
            self.names.restore_event(&mut event);
            match &event {
                Event::Usage(usage) => self.usage = Some(*usage),
                Event::Delta { delta, .. } => {
                    *content = true;
                    self.text_bytes += match delta {
                        Delta::Text(text)
                        | Delta::Thinking(text)
                        | Delta::Arguments(text)
                        | Delta::Refusal(text) => text.len() as u64,
                        _ => 0,
                    };
                }
                Event::BlockStart { kind, .. } => {
                    *content |= matches!(kind, BlockKind::ToolCall { .. } | BlockKind::Whole(_));
                }
                Event::Finish { .. } => *content = true,
                Event::End => *last = true,
                _ => {}
            }
            self.writer.write(&event, &mut self.out);
        }
        self.out.split().freeze()
    }
}

fn broken(error: StreamError) -> Error {
    match error {
        StreamError::InBand(said) => in_band(&said),
        StreamError::Cut => cut_short(),
        _ => malformed(),
    }
}

fn malformed() -> Error {
    Error::new(
        ErrorKind::Decode,
        "the upstream's stream could not be decoded",
    )
}

pub(super) fn cut_short() -> Error {
    Error::new(ErrorKind::Aborted, "the upstream's stream ended too early")
}
