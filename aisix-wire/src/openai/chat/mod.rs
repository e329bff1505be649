//! Chat completions to and from the neutral form.

mod arguments;
mod content;
mod finish;
mod lanes;
mod read_request;
mod read_response;
mod read_tools;
mod read_turns;
mod reader;
#[cfg(test)]
mod tests;
mod write_request;
mod write_response;
mod write_tools;
mod write_turns;
mod writer;

use bytes::Bytes;

use crate::Invalid;
use crate::chat::{
    CallerCodec, EventReader, EventWriter, Request, Response, UpstreamCodec, WriteContext,
    WriteOptions, Written,
};
use crate::error::ResponseError;

/// The codec of OpenAI's chat completions.
///
/// Thinking is `reasoning_content`, in and out. Signatures of tool calls and texts travel in
/// `extra_content.google.thought_signature`. The older `functions` and `function_call` are read, not written.
/// Images that the model drew are told in `images`, beside the content, as servers do that have them.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChatCompletions;

// === impl ChatCompletions ===

impl CallerCodec for ChatCompletions {
    fn read_request(&self, body: &[u8]) -> Result<Request, Invalid> {
        read_request::read(body)
    }

    fn write_response(&self, response: &Response, context: &WriteContext<'_>) -> Bytes {
        write_response::write(response, context)
    }

    fn writer(&self, context: &WriteContext<'_>) -> Box<dyn EventWriter> {
        Box::new(writer::Writer::new(context))
    }
}

impl UpstreamCodec for ChatCompletions {
    fn write_request(
        &self,
        request: &Request,
        options: &WriteOptions<'_>,
    ) -> Result<Written, Invalid> {
        write_request::write(request, options)
    }

    fn read_response(&self, body: &[u8]) -> Result<Response, ResponseError> {
        read_response::read(body)
    }

    fn reader(&self) -> Box<dyn EventReader> {
        Box::new(reader::Reader::default())
    }
}
