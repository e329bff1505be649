//! The codec.

use std::borrow::Cow;

use bytes::Bytes;

use super::reader::Reader;
use super::writer::MessageWriter;
use super::{names, read, write};
use crate::Invalid;
use crate::chat::{
    CallerCodec, EventReader, EventWriter, Request, Response, UpstreamCodec, WriteContext,
    WriteOptions, Written,
};
use crate::error::ResponseError;

/// Reads and writes the Messages dialect.
#[derive(Clone, Copy, Debug)]
pub struct Messages;

// === impl Messages ===

impl CallerCodec for Messages {
    fn read_request(&self, body: &[u8]) -> Result<Request, Invalid> {
        read::request(body)
    }

    fn write_response(&self, response: &Response, context: &WriteContext<'_>) -> Bytes {
        write::response(response, context)
    }

    fn writer(&self, context: &WriteContext<'_>) -> Box<dyn EventWriter> {
        Box::new(MessageWriter::new(context))
    }
}

impl UpstreamCodec for Messages {
    fn write_request(
        &self,
        request: &Request,
        options: &WriteOptions<'_>,
    ) -> Result<Written, Invalid> {
        write::request(request, options)
    }

    fn read_response(&self, body: &[u8]) -> Result<Response, ResponseError> {
        read::response(body)
    }

    fn reader(&self) -> Box<dyn EventReader> {
        Box::new(Reader::default())
    }

    fn tool_name<'a>(&self, name: &'a str) -> Cow<'a, str> {
        names::wire_name(name)
    }
}
