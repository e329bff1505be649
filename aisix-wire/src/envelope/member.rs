//! One member of an object.

use std::borrow::Cow;

use super::Span;

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, not converted.
    Number,
    /// A string, not decoded.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// One member of an object: where its name and value are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name, between its quotes.
    pub name: Span,
    /// Whether the name holds escapes, so that its bytes are not its text.
    pub escaped_name: bool,
    /// The value, with its quotes, brackets or braces.
    pub value: Span,
    /// What the value is.
    pub kind: Kind,
    /// How many items the array, or members the object, has; 0 for other values.
    pub len: usize,
}

// === impl Member ===

impl Member {
    /// Whether this is the member's name, escapes decoded.
    pub fn is_named(&self, bytes: &[u8], name: &str) -> bool {
        if !self.escaped_name {
            return bytes.get(self.name.clone()) == Some(name.as_bytes());
        }
        decode(bytes, &self.quoted_name()).is_some_and(|decoded| decoded == name)
    }

    /// The member's name, escapes decoded; borrowed when there are none. `None` when `bytes` are not those that
    /// were scanned.
    pub fn decoded_name<'a>(&self, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        if !self.escaped_name {
            let name = bytes.get(self.name.clone())?;
            return std::str::from_utf8(name).ok().map(Cow::Borrowed);
        }
        decode(bytes, &self.quoted_name())
    }

    /// The text of a string, escapes decoded; borrowed when there are none.
    pub fn as_str<'a>(&self, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        match self.kind {
            Kind::String => decode(bytes, &self.value),
            _ => None,
        }
    }

    /// The number, when it is a non-negative integer without fraction or exponent that fits.
    pub fn as_u64(&self, bytes: &[u8]) -> Option<u64> {
        self.number(bytes)?.parse().ok()
    }

    /// The number as a float; `None` when it is too large for one.
    pub fn as_f64(&self, bytes: &[u8]) -> Option<f64> {
        self.number(bytes)?
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite())
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Whether the value is `null`.
    pub fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }

    /// The value as it stands in the document; empty when `bytes` are not those that were scanned.
    pub fn raw<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.value.clone()).unwrap_or_default()
    }

    fn quoted_name(&self) -> Span {
        self.name.start.saturating_sub(1)..self.name.end.saturating_add(1)
    }

    fn number<'a>(&self, bytes: &'a [u8]) -> Option<&'a str> {
        match self.kind {
            Kind::Number => std::str::from_utf8(self.raw(bytes)).ok(),
            _ => None,
        }
    }
}

/// Decodes the string whose span, quotes included, is given.
pub(crate) fn decode<'a>(bytes: &'a [u8], quoted: &Span) -> Option<Cow<'a, str>> {
    let text = bytes.get(quoted.clone())?;
    let inner = text.get(1..text.len().checked_sub(1)?)?;
    if memchr::memchr(b'\\', inner).is_none() {
        return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
    }
    serde_json::from_slice::<String>(text).ok().map(Cow::Owned)
}
