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
