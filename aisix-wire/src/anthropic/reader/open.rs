//! The open block of a stream.

use bytes::BytesMut;

use crate::chat::Raw;
use crate::json::{Object, Writer};

/// The open block.
#[derive(Debug)]
pub(super) struct Open {
    /// Its number in the stream; `None` when it was opened by a delta.
    pub(super) wire: Option<u64>,
    pub(super) kind: OpenKind,
}

/// What the open block is.
#[derive(Debug)]
pub(super) enum OpenKind {
    Text,
    Thinking,
    /// A tool call, and the arguments that its start held already.
    Call(Option<String>),
    /// A block that is yielded when it is whole: as it started, and the input that has come since.
    Held(Raw, String),
    /// A block that came whole.
    Whole,
}

// === impl Open ===

impl Open {
    /// Whether an event with this index means this block; one without an index means the open one.
    pub(super) fn is(&self, index: Option<u64>) -> bool {
        self.wire.is_none() || index.is_none() || self.wire == index
    }
}

/// A block with the input that came after its start; `None` when that is no JSON.
pub(super) fn with_input(block: &Raw, input: &str) -> Option<Raw> {
    if input.trim().is_empty() {
        return Some(block.clone());
    }
    let input = Raw::parse(input)?;
    let object = Object::scan(block.as_bytes()).ok()?;
    let mut out = BytesMut::new();
    Writer::new(&mut out).object(|w| {
        for (name, value) in object.members().filter(|(name, _)| name != "input") {
            w.name(&name).raw(value.raw().as_str());
        }
        w.name("input").raw(input.as_str());
    });
    Raw::parse(std::str::from_utf8(&out).ok()?)
}
