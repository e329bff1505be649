use bytes::Bytes;
use proptest::prelude::*;

use super::*;

/// Decodes a stream that comes in these chunks, to its very end.
fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Event> {
    let mut decoder = Decoder::new(1 << 20);
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = decoder.next().unwrap() {
            events.push(event);
        }
    }
    events.extend(decoder.finish());
    assert_eq!(decoder.pending(), 0);
    events
}

fn raws(events: &[Event]) -> Vec<u8> {
    events.iter().flat_map(|event| event.raw.to_vec()).collect()
}

/// What events say, those that only matter for relaying left out.
fn said(events: &[Event]) -> Vec<(Option<Vec<u8>>, Option<Bytes>)> {
    let said = events
        .iter()
        .map(|event| (event.name().map(<[u8]>::to_vec), event.data()));
    said.filter(|event| *event != (None, None)).collect()
}

fn data(stream: &str) -> Vec<String> {
    let events = decode([stream.as_bytes()]);
    assert_eq!(raws(&events), stream.as_bytes());
    let data = events.iter().filter_map(Event::data);
    data.map(|data| String::from_utf8(data.to_vec()).unwrap())
        .collect()
}

proptest! {
    #[test]
    fn any_cut_of_a_stream_gives_the_same_events_and_the_same_bytes(
        pieces in prop::collection::vec(
            prop::sample::select(&[
                "data", "data:", "data: ", "event:", "event: error", ":", "id: 1", "retry", "{\"a\":1}", "é漢", " ", "x",
                "\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "\u{feff}",
            ][..]),
            0..40,
        ),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let stream = pieces.concat().into_bytes();
        let whole = decode([&stream[..]]);
        prop_assert_eq!(&raws(&whole), &stream);

        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let cut = decode(cuts.windows(2).map(|ends| &stream[ends[0]..ends[1]]));
        prop_assert_eq!(&raws(&cut), &stream);
        prop_assert_eq!(said(&cut), said(&whole));

        let bytewise = decode(stream.chunks(1));
        prop_assert_eq!(&raws(&bytewise), &stream);
        prop_assert_eq!(said(&bytewise), said(&whole));

        // Chunks that pile up before anybody asks.
        let mut decoder = Decoder::new(1 << 20);
        stream.chunks(3).for_each(|chunk| decoder.push(Bytes::copy_from_slice(chunk)));
        prop_assert_eq!(decoder.pending(), stream.len());
        let mut piled: Vec<Event> = std::iter::from_fn(|| decoder.next().unwrap()).collect();
        piled.extend(decoder.finish());
        prop_assert_eq!(&raws(&piled), &stream);
        prop_assert_eq!(said(&piled), said(&whole));
    }

    #[test]
    fn what_is_encoded_is_decoded(name in prop::option::of("[a-z]{1,8}"), data in "[a-z:é \n]{0,40}") {
        let bytes = encode(name.as_deref(), data.as_bytes());
        let events = decode([&bytes[..]]);
        prop_assert_eq!(events.len(), 1);
        prop_assert_eq!(events[0].name(), name.as_deref().map(str::as_bytes));
        prop_assert_eq!(events[0].data().unwrap(), data.as_bytes());
    }
}

#[test]
fn all_line_ends_and_spacings_are_read_alike() {
    assert_eq!(data("data: a\n\ndata:b\n\ndata:  c\n\n"), ["a", "b", " c"]);
    assert_eq!(data("data: a\r\n\r\ndata: b\r\n\r\n"), ["a", "b"]);
    assert_eq!(data("data: a\r\rdata: b\r\r"), ["a", "b"]);
    assert_eq!(data("data: a\r\n\ndata: b\n\r\n"), ["a", "b"]);
}

#[test]
fn lines_of_data_are_joined_and_data_without_a_colon_is_empty() {
    assert_eq!(data("data: a\ndata: b\r\ndata\n\n"), ["a\nb\n"]);
    assert_eq!(data("data\n\n"), [""]);
    assert_eq!(data("database: no\nid: 1\nretry: 2\n\n"), [""; 0]);
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_start_only() {
    assert_eq!(data("\u{feff}data: a\n\n\u{feff}data: b\n\n"), ["a"]);
}

#[test]
fn comments_and_blank_lines_carry_no_data() {
    let events = decode([&b": keep-alive\n\n\n\ndata: a\n\n:\ndata: b\n\n"[..]]);
    let told: Vec<_> = events
        .iter()
        .map(|event| (event.is_comment(), event.data()))
        .collect();
    let some = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    assert_eq!(
        told,
        [
            (true, None),
            (false, None),
            (false, None),
            (false, some("a")),
            (false, some("b"))
        ],
    );
}

#[test]
fn the_name_is_the_last_one_given() {
    let events = decode([&b"event: a\nevent: error\ndata: x\n\nevent:\ndata: y\n\n"[..]]);
    assert_eq!(events[0].name(), Some(&b"error"[..]));
    assert_eq!(events[1].name(), None);
}

#[test]
fn an_event_in_one_chunk_is_not_copied() {
    let chunk = Bytes::from(b"data: first\n\ndata: second\n\ndata: th".to_vec());
    let within = |part: &Bytes| chunk.as_ptr_range().contains(&part.as_ptr());
    let mut decoder = Decoder::new(100);
    decoder.push(chunk.clone());
    for text in ["first", "second"] {
        let event = decoder.next().unwrap().unwrap();
        assert!(within(&event.raw));
        assert!(within(&event.data().unwrap()));
        assert_eq!(event.data().unwrap(), text);
    }
    assert!(decoder.next().unwrap().is_none());
    assert_eq!(decoder.pending(), 8);
    decoder.push(Bytes::from_static(b"ird\n\n"));
    assert_eq!(decoder.next().unwrap().unwrap().data().unwrap(), "third");
}

#[test]
fn an_event_is_returned_as_soon_as_it_has_ended() {
    let mut decoder = Decoder::new(100);
    decoder.push(Bytes::from_static(b"data: a\r\n\r"));
    assert_eq!(decoder.next().unwrap().unwrap().data().unwrap(), "a");
    decoder.push(Bytes::from_static(b"\ndata: b\r\n\r\n"));
    let event = decoder.next().unwrap().unwrap();
    assert_eq!(event.raw, "\ndata: b\r\n\r\n");
    assert_eq!(event.data().unwrap(), "b");
    assert!(decoder.next().unwrap().is_none());
    assert!(decoder.finish().is_none());
}

#[test]
fn an_event_without_its_blank_line_is_left_to_finish() {
    let mut decoder = Decoder::new(100);
    decoder.push(Bytes::from_static(b"data: a\n"));
    assert!(decoder.next().unwrap().is_none());
    assert_eq!(decoder.finish().unwrap().data().unwrap(), "a");
    assert!(decoder.finish().is_none());
}

#[test]
fn an_event_past_the_limit_ends_the_stream() {
    for chunk in [1, 7, 100] {
        let mut decoder = Decoder::new(20);
        let stream = [&b"data: short\n\n"[..], &[b'x'; 50], b"\n\ndata: more\n\n"].concat();
        stream
            .chunks(chunk)
            .for_each(|chunk| decoder.push(Bytes::copy_from_slice(chunk)));
        assert_eq!(decoder.next().unwrap().unwrap().data().unwrap(), "short");
        assert_eq!(decoder.next().unwrap_err(), TooLong { limit: 20 });
        assert_eq!(decoder.next().unwrap_err(), TooLong { limit: 20 });
    }
}

#[test]
fn names_cannot_smuggle_fields() {
    assert_eq!(
        encode(Some("a\ndata: b\r"), b"c"),
        "event: adata: b\ndata: c\n\n"
    );
}

#[test]
fn the_fixed_events_decode_as_what_they_are() {
    let events = decode([HEARTBEAT, DONE]);
    assert!(events[0].is_comment());
    assert_eq!(events[1].data().unwrap(), "[DONE]");
}

#[test]
fn other_data_leaves_every_other_byte_of_an_event() {
    for (raw, expected) in [
        (
            "id: 7\ndata:a\nevent: e\r\n\n",
            "id: 7\ndata:bcd\nevent: e\r\n\n",
        ),
        (
            "event: e\ndata: abc\n: c\n\n",
            "event: e\ndata: bcd\n: c\n\n",
        ),
        ("event: e\ndata: a\ndata: b\n\n", "event: e\ndata: bcd\n\n"),
    ] {
        let event = decode([raw.as_bytes()]).remove(0).with_data(b"bcd");
        assert_eq!(event.raw, expected);
        assert_eq!(event.name(), Some(&b"e"[..]));
        assert_eq!(event.data().unwrap(), "bcd");
    }
    let event = decode([&b"data: a\n\n"[..]]).remove(0).with_data(b"b\nc");
    assert_eq!(event.raw, "data: b\ndata: c\n\n");
}
