//! Streams of answers.

use std::collections::HashMap;

use aisix_wire::ErrorBody;
use aisix_wire::chat::{
    BlockKind, CallerCodec, Delta, Event, EventReader, EventWriter, StreamError, UpstreamCodec,
    upstream_codec,
};
use aisix_wire::{Dialect, Envelope};
use bytes::BytesMut;

use crate::sse::{NO_LIMIT, events, pieces};
use crate::{Dice, context};

/// What became of a stream: its events, and how it ended.
type Read = (Vec<Event>, Result<(), StreamError>);

/// A reader makes the same of a stream however it is cut.
pub(crate) fn any_split(upstream: &dyn UpstreamCodec, dice: &mut Dice, data: &[u8]) {
    let whole = read(upstream, &[data]);
    assert_eq!(read(upstream, &pieces(data, dice)), whole);
    in_order(&whole);
}

/// A stream is read as one dialect and written as another, whose own reader reads the same text.
pub(crate) fn translate(
    upstream: &dyn UpstreamCodec,
    (to, caller): (Dialect, &dyn CallerCodec),
    dice: &mut Dice,
    data: &[u8],
) {
    let (events, end) = read(upstream, &[data]);
    let mut writer = caller.writer(&context(dice));
    let (out, again) = written(&mut *writer, (to, &events), end.is_err());
    let Some((again, again_end)) = again else {
        return;
    };
    let what = || format!("{to:?}\n{}", String::from_utf8_lossy(&out));
    match end {
        Ok(()) => {
            assert_eq!(
                again_end,
                Ok(()),
                "a good stream became a bad one: {}",
                what()
            );
            if events.iter().all(is_plain) {
                assert_eq!(text(&again), text(&events), "{}", what());
            }
        }
        Err(_) => assert!(again_end.is_err(), "a broken stream ends well: {}", what()),
    }
}

/// Writes events, checks what comes out, and reads it again if the dialect can.
pub(crate) fn written(
    writer: &mut dyn EventWriter,
    (to, list): (Dialect, &[Event]),
    fails: bool,
) -> (BytesMut, Option<Read>) {
    let mut out = BytesMut::new();
    for event in list {
        writer.write(event, &mut out);
    }
    if fails {
        let error = ErrorBody {
            status: 502,
            message: "it \"broke\"",
            kind: "api_error",
            code: None,
            param: None,
        };
        writer.fail(&error, &mut out);
    }
    for event in events(NO_LIMIT, &[&out]).expect("a stream of a few events") {
        let data = event.data().expect("only events with data are written");
        let done = to == Dialect::OpenAi && data == "[DONE]";
        assert!(
            done || Envelope::scan(&data, &[]).is_ok(),
            "{}",
            String::from_utf8_lossy(&data)
        );
    }
    let after = out.len();
    writer.write(&Event::BlockEnd { choice: 0 }, &mut out);
    writer.write(&Event::End, &mut out);
    if fails || list.last() == Some(&Event::End) {
        assert_eq!(out.len(), after, "something was written after the end");
    }
    let again = upstream_codec(to).map(|codec| read(codec, &[&out]));
    if let Some(again) = &again {
        in_order(again);
    }
    (out, again)
}

fn read(upstream: &dyn UpstreamCodec, pieces: &[&[u8]]) -> Read {
    let mut out = Vec::new();
    let mut reader = upstream.reader();
    let mut read = || {
        for event in events(NO_LIMIT, pieces).expect("within the limit") {
            if let Some(data) = event.data() {
                reader.read(event.name(), &data, &mut out)?;
            }
        }
        EventReader::end(&mut *reader, &mut out)
    };
    let end = read();
    (out, end)
}

/// Checks the order that [`Event`] promises.
fn in_order((events, end): &Read) {
    let mut open: HashMap<u32, bool> = HashMap::new();
    let mut blocks: HashMap<u32, u32> = HashMap::new();
    let mut finished: Vec<u32> = Vec::new();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(at == 0, matches!(event, Event::Start(_)), "{events:?}");
        match event {
            Event::BlockStart { choice, index, .. } => {
                assert!(!finished.contains(choice));
                assert_ne!(open.insert(*choice, true), Some(true));
                let next = blocks.entry(*choice).or_default();
                assert_eq!(index, next);
                *next += 1;
            }
            Event::Delta { choice, delta } => {
                assert_eq!(open.get(choice), Some(&true));
                assert!(!matches!(
                    delta,
                    Delta::Text(text) | Delta::Thinking(text) | Delta::Arguments(text) | Delta::Refusal(text)
                        if text.is_empty()
                ));
            }
            Event::BlockEnd { choice } => assert_eq!(open.insert(*choice, false), Some(true)),
            Event::Finish { choice, .. } => {
                assert_ne!(open.get(choice), Some(&true));
                assert!(!finished.contains(choice));
                finished.push(*choice);
            }
            Event::End => {
                assert_eq!(at + 1, events.len());
                assert!(blocks.keys().all(|choice| finished.contains(choice)));
            }
            _ => {}
        }
    }
    assert_eq!(
        end.is_ok(),
        events.last() == Some(&Event::End),
        "{events:?}"
    );
}

/// Whether every dialect has a place for an event.
fn is_plain(event: &Event) -> bool {
    !matches!(
        event,
        Event::Opaque(_)
            | Event::BlockStart {
                kind: BlockKind::Refusal | BlockKind::Whole(_),
                ..
            }
            | Event::Delta {
                delta: Delta::Refusal(_),
                ..
            }
    )
}

/// The text of the first choice.
fn text(events: &[Event]) -> String {
    let pieces = events.iter().filter_map(|event| match event {
        Event::Delta {
            choice: 0,
            delta: Delta::Text(text),
        } => Some(text.as_str()),
        _ => None,
    });
    pieces.collect()
}
