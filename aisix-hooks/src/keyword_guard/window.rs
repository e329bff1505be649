//! Streams of which a bounded part is held back.

use std::sync::Arc;

use super::pattern::Patterns;
use crate::edit::{Editor, Seen, Stop, hold::MAX_HELD};

/// How many bytes of events may hold back one character: a provider may send each in an event of its own.
const MAX_HELD_PER_CHARACTER: usize = 512;

/// How much of a text is held back, in characters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// The most that is held back.
    pub(super) size: usize,
    /// What is still held back when that is reached.
    pub(super) overlap: usize,
}

/// Patterns that hold back no more than a window of a text, even if it could still become a match.
pub(super) struct Windowed {
    pub(super) patterns: Arc<Patterns>,
    pub(super) window: Window,
}

// === impl Window ===

impl Window {
    /// How many bytes of events are held back at most.
    pub(super) fn max_held(self) -> usize {
        MAX_HELD.max(self.size * MAX_HELD_PER_CHARACTER)
    }

    /// Where the overlap begins in what would be held back from `free` on, if that is more than a window.
    fn cut(self, text: &str, free: usize) -> usize {
        let held = &text[free..];
        if held.len() <= self.size || held.chars().count() <= self.size {
            return free;
        }
        let kept = held.char_indices().rev().take(self.overlap).last();
        free + kept.map_or(held.len(), |(at, _)| at)
    }
}

// === impl Windowed ===

impl Editor for Windowed {
    fn look(&self, text: &str, from: usize, is_whole: bool) -> Result<Seen, Stop> {
        let seen = self.patterns.look(text, from, is_whole)?;
        Ok(Seen::up_to(self.window.cut(text, seen.free)))
    }

    fn reads_arguments(&self) -> bool {
        self.patterns.reads_arguments()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use regex::Regex;

    use super::{super::pattern, *};

    const OVERLAP: usize = 3;

    static PATTERNS: LazyLock<Arc<Patterns>> = LazyLock::new(|| {
        let patterns = [("aéb", true), (r"\bab\b", false), ("b[^z]*z", false)];
        let patterns = patterns.map(|(value, is_literal)| pattern::read(value, is_literal));
        let patterns: Vec<_> = patterns.into_iter().map(Result::unwrap).collect();
        Arc::new(Patterns::compile(&patterns).unwrap())
    });

    /// The patterns whose matches fit into the overlap.
    static SHORT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"aéb|\bab\b").unwrap());

    fn windowed(size: usize) -> Windowed {
        let overlap = OVERLAP;
        Windowed {
            patterns: PATTERNS.clone(),
            window: Window { size, overlap },
        }
    }

    /// How far a text goes on that comes character by character, and whether it is stopped.
    fn let_go(windowed: &Windowed, text: &str) -> (usize, bool) {
        let mut free = 0;
        for (at, character) in text.char_indices() {
            let so_far = &text[..at + character.len_utf8()];
            let Ok(seen) = windowed.look(so_far, free, false) else {
                return (free, true);
            };
            free = seen.free;
            let held = so_far[free..].chars().count();
            assert!(held <= windowed.window.size, "{held} of {so_far:?}");
        }
        (free, windowed.look(text, free, true).is_err())
    }

    proptest! {
        /// Nothing goes on of a match that fits into the overlap, and no more than a window is held back.
        #[test]
        fn matches_that_fit_into_the_overlap_never_go_on(
            text in "[abéx -]{0,4}b?[éx -]{0,16}(aéb| ab |[abéx -]{3})[abéx -]{0,4}z?",
        ) {
            let first = SHORT.find(&text).map(|found| found.start());
            for size in 2 * OVERLAP..20 {
                let (free, is_stopped) = let_go(&windowed(size), &text);
                prop_assert!(is_stopped || first.is_none(), "{size} {text:?}");
                prop_assert!(first.is_none_or(|first| free <= first), "{size} {text:?}");
            }
        }
    }
}
