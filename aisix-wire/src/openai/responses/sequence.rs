//! The numbers of a stream's events.

use bytes::{BufMut, BytesMut};

use crate::json::Writer;

/// Writes events, each with the next number.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sequence {
    /// The number of the next event.
    pub(super) next: u64,
}

// === impl Sequence ===

impl Sequence {
    /// Writes an event; its name is its type.
    pub(super) fn event(
        &mut self,
        out: &mut BytesMut,
        name: &str,
        members: impl FnOnce(&mut Writer<'_>),
    ) {
        out.put_slice(b"event: ");
        out.put_slice(name.as_bytes());
        out.put_slice(b"\ndata: ");
        Writer::new(out).object(|w| {
            w.name("type").string(name);
            w.name("sequence_number").number(self.next);
            members(w);
        });
        out.put_slice(b"\n\n");
        self.next = self.next.saturating_add(1);
    }
}
