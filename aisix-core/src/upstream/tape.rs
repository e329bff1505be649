//! What is done with each event of a stream on its way to the client.

use std::sync::Arc;

use aisix_wire::{
    Dialect, Usage, anthropic,
    chat::{BlockKind, Delta, Event, EventReader, EventWriter, Names, StreamError},
    gemini,
    openai::{self, Mark},
    sse, write_error_event,
};
use bytes::{Bytes, BytesMut};

use super::{back::Back, classify::in_band, shape::Shape};
use crate::{
    call::Attempt,
    config::resource::StreamDoneMarker,
    edge::error_body,
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
    Gemini(gemini::Meter),
    Responses(openai::responses::Meter),
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
    pub(super) fn new(attempt: &Attempt, back: Back, keep_usage: bool) -> Self {
        match back {
            Back::Same(Dialect::Anthropic) => Self::Anthropic(anthropic::Meter::new()),
            Back::Same(Dialect::Responses) => Self::Responses(openai::responses::Meter::new()),
            Back::Same(Dialect::Gemini) => Self::Gemini(gemini::Meter::new()),
            Back::Same(_) | Back::Embed(_) => Self::OpenAi {
                meter: openai::Meter::new(),
                keep_usage,
                shape: attempt.target.shape.clone(),
            },
            Back::Chat {
                caller,
                upstream,
                names,
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

    /// What becomes of an event without data: a comment, or a blank line between two writes.
    ///
    /// A translated stream has its own lines. A blank one among them would be legal, but not for readers
    /// who expect each event to begin with a field.
    pub(super) fn aside(&self, event: &sse::Event) -> Through {
        match self {
            Self::Translated(_) if event.is_comment() => {
                Through::Instead(Bytes::from_static(sse::HEARTBEAT))
            }
            Self::Translated(_) => Through::Nothing,
            _ => Through::AsItCame,
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
            Self::Gemini(meter) => meter.observe(data),
            Self::Responses(meter) => meter.observe(event.name(), data),
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
            Self::Anthropic(_) | Self::Responses(_) => false,
            // Nothing but the end of the connection ends this one.
            Self::Gemini(meter) if meter.done() => return Ok(Bytes::new()),
            Self::Gemini(_) => false,
            Self::Translated(translated) => return translated.end(),
        };
        match complete {
            // Some upstreams do not say that they are done. Callers want to hear it all the same.
            true => Ok(Bytes::from_static(sse::DONE)),
            false => Err(cut_short()),
        }
    }

    /// The stream has broken. What the client is told.
    pub(super) fn fail(&mut self, dialect: Dialect, error: &Error) -> Bytes {
        let said = error_body(error);
        match self {
            Self::Translated(translated) => {
                let mut out = BytesMut::new();
                translated.writer.fail(&said, &mut out);
                out.freeze()
            }
            Self::Responses(meter) => meter.fail(&said),
            _ => write_error_event(dialect, &said),
        }
    }

    /// The tokens, if the upstream has told.
    pub(super) fn usage(&self) -> Option<Usage> {
        match self {
            Self::OpenAi { meter, .. } => meter.usage(),
            Self::Anthropic(meter) => meter.usage(),
            Self::Gemini(meter) => meter.usage(),
            Self::Responses(meter) => meter.usage(),
            Self::Translated(translated) => translated.usage,
        }
    }

    /// The bytes of content that have passed.
    pub(super) fn text_bytes(&self) -> u64 {
        match self {
            Self::OpenAi { meter, .. } => meter.text_bytes(),
            Self::Anthropic(meter) => meter.text_bytes(),
            Self::Gemini(meter) => meter.text_bytes(),
            Self::Responses(meter) => meter.text_bytes(),
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
