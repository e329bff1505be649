//! OpenAI's Responses: the caller's side, and what is to know of answers that are passed on as they came.
//!
//! There is no upstream's side: OpenAI gets the bytes as they are, and every other provider speaks another
//! dialect. State is not kept here, so what refers to it is refused by name.

mod echo;
mod facts;
mod failure;
mod head;
mod item;
mod meter;
mod read;
mod sealed;
mod sequence;
#[cfg(test)]
mod tests;
mod usage;
mod write;
mod writer;

use bytes::Bytes;

pub use self::facts::read_facts;
pub use self::meter::Meter;
use crate::Invalid;
use crate::chat::{CallerCodec, EventWriter, Request, Response, WriteContext};

/// The codec of OpenAI's Responses.
///
/// Thinking is the summary of a `reasoning` item. What a provider signed travels in its `encrypted_content`, and is
/// restored when the item comes back; `reasoning` items of others are dropped. Only the first choice is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Responses;

// === impl Responses ===

impl CallerCodec for Responses {
    fn read_request(&self, body: &[u8]) -> Result<Request, Invalid> {
        read::request(body)
    }

    fn write_response(&self, response: &Response, context: &WriteContext<'_>) -> Bytes {
        write::response(response, context)
    }

    fn writer(&self, context: &WriteContext<'_>) -> Box<dyn EventWriter> {
        Box::new(writer::Writer::new(context))
    }
}
