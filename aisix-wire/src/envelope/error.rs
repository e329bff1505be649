//! Why a document was refused.

use std::fmt;

/// A document that is not acceptable JSON, and where that was noticed.
///
/// The message never quotes the document; only the name of a duplicated member, which is one the gateway
/// itself asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanError {
    /// What is wrong.
    pub kind: ScanErrorKind,
    /// The byte offset at which it was noticed.
    pub at: usize,
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScanErrorKind {
    /// It breaks the grammar of JSON, or stops short.
    Syntax,
    /// It is not UTF-8.
    Utf8,
    /// It is some other JSON value than an object.
    NotObject,
    /// More containers are open at once than [`MAX_DEPTH`](super::MAX_DEPTH).
    TooDeep,
    /// The object has more members than [`MAX_MEMBERS`](super::MAX_MEMBERS).
    TooManyMembers,
    /// A member that the gateway reads occurs twice.
    Duplicate(String),
}

// === impl ScanError ===

impl ScanError {
    pub(super) fn syntax(at: usize) -> Self {
        Self {
            kind: ScanErrorKind::Syntax,
            at,
        }
    }
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        match &self.kind {
            ScanErrorKind::Syntax => write!(f, "invalid JSON at byte {at}"),
            ScanErrorKind::Utf8 => write!(f, "invalid UTF-8 at byte {at}"),
            ScanErrorKind::NotObject => f.write_str("not a JSON object"),
            ScanErrorKind::TooDeep => {
                write!(
                    f,
                    "JSON is nested deeper than {} levels at byte {at}",
                    super::MAX_DEPTH
                )
            }
            ScanErrorKind::TooManyMembers => {
                write!(
                    f,
                    "JSON object has more than {} members",
                    super::MAX_MEMBERS
                )
            }
            ScanErrorKind::Duplicate(name) => write!(f, "duplicate member {name:?} at byte {at}"),
        }
    }
}

impl std::error::Error for ScanError {}
