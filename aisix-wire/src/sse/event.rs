//! One event.

use bytes::{BufMut, Bytes, BytesMut};

use super::encode;
use crate::Span;

/// One event of a stream: the bytes it came as, and what they say.
///
/// Events without a field, that is comments and blank lines, are events too, so that whoever relays the
/// `raw` of every event relays the stream byte for byte.
#[derive(Clone, Debug)]
pub struct Event {
    /// The bytes as they came, the blank line at the end included.
    pub raw: Bytes,
    name: Span,
    data: Payload,
    comment: bool,
}

#[derive(Clone, Debug)]
enum Payload {
    None,
    Line(Span),
    Lines(Bytes),
}

// === impl Event ===

impl Event {
    /// Reads an event; at the start of a stream a byte order mark is skipped.
    pub(super) fn read(raw: Bytes, start: bool) -> Self {
        let skip = if start && raw.starts_with(BOM) {
            BOM.len()
        } else {
            0
        };
        let mut event = Event {
            raw,
            name: 0..0,
            data: Payload::None,
            comment: false,
        };
        let mut joined: Option<BytesMut> = None;
        for (line, _) in lines(&event.raw[skip..]) {
            let line = line.start + skip..line.end + skip;
            match field(&event.raw, line) {
                Field::Comment => event.comment = true,
                Field::Event(value) => event.name = value,
                Field::Data(value) => match &event.data {
                    Payload::None => event.data = Payload::Line(value),
                    Payload::Line(first) => {
                        let joined =
                            joined.get_or_insert_with(|| BytesMut::from(&event.raw[first.clone()]));
                        joined.put_u8(b'\n');
                        joined.put_slice(&event.raw[value]);
                    }
                    Payload::Lines(_) => {}
                },
                Field::Other => {}
            }
        }
        if let Some(joined) = joined {
            event.data = Payload::Lines(joined.freeze());
        }
        event
    }

    /// The event's name, unless it has none or an empty one.
    pub fn name(&self) -> Option<&[u8]> {
        self.raw
            .get(self.name.clone())
            .filter(|name| !name.is_empty())
    }

    /// The data: a part of `raw` when it is one line, else the lines joined with line feeds.
    ///
    /// `None` when there is no `data` field at all.
    pub fn data(&self) -> Option<Bytes> {
        match &self.data {
            Payload::None => None,
            Payload::Line(span) => Some(self.raw.slice(span.clone())),
            Payload::Lines(joined) => Some(joined.clone()),
        }
    }

    /// The same event with other data. Where the data was one line and is again, every other byte stays as it came.
    #[must_use]
    pub fn with_data(&self, data: &[u8]) -> Self {
        let is_line = memchr::memchr2(b'\n', b'\r', data).is_none();
        let place = match &self.data {
            Payload::Line(place) if is_line => place.clone(),
            _ => {
                let name = self.name().map(String::from_utf8_lossy);
                return Self::read(encode(name.as_deref(), data), false);
            }
        };
        let (before, after) = (&self.raw[..place.start], &self.raw[place.end..]);
        let end = place.start + data.len();
        let moved = |at: usize| at - place.end + end;
        Self {
            raw: [before, data, after].concat().into(),
            name: match self.name.start < place.end {
                true => self.name.clone(),
                false => moved(self.name.start)..moved(self.name.end),
            },
            data: Payload::Line(place.start..end),
            comment: self.comment,
        }
    }

    /// Whether it holds comments and neither data nor a name.
    pub fn is_comment(&self) -> bool {
        self.comment && matches!(self.data, Payload::None) && self.name().is_none()
    }
}

pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

enum Field {
    Comment,
    Event(Span),
    Data(Span),
    Other,
}

#[inline]
fn field(raw: &[u8], line: Span) -> Field {
    let text = &raw[line.clone()];
    if text.first() == Some(&b':') {
        return Field::Comment;
    }
    let value = |name: &[u8]| match text.strip_prefix(name)? {
        [] => Some(line.end..line.end),
        [b':', b' ', ..] => Some(line.start + name.len() + 2..line.end),
        [b':', ..] => Some(line.start + name.len() + 1..line.end),
        _ => None,
    };
    if let Some(value) = value(b"data") {
        Field::Data(value)
    } else if let Some(value) = value(b"event") {
        Field::Event(value)
    } else {
        Field::Other
    }
}

/// The lines of a text without their ends, and whether each had one; nothing follows a last line end.
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = (Span, bool)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let start = at;
        let Some(len) = memchr::memchr2(b'\n', b'\r', rest) else {
            at = text.len();
            return Some((start..at, false));
        };
        at += len
            + if rest[len..].starts_with(b"\r\n") {
                2
            } else {
                1
            };
        Some((start..start + len, true))
    })
}
