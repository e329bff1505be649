//! Replacements of spans.

use bytes::Bytes;
use smallvec::SmallVec;

use crate::Span;

/// Replacements of spans of one document that do not overlap.
#[derive(Default)]
pub(super) struct Patches {
    patches: SmallVec<[(Span, Bytes); 8]>,
}

// === impl Patches ===

impl Patches {
    /// Replaces a span that no other patch touches, unless it already reads like that.
    pub(super) fn replace(&mut self, bytes: &[u8], span: Span, value: Bytes) {
        if bytes[span.clone()] != value[..] {
            self.patches.push((span, value));
        }
    }

    /// Adds replacements of any spans within `bounds`; drops those in the way of patches or of one another.
    pub(super) fn replace_free(&mut self, bytes: &[u8], bounds: Span, wanted: &[(Span, Bytes)]) {
        self.sort();
        let mut wanted: SmallVec<[&(Span, Bytes); 8]> = wanted.iter().collect();
        wanted.sort_by_key(|(span, _)| (span.start, span.end));
        let mut free = bounds.start;
        let taken = self.patches.len();
        for (span, value) in wanted {
            let fits = free <= span.start && span.start <= span.end && span.end <= bounds.end;
            let patches = &self.patches[..taken];
            // Patches do not overlap, so their ends are in order too.
            let after = patches.partition_point(|(taken, _)| taken.end <= span.start);
            let clear = patches
                .get(after)
                .is_none_or(|(taken, _)| span.end <= taken.start);
            if fits && clear {
                free = span.end;
                self.replace(bytes, span.clone(), value.clone());
            }
        }
    }

    /// Writes the patched document.
    pub(super) fn apply(mut self, bytes: &Bytes) -> Bytes {
        if self.patches.is_empty() {
            return bytes.clone();
        }
        self.sort();
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

    /// By place. An insertion goes before the replacement that starts where it stands; insertions at one
    /// place keep their order.
    fn sort(&mut self) {
        self.patches.sort_by_key(|(span, _)| (span.start, span.end));
    }
}
