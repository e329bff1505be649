//! Replacing texts.

use aisix_core::wire::{Dialect, Edits, Envelope, ScanError, Span, json_string};
use bytes::Bytes;

use super::{places, walk};

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

/// The same in an answer or an event, which must not tell any longer what the texts were: the probabilities of tokens are left
/// out.
///
/// # Errors
///
/// When the document is no JSON object, or an object on the way to a probability has more members than can be looked at.
pub(crate) fn replace_said(
    dialect: Dialect,
    document: &Bytes,
    texts: impl IntoIterator<Item = (Span, String)>,
) -> Result<Bytes, ScanError> {
    let envelope = Envelope::scan(document, &[])?;
    let (places, nothing) = places::probabilities(dialect);
    let mut edits = Edits::new();
    for value in walk::values(document, envelope.object(), places)? {
        edits.replace(value, nothing);
    }
    for (place, text) in texts {
        edits.replace(place, json_string(&text));
    }
    Ok(edits.apply(document, &envelope))
}
