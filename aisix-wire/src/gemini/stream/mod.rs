//! Streams of answers.

mod reader;
mod writer;

pub(super) use self::reader::Reader;
pub(super) use self::writer::Writer;
