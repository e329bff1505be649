//! Writing.

use bytes::{BufMut, BytesMut};

/// Writes JSON, in one line, and sees to the commas.
pub(crate) struct Writer<'a> {
    out: &'a mut BytesMut,
    start: usize,
}

// === impl Writer ===

impl<'a> Writer<'a> {
    /// Adds to what is in `out`.
    pub(crate) fn new(out: &'a mut BytesMut) -> Self {
        let start = out.len();
        Self { out, start }
    }

    /// Writes an object and what `members` writes into it.
    pub(crate) fn object<T>(&mut self, members: impl FnOnce(&mut Self) -> T) -> T {
        self.comma();
        self.out.put_u8(b'{');
        let result = members(self);
        self.out.put_u8(b'}');
        result
    }

    /// Writes an array and what `items` writes into it.
    pub(crate) fn array<T>(&mut self, items: impl FnOnce(&mut Self) -> T) -> T {
        self.comma();
        self.out.put_u8(b'[');
        let result = items(self);
        self.out.put_u8(b']');
        result
    }

    /// Writes the name of a member; its value comes next.
    pub(crate) fn name(&mut self, name: &str) -> &mut Self {
        self.string(name);
        self.out.put_u8(b':');
        self
    }

    /// Writes a text.
    pub(crate) fn string(&mut self, text: &str) {
        self.comma();
        if is_plain(text) {
            // Names and most pieces of a stream: one growth at most, and a copy.
            self.out.reserve(text.len() + 2);
            self.out.put_u8(b'"');
            self.out.put_slice(text.as_bytes());
            return self.out.put_u8(b'"');
        }
        serde_json::to_writer((&mut *self.out).writer(), text)
            .expect("a text always serialises, and a buffer takes it");
    }

    /// Writes a value that is JSON already, in one line.
    pub(crate) fn raw(&mut self, json: &str) {
        self.comma();
        self.out.put_slice(json.as_bytes());
    }

    /// Writes a number.
    pub(crate) fn number(&mut self, number: u64) {
        self.comma();
        serde_json::to_writer((&mut *self.out).writer(), &number)
            .expect("a number always serialises, and a buffer takes it");
    }

    /// Writes a truth value.
    pub(crate) fn bool(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    /// Writes `null`.
    pub(crate) fn null(&mut self) {
        self.raw("null");
    }

    /// Writes a member that is a text, if there is one.
    pub(crate) fn maybe_string(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.name(name).string(text);
        }
    }

    /// Writes a member that is JSON already, if there is one.
    pub(crate) fn maybe_raw(&mut self, name: &str, json: Option<&str>) {
        if let Some(json) = json {
            self.name(name).raw(json);
        }
    }

    /// Writes a member that is a truth value, if there is one.
    pub(crate) fn maybe_bool(&mut self, name: &str, value: Option<bool>) {
        if let Some(value) = value {
            self.name(name).bool(value);
        }
    }

    /// Writes a member that is a number, if there is one.
    pub(crate) fn maybe_number(&mut self, name: &str, number: Option<u64>) {
        if let Some(number) = number {
            self.name(name).number(number);
        }
    }

    /// Whatever was written ends in `{`, `[` or `:` only where the next value needs no comma.
    fn comma(&mut self) {
        let written = self.out.get(self.start..).unwrap_or_default();
        if !matches!(written.last(), None | Some(b'{' | b'[' | b':')) {
            self.out.put_u8(b',');
        }
    }
}

/// Whether nothing in a text has to be escaped.
fn is_plain(text: &str) -> bool {
    let odd = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\';
    // Without a way out, so that whole vectors of bytes are looked at together.
    let mut pieces = text.as_bytes().chunks(256);
    pieces.all(|piece| !piece.iter().fold(false, |found, byte| found | odd(byte)))
}
