//! JSON that is carried along as it was written.

use std::fmt;

use crate::{Dialect, Envelope, Kind, Member};

/// One JSON value as its text, valid by construction; nothing in it is rewritten on the way.
///
/// Line ends between its tokens become spaces, so that it can stand in one line of a stream.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Raw(Box<str>);

/// A JSON number as its text: `0.3` stays `0.3`, `1e2` stays `1e2`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Number(Box<str>);

/// A piece that only one dialect understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opaque {
    /// The dialect it was written in.
    pub dialect: Dialect,
    /// The whole piece.
    pub raw: Raw,
}

// === impl Raw ===

impl Raw {
    /// Takes a text that is exactly one JSON value, white space around it aside; else `None`.
    ///
    /// The rules are those of [`Envelope::scan`], the limit of nesting included.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        // A scan takes objects only, so the value is made the only member of one.
        let mut document = String::with_capacity(text.len() + 6);
        document.push_str("{\"\":");
        document.push_str(text);
        document.push('}');
        let envelope = Envelope::scan(document.as_bytes(), &[]).ok()?;
        let [member] = envelope.members() else {
            return None;
        };
        (member.value.len() == text.len()).then(|| Self::trusted(text))
    }

    /// Takes the value of a member of a scanned document.
    pub fn of(bytes: &[u8], member: &Member) -> Self {
        Self::at(bytes, member.value.clone())
    }

    /// Takes a value at its span in a scanned document.
    pub fn at(bytes: &[u8], span: crate::Span) -> Self {
        match std::str::from_utf8(bytes.get(span).unwrap_or_default()) {
            Ok(text) if !text.is_empty() => Self::trusted(text),
            _ => Self("null".into()),
        }
    }

    /// Writes a value as JSON; what cannot be written is `null`.
    pub fn from_value(value: &impl serde::Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(text) => Self(text.into()),
            Err(_) => Self("null".into()),
        }
    }

    /// The empty object.
    pub fn empty_object() -> Self {
        Self("{}".into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// What the value is.
    pub fn kind(&self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't') => Kind::Bool(true),
            Some(b'f') => Kind::Bool(false),
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.kind() == Kind::Object
    }

    /// The members, if it is an object; offsets are those of [`as_bytes`](Self::as_bytes).
    pub fn envelope(&self) -> Option<Envelope> {
        Envelope::scan_at(self.as_bytes(), 0..self.0.len()).ok()
    }

    fn trusted(text: &str) -> Self {
        // Line ends cannot stand inside of a JSON string, so those there are, are white space.
        if memchr::memchr2(b'\n', b'\r', text.as_bytes()).is_some() {
            return Self(text.replace(['\n', '\r'], " ").into());
        }
        Self(text.into())
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Number ===

impl Number {
    /// Takes the value of a member; `None` when it is no number.
    pub fn of(bytes: &[u8], member: &Member) -> Option<Self> {
        Self::at(bytes, member.value.clone(), member.kind)
    }

    pub(crate) fn at(bytes: &[u8], span: crate::Span, kind: Kind) -> Option<Self> {
        if kind != Kind::Number {
            return None;
        }
        let text = std::str::from_utf8(bytes.get(span)?).ok()?;
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// Takes a text that is exactly one JSON number; else `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let raw = Raw::parse(text)?;
        (raw.kind() == Kind::Number).then_some(Self(raw.0))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest float; `None` when it is too large for one.
    pub fn as_f64(&self) -> Option<f64> {
        self.0.parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// The number, when it is a non-negative integer without fraction or exponent that fits.
    pub fn as_u64(&self) -> Option<u64> {
        self.0.parse().ok()
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self(number.to_string().into())
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Opaque ===

impl Opaque {
    /// The piece's `type`, if it is an object that has one.
    pub fn word(&self) -> Option<String> {
        let envelope = self.raw.envelope()?;
        let bytes = self.raw.as_bytes();
        let word = envelope.member(bytes, "type")?.as_str(bytes)?;
        Some(word.into_owned())
    }
}
