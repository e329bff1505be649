//! Writing events.

use bytes::{BufMut, Bytes, BytesMut};

use super::event::lines;

/// A comment that keeps a silent connection open.
pub const HEARTBEAT: &[u8] = b":\n\n";

/// The event that ends a stream of the OpenAI dialect.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// Writes one event; data with line ends becomes several `data` lines.
///
/// Line ends inside of `name` would begin a new field, so they are left out.
pub fn encode(name: Option<&str>, data: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(data.len() + name.map_or(0, str::len) + 24);
    if let Some(name) = name {
        out.put_slice(b"event: ");
        out.extend(name.bytes().filter(|byte| !matches!(byte, b'\n' | b'\r')));
        out.put_u8(b'\n');
    }
    let mut rest = true;
    for (line, ended) in lines(data) {
        out.put_slice(b"data: ");
        out.put_slice(&data[line]);
        out.put_u8(b'\n');
        rest = ended;
    }
    // No data at all, or a line end at the very end: one more, empty line.
    if rest {
        out.put_slice(b"data: \n");
    }
    out.put_u8(b'\n');
    out.freeze()
}
