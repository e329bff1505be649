//! Reading.
//!
//! `null` counts as absent everywhere. Methods that return a `Result` blame what has the wrong type; those
//! named `try_…` pass over it.

use std::borrow::Cow;

use super::Path;
use crate::chat::{Number, Raw};
use crate::envelope::decode;
use crate::{Envelope, Invalid, Kind, Member, ScanError, Span, elements};

/// An object of a scanned document.
#[derive(Clone, Debug)]
pub(crate) struct Object<'a> {
    bytes: &'a [u8],
    envelope: Envelope,
}

/// A value of a scanned document.
#[derive(Clone, Debug)]
pub(crate) struct Value<'a> {
    bytes: &'a [u8],
    span: Span,
    kind: Kind,
}

// === impl Object ===

impl<'a> Object<'a> {
    /// Validates a whole document, which is an object.
    pub(crate) fn scan(bytes: &'a [u8]) -> Result<Self, ScanError> {
        let envelope = Envelope::scan(bytes, &[])?;
        Ok(Self { bytes, envelope })
    }

    /// An object at its span in a document whose UTF-8 has been checked.
    pub(crate) fn at(bytes: &'a [u8], span: Span) -> Option<Self> {
        let envelope = Envelope::scan_at(bytes, span).ok()?;
        Some(Self { bytes, envelope })
    }

    /// The document it is part of.
    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The whole object.
    pub(crate) fn raw(&self) -> Raw {
        Raw::at(self.bytes, self.envelope.object())
    }

    /// The envelope.
    pub(crate) fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The members in order, `null`s left out: name and value.
    pub(crate) fn members(&self) -> impl Iterator<Item = (Cow<'a, str>, Value<'a>)> + '_ {
        let present = self.envelope.members().iter().filter(|m| !m.is_null());
        present.filter_map(|member| {
            let name = member.name.start.checked_sub(1)?..member.name.end + 1;
            Some((decode(self.bytes, &name)?, self.value(member)))
        })
    }

    /// A member.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'a>> {
        let member = self.envelope.member(self.bytes, name)?;
        (!member.is_null()).then(|| self.value(member))
    }

    /// Whether a member is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// A text.
    pub(crate) fn text(
        &self,
        path: &Path<'_>,
        name: &str,
    ) -> Result<Option<Cow<'a, str>>, Invalid> {
        self.typed(path, name, "a string", Value::as_str)
    }

    /// A text of its own.
    pub(crate) fn string(&self, path: &Path<'_>, name: &str) -> Result<Option<String>, Invalid> {
        Ok(self.text(path, name)?.map(Cow::into_owned))
    }

    /// A text that must be there.
    pub(crate) fn required_string(&self, path: &Path<'_>, name: &str) -> Result<String, Invalid> {
        self.string(path, name)?
            .ok_or_else(|| path.member(name).missing())
    }

    /// A truth value.
    pub(crate) fn bool(&self, path: &Path<'_>, name: &str) -> Result<Option<bool>, Invalid> {
        self.typed(path, name, "a boolean", Value::as_bool)
    }

    /// A number.
    pub(crate) fn number(&self, path: &Path<'_>, name: &str) -> Result<Option<Number>, Invalid> {
        self.typed(path, name, "a number", Value::as_number)
    }

    /// A count.
    pub(crate) fn count(&self, path: &Path<'_>, name: &str) -> Result<Option<u64>, Invalid> {
        self.typed(path, name, "a non-negative integer", Value::as_u64)
    }

    /// An object.
    pub(crate) fn object(
        &self,
        path: &Path<'_>,
        name: &str,
    ) -> Result<Option<Object<'a>>, Invalid> {
        self.typed(path, name, "an object", Value::as_object)
    }

    /// An object, as it stands.
    pub(crate) fn raw_object(&self, path: &Path<'_>, name: &str) -> Result<Option<Raw>, Invalid> {
        self.typed(path, name, "an object", |value| {
            (value.kind() == Kind::Object).then(|| value.raw())
        })
    }

    /// The elements of an array; none when it is absent.
    pub(crate) fn items(
        &self,
        path: &Path<'_>,
        name: &str,
    ) -> Result<impl Iterator<Item = Value<'a>> + use<'a>, Invalid> {
        let items = self.typed(path, name, "an array", Value::items)?;
        Ok(items.into_iter().flatten())
    }

    /// A text, if it is one.
    pub(crate) fn try_text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name)?.as_str()
    }

    /// A text of its own, if it is one.
    pub(crate) fn try_string(&self, name: &str) -> Option<String> {
        self.try_text(name).map(Cow::into_owned)
    }

    /// A count, if it is one.
    pub(crate) fn try_count(&self, name: &str) -> Option<u64> {
        self.get(name)?.as_u64()
    }

    /// An object, if it is one.
    pub(crate) fn try_object(&self, name: &str) -> Option<Object<'a>> {
        self.get(name)?.as_object()
    }

    /// The elements of an array, if it is one.
    pub(crate) fn try_items(&self, name: &str) -> impl Iterator<Item = Value<'a>> + use<'a> {
        self.get(name)
            .and_then(|value| value.items())
            .into_iter()
            .flatten()
    }

    fn typed<T>(
        &self,
        path: &Path<'_>,
        name: &str,
        expected: &str,
        read: impl FnOnce(&Value<'a>) -> Option<T>,
    ) -> Result<Option<T>, Invalid> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        match read(&value) {
            Some(value) => Ok(Some(value)),
            None => Err(path.member(name).wrong_type(expected)),
        }
    }

    fn value(&self, member: &Member) -> Value<'a> {
        Value {
            bytes: self.bytes,
            span: member.value.clone(),
            kind: member.kind,
        }
    }
}

// === impl Value ===

impl<'a> Value<'a> {
    /// What it is.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// How many bytes it has in the document, quotes and braces included.
    pub(crate) fn size(&self) -> usize {
        self.span.len()
    }

    /// The value as it stands.
    pub(crate) fn raw(&self) -> Raw {
        Raw::at(self.bytes, self.span.clone())
    }

    /// The text.
    pub(crate) fn as_str(&self) -> Option<Cow<'a, str>> {
        match self.kind {
            Kind::String => decode(self.bytes, &self.span),
            _ => None,
        }
    }

    /// The truth value.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// The number.
    pub(crate) fn as_number(&self) -> Option<Number> {
        Number::at(self.bytes, self.span.clone(), self.kind)
    }

    /// The number, when it is a count.
    pub(crate) fn as_u64(&self) -> Option<u64> {
        self.as_number()?.as_u64()
    }

    /// The object.
    pub(crate) fn as_object(&self) -> Option<Object<'a>> {
        if self.kind != Kind::Object {
            return None;
        }
        let envelope = Envelope::scan_at(self.bytes, self.span.clone()).ok()?;
        Some(Object {
            bytes: self.bytes,
            envelope,
        })
    }

    /// The elements of the array.
    pub(crate) fn items(&self) -> Option<impl Iterator<Item = Value<'a>> + use<'a>> {
        if self.kind != Kind::Array {
            return None;
        }
        let bytes = self.bytes;
        let items = elements(bytes, self.span.clone());
        Some(items.map(move |(span, kind)| Value { bytes, span, kind }))
    }
}
