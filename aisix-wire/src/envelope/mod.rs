//! The envelope of a JSON document: its top-level members, found in one pass that validates all of it.
//!
//! No tree is built. What a member holds stays where it is, as a [`Span`] of the document; nested
//! objects are opened with [`Envelope::scan_at`] and arrays with [`elements`] only when somebody asks.

mod elements;
mod error;
mod member;
mod number;
mod scan;
mod string;
#[cfg(test)]
mod tests;

use std::ops::Range;

use smallvec::SmallVec;

pub use self::elements::{Elements, elements};
pub use self::error::{ScanError, ScanErrorKind};
pub(crate) use self::member::decode;
pub use self::member::{Kind, Member};

/// A range of byte offsets in the document.
pub type Span = Range<usize>;

/// How many containers may be open at once, the outermost object included.
pub const MAX_DEPTH: usize = 128;

/// How many members the scanned object may have; nested objects are not limited.
pub const MAX_MEMBERS: usize = 1024;

/// The members of one JSON object, by position.
///
/// Offsets refer to the bytes that were scanned: pass the same bytes to every method that takes them.
#[derive(Clone, Debug)]
pub struct Envelope {
    object: Span,
    members: Vec<Member>,
}

// === impl Envelope ===

impl Envelope {
    /// Validates a whole document and returns the members of its outermost object.
    ///
    /// Accepts RFC 8259 JSON in UTF-8 with white space around it, and nothing else: no byte order mark, no
    /// lone surrogate escapes. Numbers are checked by grammar, not by size.
    ///
    /// # Errors
    /// Anything that is not JSON, an outermost value that is no object, more than [`MAX_DEPTH`] open
    /// containers or [`MAX_MEMBERS`] members, and a member of `reads` that occurs twice (names are
    /// compared after decoding escapes).
    pub fn scan(bytes: &[u8], reads: &[&str]) -> Result<Envelope, ScanError> {
        if let Err(error) = simdutf8::compat::from_utf8(bytes) {
            return Err(ScanError {
                kind: ScanErrorKind::Utf8,
                at: error.valid_up_to(),
            });
        }
        let start = scan::space(bytes, 0);
        let envelope = scan::object(bytes, start)?;
        let end = scan::space(bytes, envelope.object.end);
        if end != bytes.len() {
            return Err(ScanError::syntax(end));
        }
        envelope.refuse_duplicates(bytes, reads)?;
        Ok(envelope)
    }

    /// Returns the members of an object nested in a scanned document; offsets stay those of the document.
    ///
    /// UTF-8 is not checked again. [`MAX_DEPTH`] counts from this object.
    ///
    /// # Errors
    /// As [`scan`](Self::scan), and when `object` is not exactly the span of an object.
    pub fn scan_at(bytes: &[u8], object: Span) -> Result<Envelope, ScanError> {
        let within = bytes
            .get(..object.end)
            .ok_or_else(|| ScanError::syntax(bytes.len()))?;
        let envelope = scan::object(within, object.start)?;
        if envelope.object.end != object.end {
            return Err(ScanError::syntax(envelope.object.end));
        }
        Ok(envelope)
    }

    /// Finds a member by its decoded name; the last one when the name occurs twice, as most parsers do.
    pub fn member(&self, bytes: &[u8], name: &str) -> Option<&Member> {
        self.members
            .iter()
            .rev()
            .find(|member| member.is_named(bytes, name))
    }

    /// All members in the order they stand in the document, repeated names included.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The span of the object, braces included.
    pub fn object(&self) -> Span {
        self.object.clone()
    }

    fn refuse_duplicates(&self, bytes: &[u8], reads: &[&str]) -> Result<(), ScanError> {
        let mut seen: SmallVec<[bool; 32]> = SmallVec::from_elem(false, reads.len());
        for member in &self.members {
            let Some(index) = reads.iter().position(|name| member.is_named(bytes, name)) else {
                continue;
            };
            if std::mem::replace(&mut seen[index], true) {
                let kind = ScanErrorKind::Duplicate(reads[index].to_owned());
                return Err(ScanError {
                    kind,
                    at: member.name.start,
                });
            }
        }
        Ok(())
    }
}
