//! The dialect of Gemini's `generateContent`.
//!
//! [`Gemini`] translates, [`Meter`] and [`read_facts`] look on where nothing is translated, and
//! [`write_embed_request`] and [`write_embed_response`] translate embeddings.

mod embed;
mod errors;
mod finish;
mod meter;
mod names;
mod part;
mod request;
mod response;
pub mod schema;
mod stream;
#[cfg(test)]
mod tests;
mod usage;

use std::borrow::Cow;

use bytes::Bytes;

pub use self::embed::{
    EmbedRequest, EmbedResponse, Encoding, write_embed_request, write_embed_response,
};
pub use self::errors::{error_reason, retry_delay};
pub use self::meter::{Meter, read_facts};
use crate::chat::{
    CallerCodec, EventReader, EventWriter, Request, Response, UpstreamCodec, WriteContext,
    WriteOptions, Written,
};
use crate::{Invalid, ResponseError};

/// Reads and writes `generateContent`, in the JSON names of protocol buffers: `camelCase`, and where
/// callers write them, `snake_case` too.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gemini;

impl CallerCodec for Gemini {
    fn read_request(&self, body: &[u8]) -> Result<Request, Invalid> {
        request::read(body)
    }

    fn write_response(&self, response: &Response, context: &WriteContext<'_>) -> Bytes {
        response::write(response, context)
    }

    fn writer(&self, context: &WriteContext<'_>) -> Box<dyn EventWriter> {
        Box::new(stream::Writer::new(context))
    }
}

impl UpstreamCodec for Gemini {
    fn write_request(
        &self,
        request: &Request,
        options: &WriteOptions<'_>,
    ) -> Result<Written, Invalid> {
        request::write(request, options)
    }

    fn read_response(&self, body: &[u8]) -> Result<Response, ResponseError> {
        response::read(body)
    }

    fn reader(&self) -> Box<dyn EventReader> {
        Box::new(stream::Reader::default())
    }

    fn tool_name<'a>(&self, name: &'a str) -> Cow<'a, str> {
        names::wire_name(name)
    }
}
