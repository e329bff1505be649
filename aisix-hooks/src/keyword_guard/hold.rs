//! Holding back what could still become a match.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use aisix_core::wire::{Dialect, sse};

use super::pattern::Patterns;
use crate::text::{self, Track};

/// How much is held back, in bytes of events.
pub(super) const MAX_HELD: usize = 262_144;
/// How many texts a stream may have.
const MAX_TRACKS: usize = 1_024;
/// From which length on a text that is held back is only searched again when it has grown by an eighth.
const LONG: usize = 4_096;

/// The ends of the texts of a stream.
pub(super) struct Tails {
    patterns: Arc<Patterns>,
    dialect: Dialect,
    tracks: HashMap<Track, Tail>,
}

/// What is held back of a stream.
pub(super) struct Hold {
    tails: Tails,
    queue: VecDeque<Held>,
    /// The bytes in `queue`, and the most that there were.
    held: usize,
    pub(super) most: usize,
}

/// The end of one text: what could still become a match, and a character before it.
#[derive(Default)]
struct Tail {
    text: String,
    /// From where it is searched.
    from: usize,
    /// What has not been searched since the last time.
    fresh: usize,
    /// How much of the text stood before `text`.
    gone: usize,
}

/// An event, and the ends of its texts.
struct Held {
    event: sse::Event,
    ends: Vec<(Track, usize)>,
}

/// Why a stream does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// A pattern matches.
    Match,
    /// It cannot be told whether one does.
    Untold,
}

// === impl Tails ===

impl Tails {
    pub(super) fn new(patterns: Arc<Patterns>, dialect: Dialect) -> Self {
        Self {
            patterns,
            dialect,
            tracks: HashMap::new(),
        }
    }

    /// Looks at an event; gives the ends of its texts.
    pub(super) fn look(&mut self, event: &sse::Event) -> Result<Vec<(Track, usize)>, Stop> {
        let data = event.data().unwrap_or_default();
        let texts = text::of_event(self.dialect, &data).map_err(|_| Stop::Untold)?;
        let mut ends = Vec::with_capacity(texts.len());
        for text in texts {
            if self.tracks.len() == MAX_TRACKS && !self.tracks.contains_key(&text.track) {
                return Err(Stop::Untold);
            }
            let tail = self.tracks.entry(text.track.clone()).or_default();
            if tail.push(&text.text, &self.patterns) {
                return Err(Stop::Match);
            }
            if tail.text.len() > MAX_HELD {
                return Err(Stop::Untold);
            }
            ends.push((text.track, tail.end()));
        }
        Ok(ends)
    }

    /// Looks once more when no more text can come.
    pub(super) fn end(&mut self) -> Result<(), Stop> {
        let mut tails = self.tracks.values();
        if tails.any(|tail| self.patterns.is_match_at(&tail.text, tail.from, true)) {
            return Err(Stop::Match);
        }
        self.tracks.clear();
        Ok(())
    }

    /// Whether no match can begin before these ends.
    fn are_free(&self, ends: &[(Track, usize)]) -> bool {
        let is_free = |(track, end): &(Track, usize)| {
            let tail = self.tracks.get(track);
            tail.is_none_or(|tail| *end <= tail.free())
        };
        ends.iter().all(is_free)
    }
}

// === impl Hold ===

impl Hold {
    pub(super) fn new(patterns: Arc<Patterns>, dialect: Dialect) -> Self {
        Self {
            tails: Tails::new(patterns, dialect),
            queue: VecDeque::new(),
            held: 0,
            most: 0,
        }
    }

    /// Takes an event.
    pub(super) fn push(&mut self, event: sse::Event) -> Result<(), Stop> {
        let ends = self.tails.look(&event)?;
        self.held += event.raw.len();
        self.queue.push_back(Held { event, ends });
        Ok(())
    }

    /// Lets go of the next event, if no match can begin in it.
    pub(super) fn pop(&mut self) -> Result<Option<sse::Event>, Stop> {
        let next = self.queue.front();
        if next.is_some_and(|held| self.tails.are_free(&held.ends)) {
            let held = self.queue.pop_front();
            return Ok(held.map(|held| {
                self.held -= held.event.raw.len();
                held.event
            }));
        }
        self.most = self.most.max(self.held);
        match self.held > MAX_HELD {
            true => Err(Stop::Untold),
            false => Ok(None),
        }
    }

    /// The stream has ended, and all that is held back may go on.
    pub(super) fn end(&mut self) -> Result<(), Stop> {
        self.tails.end()
    }
}

// === impl Tail ===

impl Tail {
    /// Adds a piece; tells whether there is a match.
    fn push(&mut self, piece: &str, patterns: &Patterns) -> bool {
        self.text.push_str(piece);
        self.fresh += piece.len();
        // Else a long text in small pieces would be searched as often as there are pieces.
        if self.text.len() > LONG && self.fresh < self.text.len() / 8 {
            return false;
        }
        self.fresh = 0;
        if patterns.is_match_at(&self.text, self.from, false) {
            return true;
        }
        let begun = patterns.begun_at(&self.text, self.from);
        let last = self.text[..begun].chars().next_back();
        let before = begun - last.map_or(0, char::len_utf8);
        self.text.drain(..before);
        self.gone += before;
        self.from = begun - before;
        false
    }

    /// The end of the text so far.
    fn end(&self) -> usize {
        self.gone + self.text.len()
    }

    /// Where what could still become a match begins.
    fn free(&self) -> usize {
        self.gone + self.from
    }
}

#[cfg(test)]
mod tests;
