//! Replacing texts.

use aisix_core::wire::{Edits, Envelope, ScanError, Span, json_string};
use bytes::Bytes;

/// Writes other texts in the places of some; every other byte stays as it came.
///
/// Places are those of [`Text`](super::Text)s of this very document; of two that overlap, the first one counts.
///
/// # Errors
///
/// When the document is no JSON object.
pub fn replace(
    document: &Bytes,
    texts: impl IntoIterator<Item = (Span, String)>,
) -> Result<Bytes, ScanError> {
    let envelope = Envelope::scan(document, &[])?;
    let mut edits = Edits::new();
    for (place, text) in texts {
        edits.replace(place, json_string(&text));
    }
    Ok(edits.apply(document, &envelope))
}
