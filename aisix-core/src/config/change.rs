//! What a source of configuration tells.

use std::{borrow::Cow, fmt, sync::Arc};

use super::{Rejection, resource::Kind};

/// The name of a resource: its kind, and an id that is unique within the kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The kind.
    pub kind: Kind,
    /// The id; usually a UUID, but any text will do.
    pub id: Arc<str>,
}

/// The name of a row at a source. It is that of a resource if its kind is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowName {
    /// The kind, such as `models`; any text.
    pub kind: Cow<'static, str>,
    /// The id.
    pub id: Arc<str>,
}

/// A resource as its source holds it: not yet validated, and with secrets in it.
#[derive(Clone)]
pub struct Entry {
    /// The name.
    pub key: Key,
    /// The document.
    pub value: serde_json::Value,
    /// A number that grows with each change at the source.
    pub revision: u64,
}

/// A change of the configuration.
#[derive(Clone, Debug)]
pub enum Change {
    /// These are all the resources there are; whatever else was known is gone.
    Reset(Vec<Entry>),
    /// The same of a source that has rows besides which cannot be read as resources. They are reported, and what
    /// they stood for before goes on serving.
    All {
        /// The resources.
        entries: Vec<Entry>,
        /// The other rows.
        rejected: Vec<Rejection>,
    },
    /// This resource is new or has changed.
    Put(Entry),
    /// This resource is gone.
    Delete(Key),
    /// This row cannot be read as a resource. It is reported, and what it stood for before goes on serving.
    Reject(Rejection),
    /// This row, which could not be read and never was a resource, is gone.
    Forget(RowName),
    /// These belong together: nobody sees some of them without the others.
    Together(Vec<Self>),
    /// Everything up to this revision of the source has been told.
    At(u64),
    /// What was told so far is something that has this SHA-256 in lowercase hexadecimal, such as a file. The status
    /// tells it instead of the hash of all documents, until something changes.
    Hash(String),
}

// === impl RowName ===

impl RowName {
    /// The resource of this name, if the kind is known.
    pub fn key(&self) -> Option<Key> {
        let kind = self.kind.parse().ok()?;
        let id = self.id.clone();
        Some(Key { kind, id })
    }
}

impl From<&Key> for RowName {
    fn from(key: &Key) -> Self {
        Self {
            kind: Cow::Borrowed(key.kind.as_str()),
            id: key.id.clone(),
        }
    }
}

impl fmt::Display for RowName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

// === impl Key ===

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

// === impl Entry ===

impl Entry {
    /// A resource at its first revision.
    pub fn new(kind: Kind, id: impl Into<Arc<str>>, value: serde_json::Value) -> Self {
        let id = id.into();
        Self {
            key: Key { kind, id },
            value,
            revision: 0,
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key)
            .field("revision", &self.revision)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Entry, Key, Kind};

    #[test]
    fn debug_does_not_print_the_document() {
        let entry = Entry {
            key: Key {
                kind: Kind::ProviderKey,
                id: "1".into(),
            },
            value: serde_json::json!({"api_key": "sk-hidden"}),
            revision: 7,
        };
        let shown = format!("{:?}", Change::Reset(vec![entry]));
        assert!(!shown.contains("sk-hidden"), "{shown}");
        assert!(shown.contains("revision: 7"), "{shown}");
    }
}
