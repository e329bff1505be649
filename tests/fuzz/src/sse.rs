//! Server-sent events.

use aisix_wire::sse::{Decoder, Event, encode};
use bytes::Bytes;

use crate::Dice;

/// No stream is longer than that here.
pub(crate) const NO_LIMIT: usize = 1 << 20;

/// Any split gives the same events, which are all of the bytes, and an event that is written is read as it was.
pub fn sse(data: &[u8]) {
    let mut dice = Dice::of(data);
    let whole = events(NO_LIMIT, &[data]).expect("within the limit");
    let read = |event: &Event| (event.name().map(<[u8]>::to_vec), event.data());
    let known: Vec<_> = whole
        .iter()
        .map(read)
        .filter(|(_, data)| data.is_some())
        .collect();
    for _ in 0..3 {
        let split = events(NO_LIMIT, &pieces(data, &mut dice)).expect("within the limit");
        let split: Vec<_> = split
            .iter()
            .map(read)
            .filter(|(_, data)| data.is_some())
            .collect();
        assert_eq!(split, known);
    }
    let bytes: Vec<u8> = whole.iter().flat_map(|event| event.raw.to_vec()).collect();
    assert_eq!(bytes, data);

    for event in &whole {
        let Some(data) = event.data() else { continue };
        let name = event.name().and_then(|name| std::str::from_utf8(name).ok());
        let name = name.filter(|name| !name.is_empty());
        let written = encode(name, &data);
        let again = events(NO_LIMIT, &[&written]).expect("within the limit");
        let [again] = &again[..] else {
            panic!("one event became {}", again.len())
        };
        assert_eq!(
            (again.name(), again.data()),
            (name.map(str::as_bytes), Some(data))
        );
    }

    // A limit holds back no more than itself and a piece.
    let limit = 1 + dice.roll(64);
    let _ = events(limit, &pieces(data, &mut dice));
}

/// A stream in pieces, most of them small.
pub(crate) fn pieces<'a>(data: &'a [u8], dice: &mut Dice) -> Vec<&'a [u8]> {
    let most = dice.choose(&[1, 3, 17, 300, 20_000]);
    let mut rest = data;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(1 + dice.roll(most)));
        pieces.push(piece);
        rest = after;
    }
    pieces
}

/// The events of a stream; `None` when one is too long.
pub(crate) fn events(limit: usize, pieces: &[&[u8]]) -> Option<Vec<Event>> {
    let mut decoder = Decoder::new(limit);
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(Bytes::copy_from_slice(piece));
        loop {
            match decoder.next() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(_) => return None,
            }
            assert!(decoder.pending() <= limit.max(piece.len()) + piece.len());
        }
    }
    events.extend(decoder.finish());
    assert_eq!(decoder.pending(), 0);
    Some(events)
}
