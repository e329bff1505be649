//! Where in a document a value stands.

use std::fmt;

use crate::Invalid;

/// Where a value stands, like `messages[3].content`; only put into words when there is something to blame.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Path<'p> {
    /// The document itself.
    Root,
    /// A member of an object.
    Member(&'p Path<'p>, &'p str),
    /// An element of an array.
    Index(&'p Path<'p>, usize),
}

// === impl Path ===

impl<'p> Path<'p> {
    /// A member of what is here.
    pub(crate) fn member(&'p self, name: &'p str) -> Path<'p> {
        Path::Member(self, name)
    }

    /// An element of what is here.
    pub(crate) fn index(&'p self, index: usize) -> Path<'p> {
        Path::Index(self, index)
    }

    /// What is here is not what it must be, like `a string`.
    pub(crate) fn wrong_type(&self, expected: &str) -> Invalid {
        Invalid::wrong_type(self.to_string(), expected)
    }

    /// What is here must not be left out.
    pub(crate) fn missing(&self) -> Invalid {
        Invalid::new(
            self.to_string(),
            format!("missing required field \"{self}\""),
        )
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Member(Path::Root, name) => f.write_str(name),
            Path::Member(outer, name) => write!(f, "{outer}.{name}"),
            Path::Index(outer, index) => write!(f, "{outer}[{index}]"),
        }
    }
}
