//! Steps of JSON Patch (RFC 6902) on a document, which leave every other byte as it came.
//!
//! No tree is built: numbers keep their text, and what is not touched keeps its white space, its order and its
//! repeated names. Of members that occur twice the last one counts, and a step deals with all of them.
//!
//! ```
//! use aisix_wire::{Document, Pointer};
//!
//! let mut document = Document::new(r#"{ "a": 1e400, "b": [1, 2] }"#.into())?;
//! document.add(&Pointer::parse("/b/-").unwrap(), b"3")?;
//! document.remove(&Pointer::parse("/b/0").unwrap())?;
//! assert_eq!(document.into_bytes(), r#"{ "a": 1e400, "b": [2,3] }"#);
//! # Ok::<_, aisix_wire::PatchError>(())
//! ```

mod document;
mod pointer;
#[cfg(test)]
mod tests;

use std::fmt;

pub use self::document::Document;
pub use self::pointer::Pointer;

/// Why a step cannot be taken. The document is as it was before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatchError {
    /// There is no such place, or nothing can be put there.
    NoPlace,
    /// Another value stands there.
    Different,
    /// The document would grow beyond what is allowed.
    TooLarge,
    /// It is no JSON object.
    NoObject,
}

// === impl PatchError ===

impl fmt::Display for PatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPlace => "there is no such place",
            Self::Different => "another value stands there",
            Self::TooLarge => "the document would grow too much",
            Self::NoObject => "it is no JSON object",
        })
    }
}

impl std::error::Error for PatchError {}
