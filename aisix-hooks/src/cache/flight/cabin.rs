//! What has come of a call that several share.

use std::collections::VecDeque;

use aisix_core::{
    Error,
    reply::{Meter, Reply},
};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// What has come of a call that several share.
#[derive(Default)]
pub(super) struct Cabin {
    pub(super) head: Option<Result<Head, Error>>,
    /// The reply itself, with its callbacks, until the first caller takes it.
    pub(super) reply: Option<Reply>,
    /// Whether the first caller has left.
    pub(super) first_left: bool,
    pieces: VecDeque<Bytes>,
    /// How many pieces have been let go of.
    gone: usize,
    /// The bytes in `pieces`.
    held: usize,
    end: Option<End>,
}

/// The head of an answer.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) meter: Meter,
    /// The body, when the answer is no stream.
    pub(super) whole: Option<Bytes>,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Complete,
    Broken,
}

/// What comes next in a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Piece(Bytes),
    End(End),
    /// The next piece has been let go of.
    Missed,
}

// === impl Cabin ===

impl Cabin {
    /// Takes a piece. Lets go of the first ones if more than `max_held` bytes would be held; tells whether it did.
    pub(super) fn push(&mut self, piece: Bytes, max_held: usize) -> bool {
        self.held += piece.len();
        self.pieces.push_back(piece);
        // The last piece stays, so that whoever keeps up misses nothing.
        while self.held > max_held && self.pieces.len() > 1 {
            let first = self.pieces.pop_front().unwrap_or_default();
            self.held -= first.len();
            self.gone += 1;
        }
        self.gone > 0
    }

    pub(super) fn end(&mut self, end: End) {
        self.end = Some(end);
    }

    /// What comes after `seen` pieces; `None` when it has not come yet.
    pub(super) fn next(&self, seen: usize) -> Option<Next> {
        if seen < self.gone {
            return Some(Next::Missed);
        }
        match self.pieces.get(seen - self.gone) {
            Some(piece) => Some(Next::Piece(piece.clone())),
            None => self.end.map(Next::End),
        }
    }

    /// The whole stream, if it is all here.
    pub(super) fn stream(&self) -> Option<Vec<Bytes>> {
        let is_whole = self.end == Some(End::Complete) && self.gone == 0;
        is_whole.then(|| self.pieces.iter().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_too_slow_misses_pieces_and_whoever_keeps_up_does_not() {
        let mut cabin = Cabin::default();
        let piece = |text: &'static str| Bytes::from_static(text.as_bytes());
        for (text, lets_go) in [("abc", false), ("def", false), ("ghij", true)] {
            assert_eq!(cabin.push(piece(text), 8), lets_go);
        }
        assert_eq!(cabin.next(0), Some(Next::Missed));
        assert_eq!(cabin.next(1), Some(Next::Piece(piece("def"))));
        assert_eq!(cabin.next(3), None);
        assert!(cabin.push(piece("longer than all"), 8));
        assert_eq!(cabin.next(3), Some(Next::Piece(piece("longer than all"))));
        cabin.end(End::Complete);
        assert_eq!(cabin.next(4), Some(Next::End(End::Complete)));
        assert_eq!(cabin.stream(), None);
    }
}
