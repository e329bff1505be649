//! Tool calls: writing them, and telling when their arguments are complete.

use super::write_turns::signature;
use crate::chat::{Block, Content};
use crate::json::Writer;

/// Writes a tool call, with its number in a stream and its signature, if the reader knows what that is; other
/// blocks than calls are left out.
pub(super) fn write_call(
    w: &mut Writer<'_>,
    index: Option<u64>,
    block: &Block,
    signature: Option<&str>,
) {
    match &block.content {
        Content::ToolCall(call) => w.object(|w| {
            w.maybe_number("index", index);
            w.name("id").string(&call.id);
            w.name("type").string("function");
            w.name("function").object(|w| {
                w.name("name").string(&call.name);
                w.name("arguments").string(&call.arguments);
            });
            if let Some(signature) = signature {
                self::signature(w, signature);
            }
        }),
        Content::Opaque(opaque) => w.raw(opaque.raw.as_str()),
        _ => {}
    }
}

/// Looks on while the pieces of an object or array pass, and tells when it is complete.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arguments {
    depth: usize,
    string: bool,
    escape: bool,
    begun: bool,
    complete: bool,
}

// === impl Arguments ===

impl Arguments {
    /// Takes a piece into account.
    pub(super) fn observe(&mut self, piece: &str) {
        for byte in piece.bytes() {
            if self.escape {
                self.escape = false;
            } else if self.string {
                match byte {
                    b'"' => self.string = false,
                    b'\\' => self.escape = true,
                    _ => {}
                }
            } else {
                self.token(byte);
            }
        }
    }

    fn token(&mut self, byte: u8) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => return,
            b'"' => self.string = true,
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.complete = self.depth == 0;
            }
            _ => {}
        }
        self.begun = true;
    }

    /// Whether the outermost bracket is closed.
    pub(super) fn complete(&self) -> bool {
        self.complete && self.depth == 0 && !self.string
    }

    /// Whether nothing but white space has passed.
    pub(super) fn blank(&self) -> bool {
        !self.begun
    }
}
