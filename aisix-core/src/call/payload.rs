//! The client's bytes, and what the envelope scan found in them.

use std::{borrow::Cow, sync::Arc};

use aisix_wire::{Edits, Envelope, Member};
use bytes::Bytes;

/// The body of a model operation: the client's own bytes with a map of their top-level members.
///
/// Nothing is decoded. Changes are edits of members, so that all other bytes reach the upstream as
/// the client sent them.
#[derive(Clone, Debug)]
pub struct Payload {
    bytes: Bytes,
    envelope: Arc<Envelope>,
}

// === impl Payload ===

impl Payload {
    pub(crate) fn new(bytes: Bytes, envelope: Envelope) -> Self {
        Self {
            bytes,
            envelope: Arc::new(envelope),
        }
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The map of the top-level members.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// One top-level member.
    pub fn member(&self, name: &str) -> Option<&Member> {
        self.envelope.member(&self.bytes, name)
    }

    /// A top-level string.
    pub fn str(&self, name: &str) -> Option<Cow<'_, str>> {
        self.member(name)?.as_str(&self.bytes)
    }

    /// A top-level whole number.
    pub fn u64(&self, name: &str) -> Option<u64> {
        self.member(name)?.as_u64(&self.bytes)
    }

    /// A whole number; a dot in `name` leads into a top-level object.
    pub fn u64_at(&self, name: &str) -> Option<u64> {
        self.at(name, |member| member.as_u64(&self.bytes)).flatten()
    }

    /// Whether a member is `true`; a dot in `name` leads into a top-level object.
    pub fn flag_at(&self, name: &str) -> bool {
        self.at(name, Member::as_bool).flatten() == Some(true)
    }

    /// Whether a top-level member is `true`.
    pub fn flag(&self, name: &str) -> bool {
        self.member(name).and_then(Member::as_bool) == Some(true)
    }

    fn at<T>(&self, name: &str, look: impl FnOnce(&Member) -> T) -> Option<T> {
        let Some((outer, inner)) = name.split_once('.') else {
            return self.member(name).map(look);
        };
        let object = self.member(outer)?.value.clone();
        let object = Envelope::scan_at(&self.bytes, object).ok()?;
        object.member(&self.bytes, inner).map(look)
    }

    /// The bytes with `edits` spliced in; without edits, the very same bytes.
    pub fn encode(&self, edits: &Edits) -> Bytes {
        edits.apply(&self.bytes, &self.envelope)
    }

    /// Changes the body itself, for what comes after. The result is scanned again, so its cost grows
    /// with the body.
    ///
    /// # Errors
    ///
    /// When an edit's value is not JSON; the payload is unchanged then.
    pub fn edit(&mut self, edits: &Edits) -> Result<(), aisix_wire::ScanError> {
        self.replace(self.encode(edits))
    }

    /// Puts another body in the place of this one, for what comes after.
    ///
    /// # Errors
    ///
    /// When it is no JSON object; the payload is unchanged then.
    pub fn replace(&mut self, bytes: Bytes) -> Result<(), aisix_wire::ScanError> {
        let envelope = Envelope::scan(&bytes, &[])?;
        *self = Self::new(bytes, envelope);
        Ok(())
    }
}
