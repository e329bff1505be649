//! Replacements of spans.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::Span;

/// Replacements of spans of one document that do not overlap.
#[derive(Default)]
pub(super) struct Patches {
    /// Sorted by [`apply`](Self::apply) only; insertions at one place keep their order.
    patches: SmallVec<[(Span, Bytes); 8]>,
}

// === impl Patches ===

impl Patches {
    /// Replaces a span, unless it already reads like that.
    pub(super) fn replace(&mut self, bytes: &[u8], span: Span, value: Bytes) {
        if bytes[span.clone()] != value[..] {
            self.patches.push((span, value));
        }
    }

    /// As [`replace`](Self::replace), unless another patch is in the way.
    pub(super) fn try_replace(&mut self, bytes: &[u8], span: Span, value: Bytes) {
        let free = self.patches.iter().all(|(taken, _)| {
            span.end <= taken.start
                || taken.end <= span.start
                || taken.is_empty() && span.is_empty()
        });
        if free {
            self.replace(bytes, span, value);
        }
    }

    /// Writes the patched document.
    pub(super) fn apply(mut self, bytes: &Bytes) -> Bytes {
        if self.patches.is_empty() {
            return bytes.clone();
        }
        // Stable; an insertion goes before the replacement that starts where it stands.
        self.patches.sort_by_key(|(span, _)| (span.start, span.end));
        let removed: usize = self.patches.iter().map(|(span, _)| span.len()).sum();
        let added: usize = self.patches.iter().map(|(_, value)| value.len()).sum();
        let mut out = Vec::with_capacity(bytes.len() - removed + added);
        let mut at = 0;
        for (span, value) in &self.patches {
            out.extend_from_slice(&bytes[at..span.start]);
            out.extend_from_slice(value);
            at = span.end;
        }
        out.extend_from_slice(&bytes[at..]);
        out.into()
    }
}
