//! Cutting a stream into events.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Bytes, BytesMut};

use super::event::Event;

/// Cuts a byte stream, in chunks of any size, into events.
///
/// Push a chunk, then take events until there are none. Lines end in LF, CR LF or CR; a blank line ends
/// an event, and blank lines alone are events without data. Nothing waits for a byte that may never come:
/// when a chunk ends in CR, an LF that follows is counted to the next event. Every byte is looked at once,
/// however small the chunks; an event that lies in one chunk is not copied.
#[derive(Debug)]
pub struct Decoder {
    max_event: usize,
    /// Chunks not looked at yet.
    queue: VecDeque<Bytes>,
    /// The chunk being looked at, from the start of an event or of the chunk.
    chunk: Bytes,
    /// How much of `chunk` has been looked at.
    seen: usize,
    /// The event's bytes in earlier chunks.
    held: BytesMut,
    line: Line,
    /// Whether no event has been returned yet.
    start: bool,
    failed: bool,
}

/// Where in a line the decoder is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Line {
    /// At its start.
    Start,
    /// At its start, after a CR: an LF still belongs to the line before.
    AfterCr,
    /// Past its first byte.
    Inside,
}

/// An event is longer than the decoder accepts; the stream cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// How many bytes an event may have.
    pub limit: usize,
}

// === impl Decoder ===

impl Decoder {
    /// Makes a decoder that accepts events of up to `max_event` bytes.
    pub fn new(max_event: usize) -> Self {
        Self {
            max_event,
            queue: VecDeque::new(),
            chunk: Bytes::new(),
            seen: 0,
            held: BytesMut::new(),
            line: Line::Start,
            start: true,
            failed: false,
        }
    }

    /// Adds a chunk of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        if chunk.is_empty() {
            return;
        }
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            self.queue.push_back(chunk);
        }
    }

    /// Returns the next event that has ended; `None` asks for more bytes.
    ///
    /// # Errors
    /// [`TooLong`], from then on, when an event does not end within the limit.
    #[expect(
        clippy::should_implement_trait,
        reason = "it does not end: more may be pushed"
    )]
    pub fn next(&mut self) -> Result<Option<Event>, TooLong> {
        loop {
            let end = self.event_end();
            let len = self.held.len() + end.unwrap_or(self.chunk.len());
            if self.failed || len > self.max_event {
                self.failed = true;
                return Err(TooLong {
                    limit: self.max_event,
                });
            }
            if let Some(end) = end {
                return Ok(Some(self.take(end)));
            }
            let rest = std::mem::take(&mut self.chunk);
            self.seen = 0;
            self.held.extend_from_slice(&rest);
            match self.queue.pop_front() {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(None),
            }
        }
    }

    /// Returns what is left of a stream that stopped inside of an event.
    ///
    /// Call it when [`next`](Self::next) has no more events and the stream has ended.
    pub fn finish(&mut self) -> Option<Event> {
        while let Some(chunk) = self.queue.pop_front() {
            let before = std::mem::replace(&mut self.chunk, chunk);
            self.held.extend_from_slice(&before);
        }
        let len = self.chunk.len();
        (self.pending() > 0).then(|| self.take(len))
    }

    /// How many bytes have been pushed and not been returned.
    pub fn pending(&self) -> usize {
        self.held.len() + self.chunk.len() + self.queue.iter().map(Bytes::len).sum::<usize>()
    }

    /// Goes on to the end of the event; returns the offset in `chunk` after it.
    fn event_end(&mut self) -> Option<usize> {
        while let Some(&byte) = self.chunk.get(self.seen) {
            match (byte, self.line) {
                (b'\n', Line::AfterCr) => {
                    self.seen += 1;
                    self.line = Line::Start;
                }
                (b'\n' | b'\r', line) => {
                    self.seen += 1;
                    let blank = line != Line::Inside;
                    self.line = if byte == b'\r' {
                        Line::AfterCr
                    } else {
                        Line::Start
                    };
                    if blank {
                        if byte == b'\r' && self.chunk.get(self.seen) == Some(&b'\n') {
                            self.seen += 1;
                            self.line = Line::Start;
                        }
                        return Some(self.seen);
                    }
                }
                _ => {
                    self.line = Line::Inside;
                    let rest = &self.chunk[self.seen..];
                    self.seen += memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                }
            }
        }
        None
    }

    /// Takes the event that ends at this offset of `chunk`.
    fn take(&mut self, end: usize) -> Event {
        let rest = self.chunk.split_to(end);
        self.seen = 0;
        let raw = if self.held.is_empty() {
            rest
        } else {
            self.held.extend_from_slice(&rest);
            self.held.split().freeze()
        };
        if self.chunk.is_empty() {
            self.chunk = self.queue.pop_front().unwrap_or_default();
        }
        Event::read(raw, std::mem::replace(&mut self.start, false))
    }
}

// === impl TooLong ===

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "an event of the stream is longer than {} bytes",
            self.limit
        )
    }
}

impl std::error::Error for TooLong {}
