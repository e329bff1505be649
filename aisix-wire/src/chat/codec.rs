//! What a dialect implements.

use std::borrow::Cow;
use std::fmt;

use bytes::{Bytes, BytesMut};

use super::{Event, LimitName, OnUnsupported, Request, Response};
use crate::error::{ErrorBody, Refusal, ResponseError};
use crate::{Dialect, Invalid, anthropic, gemini, openai};

/// The caller's side of a dialect. Total: no input makes it panic, recurse without bound or grow without limit.
pub trait CallerCodec: Send + Sync {
    /// Reads a request that a caller sent.
    ///
    /// Lenient: unknown members and blocks are kept as they are, `null` means absent.
    ///
    /// # Errors
    /// The first member that makes no sense, like text where an object belongs.
    fn read_request(&self, body: &[u8]) -> Result<Request, Invalid>;

    /// Writes a whole answer for the caller. What the dialect cannot say is left out.
    fn write_response(&self, response: &Response, context: &WriteContext<'_>) -> Bytes;

    /// Makes a writer for one stream to the caller.
    fn writer(&self, context: &WriteContext<'_>) -> Box<dyn EventWriter>;
}

/// The upstream's side of a dialect. Total, like [`CallerCodec`].
pub trait UpstreamCodec: Send + Sync {
    /// Writes a request for an upstream.
    ///
    /// # Errors
    /// What would change the shape of the answer and cannot be said, by the name of the caller's member;
    /// `options` move the border.
    fn write_request(
        &self,
        request: &Request,
        options: &WriteOptions<'_>,
    ) -> Result<Written, Invalid>;

    /// Reads a whole answer of an upstream; white space around it is skipped.
    ///
    /// # Errors
    /// See [`ResponseError`].
    fn read_response(&self, body: &[u8]) -> Result<Response, ResponseError>;

    /// Makes a reader for one stream of an upstream.
    fn reader(&self) -> Box<dyn EventReader>;

    /// The name under which a tool goes to an upstream, where the dialect is strict about names.
    ///
    /// Always the same for the same name; [`Names`](super::Names) finds the way back.
    fn tool_name<'a>(&self, name: &'a str) -> Cow<'a, str> {
        Cow::Borrowed(name)
    }
}

/// Reads one stream of an upstream. What it yields is in the order that [`Event`] describes.
pub trait EventReader: Send {
    /// Reads one server-sent event: its name, if it has one, and its data. Adds to `out`.
    ///
    /// # Errors
    /// When the stream is broken: nothing more may be read then, and [`Event::End`] is never yielded.
    /// Events of an unknown kind are skipped.
    fn read(
        &mut self,
        name: Option<&[u8]>,
        data: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), StreamError>;

    /// The upstream's connection has ended. Adds what was held back and [`Event::End`], unless it was
    /// yielded before.
    ///
    /// # Errors
    /// [`StreamError::Cut`] when the answer was not complete.
    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), StreamError>;
}

/// Writes one stream to the caller: a valid one, whatever the order of the events.
///
/// A stream that breaks is ended with [`fail`](Self::fail) instead of [`Event::End`].
pub trait EventWriter: Send {
    /// Adds whole server-sent events to `out`: none, one or many. After [`Event::End`] nothing is added.
    fn write(&mut self, event: &Event, out: &mut BytesMut);

    /// Adds the events that end a stream which broke, at any time. Nothing is written after it.
    fn fail(&mut self, error: &ErrorBody<'_>, out: &mut BytesMut);
}

/// What a request needs to be written that its caller did not say.
#[derive(Clone, Copy, Debug)]
pub struct WriteOptions<'a> {
    /// The model's name at the upstream.
    pub model: &'a str,
    /// What to do with members that the dialect cannot say.
    pub on_unsupported: OnUnsupported,
    /// The output limit, in tokens, where the dialect wants one and the caller gave none.
    pub default_output_limit: u64,
    /// The name of the output limit where the dialect has several and the caller used none of them.
    pub limit_name: LimitName,
    /// Whether the upstream wants its thoughts of earlier turns back where the dialect does not demand it.
    pub replay_thinking: bool,
    /// Whether the upstream knows signatures of calls and texts where the dialect has no place for them.
    pub replay_signatures: bool,
}

/// A request as it goes to the upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The body.
    pub body: Bytes,
    /// The members that were dropped, under the caller's names for them.
    pub dropped: Vec<String>,
}

/// What an answer needs to be written that the upstream did not say.
#[derive(Clone, Copy, Debug)]
pub struct WriteContext<'a> {
    /// The model's name as the caller wrote it.
    pub model: &'a str,
    /// When the call came in, in seconds since 1970.
    pub created: u64,
    /// The id of the call, of which other ids are made.
    pub request_id: &'a str,
    /// Whether the caller asked for usage at the end of a stream.
    pub include_usage: bool,
    /// The body of the caller's request, of which some dialects repeat members in the answer.
    pub request: &'a [u8],
}

/// Why a stream broke.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// An event is not what the dialect calls for.
    Malformed,
    /// The upstream says that something went wrong.
    InBand(Refusal),
    /// The stream ended before the answer did.
    Cut,
    /// More had to be held back than is reasonable.
    TooMuch,
}

/// The caller's side of a dialect; `None` when there is none yet.
pub fn caller_codec(dialect: Dialect) -> Option<&'static dyn CallerCodec> {
    match dialect {
        Dialect::OpenAi => Some(&openai::ChatCompletions),
        Dialect::Responses => Some(&openai::Responses),
        Dialect::Anthropic => Some(&anthropic::Messages),
        Dialect::Gemini => Some(&gemini::Gemini),
    }
}

/// The upstream's side of a dialect; `None` where upstreams are only spoken to by callers of the same.
pub fn upstream_codec(dialect: Dialect) -> Option<&'static dyn UpstreamCodec> {
    match dialect {
        Dialect::OpenAi => Some(&openai::ChatCompletions),
        Dialect::Responses => None,
        Dialect::Anthropic => Some(&anthropic::Messages),
        Dialect::Gemini => Some(&gemini::Gemini),
    }
}

// === impl WriteOptions ===

impl<'a> WriteOptions<'a> {
    /// The defaults for a model: refuse what shapes the answer, drop hints, 4096 tokens where a limit is needed.
    pub fn new(model: &'a str) -> Self {
        Self {
            model,
            on_unsupported: OnUnsupported::default(),
            default_output_limit: 4096,
            limit_name: LimitName::default(),
            replay_thinking: false,
            replay_signatures: false,
        }
    }
}

// === impl StreamError ===

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StreamError::Malformed => "an event of the upstream's stream makes no sense",
            StreamError::InBand(_) => "the upstream's stream ended with an error",
            StreamError::Cut => "the upstream's stream ended early",
            StreamError::TooMuch => "the upstream's stream is out of order",
        })
    }
}

impl std::error::Error for StreamError {}
