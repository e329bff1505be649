//! What is held back of a stream, and the texts in it.

use std::collections::{HashMap, VecDeque};

use aisix_core::wire::{Dialect, Span, sse};
use bytes::Bytes;

use super::{
    cut::last,
    driver::{Changes, Said},
};
use crate::text::{self, Speaker, Track};

/// How many texts a stream may have.
const MAX_TRACKS: usize = 1_024;
/// How many bytes of events may be held back for each byte of text that may. A piece of a text is a few bytes,
/// and what an event says around it some hundred.
const EVENTS_FOR_TEXT: usize = 16;

/// What is held back of a stream.
pub(super) struct Hold {
    dialect: Dialect,
    /// How much may be held back, in bytes of texts.
    max: usize,
    /// How much is, in bytes of texts.
    texts: usize,
    /// How much is, in bytes of events.
    events: usize,
    queue: VecDeque<Held>,
    known: HashMap<Track, usize>,
    tracks: Vec<Spoken>,
}

/// An event that is held back, and its pieces of texts.
struct Held {
    event: sse::Event,
    pieces: Vec<Piece>,
}

/// A piece of a text: of which one, where it stands in the event's data, and how long it is.
struct Piece {
    track: usize,
    place: Span,
    len: usize,
}

/// What is kept of a text.
#[derive(Default)]
struct Spoken {
    text: String,
    /// Up to where it has been judged, in bytes.
    judged: usize,
    /// How many characters have not been judged.
    fresh: usize,
    is_arguments: bool,
}

/// What changes in events, by their index.
type Edits = HashMap<usize, Vec<(Span, String)>>;

/// It cannot be read, or has changed where it has passed already.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Untold;

// === impl Hold ===

impl Hold {
    pub(super) fn new(dialect: Dialect, max: usize) -> Self {
        Self {
            dialect,
            max,
            texts: 0,
            events: 0,
            queue: VecDeque::new(),
            known: HashMap::new(),
            tracks: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Takes an event; gives it back if it may pass.
    pub(super) fn push(&mut self, event: sse::Event) -> Result<Option<sse::Event>, Untold> {
        let pieces = self.read(&event)?;
        if pieces.is_empty() && (self.queue.is_empty() || event.is_comment()) {
            return Ok(Some(event));
        }
        self.events += event.raw.len();
        self.queue.push_back(Held { event, pieces });
        Ok(None)
    }

    /// Looks at the texts of an event that passes.
    pub(super) fn look(&mut self, event: &sse::Event) -> Result<(), Untold> {
        self.read(event).map(drop)
    }

    /// Whether more is held back than may be.
    pub(super) fn is_over(&self) -> bool {
        self.texts > self.max || self.events > self.max.saturating_mul(EVENTS_FOR_TEXT)
    }

    fn read(&mut self, event: &sse::Event) -> Result<Vec<Piece>, Untold> {
        let data = event.data().unwrap_or_default();
        let texts = text::of_event(self.dialect, &data).map_err(|_| Untold)?;
        let mut pieces = Vec::with_capacity(texts.len());
        for text in texts {
            if text.text.is_empty() {
                continue;
            }
            let track = self.track(text.track, text.is_piece)?;
            self.texts += text.text.len();
            self.tracks[track].is_arguments |= text.is_arguments;
            self.tracks[track].push(&text.text);
            let (place, len) = (text.place, text.text.len());
            pieces.push(Piece { track, place, len });
        }
        Ok(pieces)
    }

    fn track(&mut self, track: Track, is_piece: bool) -> Result<usize, Untold> {
        if let Some(known) = self.known.get(&track).filter(|_| is_piece) {
            return Ok(*known);
        }
        if self.tracks.len() == MAX_TRACKS {
            return Err(Untold);
        }
        self.tracks.push(Spoken::default());
        let index = self.tracks.len() - 1;
        if is_piece {
            self.known.insert(track, index);
        }
        Ok(index)
    }

    /// Whether a text has grown by so many characters that nobody has judged.
    pub(super) fn has_grown_by(&self, characters: usize) -> bool {
        self.tracks.iter().any(|track| track.fresh >= characters)
    }

    /// What is to be judged: a text for each track, empty where nothing is new. What was judged before is
    /// repeated as far as the overlap.
    pub(super) fn asked(&self, overlap: usize) -> Vec<Said> {
        let asked = self.tracks.iter().map(|track| Said {
            text: track.asked(overlap),
            speaker: Speaker::Assistant,
            is_arguments: track.is_arguments,
        });
        asked.collect()
    }

    /// Everything that was held back may go on, with these changes of whole texts. What is needed for the
    /// next overlap is kept.
    pub(super) fn release(
        &mut self,
        changes: &Changes,
        overlap: usize,
    ) -> Result<VecDeque<sse::Event>, Untold> {
        let mut edits = self.edits(changes)?;
        let queue = std::mem::take(&mut self.queue).into_iter().enumerate();
        let released = queue.map(|(index, held)| match edits.remove(&index) {
            Some(edits) => rewritten(&held.event, edits),
            None => Ok(held.event),
        });
        let released = released.collect();
        self.tracks
            .iter_mut()
            .for_each(|track| track.forget(overlap));
        self.texts = self.tracks.iter().map(|track| track.text.len()).sum();
        self.events = 0;
        released
    }

    /// What changes in each event.
    fn edits(&self, changes: &Changes) -> Result<Edits, Untold> {
        let mut edits = Edits::new();
        let mut places: HashMap<usize, Vec<(usize, &Piece)>> = HashMap::new();
        for (index, held) in self
            .queue
            .iter()
            .enumerate()
            .filter(|_| !changes.is_empty())
        {
            for piece in &held.pieces {
                places.entry(piece.track).or_default().push((index, piece));
            }
        }
        for (track, changed) in changes {
            let spoken = self.tracks.get(*track).ok_or(Untold)?;
            let mut rest = spoken.text.as_str();
            let places = places.remove(track).unwrap_or_default();
            let mut pieces = Vec::with_capacity(places.len());
            for (_, piece) in &places {
                let (text, after) = rest.split_at_checked(piece.len).ok_or(Untold)?;
                pieces.push(text);
                rest = after;
            }
            // Something of the text has passed already.
            if !rest.is_empty() || spoken.judged > 0 {
                return Err(Untold);
            }
            for ((index, piece), new) in places.iter().zip(text::spread(&pieces, changed)) {
                let edit = new.map(|new| (piece.place.clone(), new));
                edits.entry(*index).or_default().extend(edit);
            }
        }
        Ok(edits)
    }
}

// === impl Spoken ===

impl Spoken {
    fn push(&mut self, piece: &str) {
        self.text.push_str(piece);
        self.fresh += piece.chars().count();
    }

    fn asked(&self, overlap: usize) -> String {
        if self.fresh == 0 {
            return String::new();
        }
        let (before, fresh) = self.text.split_at(self.judged);
        [last(before, overlap), fresh].concat()
    }

    fn forget(&mut self, overlap: usize) {
        let kept = last(&self.text, overlap).len();
        self.text.drain(..self.text.len() - kept);
        self.judged = self.text.len();
        self.fresh = 0;
    }
}

/// The event with other texts.
fn rewritten(event: &sse::Event, texts: Vec<(Span, String)>) -> Result<sse::Event, Untold> {
    let data = event.data().unwrap_or_default();
    let data = text::replace(&data, texts).map_err(|_| Untold)?;
    Ok(event.with_data(&data))
}

/// The event that these bytes are.
pub(super) fn read_event(bytes: Bytes) -> Option<sse::Event> {
    let mut decoder = sse::Decoder::new(usize::MAX);
    decoder.push(bytes);
    decoder.next().ok().flatten()
}
