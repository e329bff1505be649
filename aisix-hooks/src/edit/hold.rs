//! Holding back what is not decided.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use aisix_core::wire::{Dialect, Span, sse};

use super::{Editor, Reader, Stop, whole};
use crate::text::{self, Pieces, Text, Track};

/// How much is held back, in bytes of events, unless it is said otherwise.
pub(crate) const MAX_HELD: usize = 262_144;
/// How many texts a stream may have.
const MAX_TRACKS: usize = 1_024;

/// The ends of the texts of a stream.
pub(crate) struct Tails {
    editor: Arc<dyn Editor>,
    dialect: Dialect,
    max: usize,
    tracks: HashMap<Track, Reader>,
    has_edited: bool,
}

/// What is held back of a stream.
pub(crate) struct Hold {
    tails: Tails,
    queue: VecDeque<Held>,
    /// The bytes in `queue`, and the most that there were.
    held: usize,
    pub(super) most: usize,
}

/// An event, and what was found in it.
struct Held {
    event: sse::Event,
    found: Found,
}

/// What was found in an event.
#[derive(Default)]
struct Found {
    /// The pieces of texts in it.
    pieces: Vec<Piece>,
    /// What becomes of those of its texts that are whole.
    edited: Vec<(Span, String)>,
}

/// A piece of a text.
struct Piece {
    track: Track,
    /// Where it stands in its event.
    at: Span,
    /// Where it stands in its text.
    place: Span,
}

// === impl Tails ===

impl Tails {
    /// Of each text, no more than `max` bytes are kept.
    pub(crate) fn new(editor: Arc<dyn Editor>, dialect: Dialect, max: usize) -> Self {
        Self {
            editor,
            dialect,
            max,
            tracks: HashMap::new(),
            has_edited: false,
        }
    }

    /// Looks at an event that goes on as it is.
    pub(super) fn look(&mut self, event: &sse::Event) -> Result<(), Stop> {
        let data = event.data().unwrap_or_default();
        let found = self.read(&data)?;
        self.forget(&found);
        Ok(())
    }

    /// Whether anything has been edited, or would have been.
    pub(super) fn has_edited(&self) -> bool {
        self.has_edited
    }

    /// Looks once more when no more text can come.
    pub(super) fn end(&mut self) -> Result<(), Stop> {
        for reader in self.tracks.values_mut() {
            reader.end(&*self.editor)?;
            self.has_edited |= reader.has_edits();
        }
        Ok(())
    }

    /// Forgets edits that are not written.
    fn forget(&mut self, found: &Found) {
        self.has_edited |= !found.edited.is_empty();
        for reader in self.tracks.values_mut() {
            self.has_edited |= reader.forget();
        }
    }

    /// Looks at the data of an event.
    fn read(&mut self, data: &[u8]) -> Result<Found, Stop> {
        let pieces = text::pieces(self.dialect, data).map_err(|_| Stop::Untold)?;
        let Pieces { texts, ended } = pieces;
        let mut found = Found::default();
        for text in texts {
            if !text.is_piece {
                let other = whole(&*self.editor, &text)?;
                found.edited.extend(other.map(|other| (text.place, other)));
            } else if !text.text.is_empty() {
                found.pieces.push(self.push(text)?);
            }
        }
        self.pause(&found.pieces)?;
        for (track, reader) in &mut self.tracks {
            if ended.iter().any(|ended| track.is_inside(ended)) {
                reader.end(&*self.editor)?;
            }
        }
        Ok(found)
    }

    fn push(&mut self, piece: Text<'_>) -> Result<Piece, Stop> {
        let Text { track, text, .. } = piece;
        if self.tracks.len() == MAX_TRACKS && !self.tracks.contains_key(&track) {
            return Err(Stop::Untold);
        }
        let is_json = piece.is_arguments && self.editor.reads_arguments();
        let reader = self.tracks.entry(track.clone());
        let reader = reader.or_insert_with(|| match is_json {
            true => Reader::of_arguments(),
            false => Reader::of_prose(),
        });
        let start = reader.end_at();
        reader.push(&text, &*self.editor)?;
        if reader.len() > self.max {
            return Err(Stop::Untold);
        }
        Ok(Piece {
            at: piece.place,
            place: start..reader.end_at(),
            track,
        })
    }

    /// Where something is said, other things that were said there have come to their end, such as the thoughts
    /// before an answer.
    fn pause(&mut self, pieces: &[Piece]) -> Result<(), Stop> {
        for (track, reader) in &mut self.tracks {
            let is_silent = pieces.iter().all(|piece| piece.track != *track);
            if is_silent && pieces.iter().any(|piece| piece.track.is_beside(track)) {
                reader.pause(&*self.editor)?;
            }
        }
        Ok(())
    }

    /// Whether all is decided about these pieces.
    fn are_free(&self, pieces: &[Piece]) -> bool {
        pieces.iter().all(|piece| {
            let reader = self.tracks.get(&piece.track);
            reader.is_none_or(|reader| piece.place.end <= reader.free())
        })
    }

    /// The event with what is written in the place of its texts.
    fn write(&mut self, held: Held) -> Result<sse::Event, Stop> {
        let Held { event, found } = held;
        let Found { pieces, mut edited } = found;
        let data = event.data().unwrap_or_default();
        for piece in pieces {
            let reader = self.tracks.get_mut(&piece.track);
            let Some(reader) = reader.filter(|reader| reader.edits_in(&piece.place)) else {
                continue;
            };
            let found = text::of_event(self.dialect, &data).map_err(|_| Stop::Untold)?;
            let text = found.into_iter().find(|text| text.place == piece.at);
            let text = text.ok_or(Stop::Untold)?.text;
            edited.push((piece.at, reader.take(&text, &piece.place)));
            self.has_edited = true;
        }
        if edited.is_empty() {
            return Ok(event);
        }
        let data = text::replace_said(self.dialect, &data, edited).map_err(|_| Stop::Untold)?;
        Ok(event.with_data(&data))
    }
}

// === impl Hold ===

impl Hold {
    /// No more than `max` bytes of events are held back.
    pub(crate) fn new(editor: Arc<dyn Editor>, dialect: Dialect, max: usize) -> Self {
        Self {
            tails: Tails::new(editor, dialect, max),
            queue: VecDeque::new(),
            held: 0,
            most: 0,
        }
    }

    /// Takes an event.
    pub(super) fn push(&mut self, event: sse::Event) -> Result<(), Stop> {
        let data = event.data().unwrap_or_default();
        let found = self.tails.read(&data)?;
        self.tails.has_edited |= !found.edited.is_empty();
        self.held += event.raw.len();
        self.queue.push_back(Held { event, found });
        Ok(())
    }

    /// Lets go of the next event, if all is decided about it.
    pub(super) fn pop(&mut self) -> Result<Option<sse::Event>, Stop> {
        let next = self.queue.front();
        if next.is_some_and(|held| self.tails.are_free(&held.found.pieces)) {
            let Some(held) = self.queue.pop_front() else {
                return Ok(None);
            };
            self.held -= held.event.raw.len();
            return self.tails.write(held).map(Some);
        }
        self.most = self.most.max(self.held);
        match self.held > self.tails.max {
            true => Err(Stop::Untold),
            false => Ok(None),
        }
    }

    /// The stream has ended, and all that is held back may go on.
    pub(super) fn end(&mut self) -> Result<(), Stop> {
        self.tails.end()
    }

    /// Whether anything has been edited.
    pub(super) fn has_edited(&self) -> bool {
        self.tails.has_edited()
    }

    /// Nothing that is held back goes on.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.held = 0;
    }
}

#[cfg(test)]
mod tests;
