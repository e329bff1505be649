//! Where configuration comes from.

use std::{error::Error, fmt};

use futures_core::Stream;

use super::Change;

/// A stream of changes.
///
/// Nobody implements it by hand: every stream with these items is one. It starts with
/// [`Change::Reset`] or [`Change::All`]. An error means that something could not be read; what was told before still
/// holds and the stream goes on.
pub trait ConfigSource: Stream<Item = Result<Change, SourceError>> {}

impl<S> ConfigSource for S where S: Stream<Item = Result<Change, SourceError>> + ?Sized {}

/// Why a source could not tell the configuration.
#[derive(Debug)]
pub struct SourceError {
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

// === impl SourceError ===

impl SourceError {
    /// An error with a message, which must not hold secrets.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for SourceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
