//! The elements of an array.

use super::scan::{space, value};
use super::{Kind, Span};

/// Goes through the elements of an array in a scanned document, in order.
///
/// Ends early when `array` is not the span of an array, or what it holds is not JSON.
pub fn elements(bytes: &[u8], array: Span) -> Elements<'_> {
    let within = bytes.get(..array.end).unwrap_or_default();
    let at = match within.get(array.start) {
        Some(b'[') => space(within, array.start + 1),
        _ => within.len(),
    };
    Elements { bytes: within, at }
}

/// The iterator that [`elements`] returns: the span and kind of each element.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for Elements<'_> {
    type Item = (Span, Kind);

    fn next(&mut self) -> Option<Self::Item> {
        let Ok(element) = value(self.bytes, self.at, 0) else {
            self.at = self.bytes.len();
            return None;
        };
        let after = space(self.bytes, element.span.end);
        self.at = match self.bytes.get(after) {
            Some(b',') => space(self.bytes, after + 1),
            _ => self.bytes.len(),
        };
        Some((element.span, element.kind))
    }
}
