//! Events in any order, which no reader yields but a writer has to bear.

use aisix_wire::chat::{
    Block, BlockKind, CallerCodec, Content, Delta, Event, Finish, FinishReason, Opaque, Raw, Start,
    StreamError, ToolCall,
};
use aisix_wire::{Dialect, Usage};

use crate::stream::written;
use crate::{Dice, context};

/// How many events a stream may have here.
const MOST: usize = 48;

/// A writer makes a valid stream of any events.
pub(crate) fn any_order((to, caller): (Dialect, &dyn CallerCodec), dice: &mut Dice, data: &[u8]) {
    let mut list: Vec<Event> = data.chunks(3).take(MOST).map(event).collect();
    let fails = dice.roll(2) == 0;
    list.retain(|event| *event != Event::End);
    if !fails {
        list.push(Event::End);
    }
    let mut writer = caller.writer(&context(dice));
    let (out, again) = written(&mut *writer, (to, &list), fails);
    let Some((_, end)) = again else { return };
    let said = || format!("{to:?} {end:?} {list:?}\n{}", String::from_utf8_lossy(&out));
    if fails {
        assert!(end.is_err(), "{}", said());
    } else {
        // Arguments that are whole before they end are refused by readers.
        let call = |event: &Event| {
            matches!(
                event,
                Event::Delta {
                    delta: Delta::Arguments(_),
                    ..
                }
            )
        };
        let refused = end == Err(StreamError::Malformed) && list.iter().any(call);
        assert!(end.is_ok() || refused, "{}", said());
    }
}

/// The event that three bytes stand for.
fn event(bytes: &[u8]) -> Event {
    let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
    let choice = u32::from(at(1) % 3);
    let text = || char::from(at(2)).to_string();
    let delta = |delta| Event::Delta { choice, delta };
    let opaque = || Opaque {
        dialect: [Dialect::OpenAi, Dialect::Anthropic, Dialect::Gemini][usize::from(at(2) % 3)],
        raw: Raw::parse(r#"{"type":"odd","text":"x"}"#).expect("it is JSON"),
    };
    let call = || ToolCall {
        id: format!("c{}", at(2) % 4),
        name: "f".to_owned(),
        arguments: if at(2) > 99 {
            "{\"a\":".to_owned()
        } else {
            String::new()
        },
    };
    let whole = || match at(2) % 6 {
        0 => Content::RedactedThinking("r".to_owned()),
        1 => Content::ToolCall(call()),
        2 => Content::Thinking("t".to_owned()),
        3 => Content::Refusal("no".to_owned()),
        4 => Content::Opaque(opaque()),
        _ => Content::Text {
            text: "whole".to_owned(),
            citations: None,
        },
    };
    match at(0) % 20 {
        0 => Event::Start(Start {
            dialect: Dialect::OpenAi,
            id: Some(text()),
            model: None,
            created: None,
        }),
        1 => start(choice, at(2), BlockKind::Text),
        2 => start(choice, at(2), BlockKind::Thinking),
        3 => {
            let ToolCall { id, name, .. } = call();
            start(choice, at(2), BlockKind::ToolCall { id, name })
        }
        4 => start(choice, at(2), BlockKind::Refusal),
        5 => start(
            choice,
            at(2),
            BlockKind::Whole(Box::new(Block::new(whole()))),
        ),
        6 | 7 => delta(Delta::Text(text())),
        8 => delta(Delta::Thinking(text())),
        9 | 10 => delta(Delta::Arguments(text())),
        11 => delta(Delta::Refusal(text())),
        12 => delta(Delta::Signature(text())),
        13 => delta(Delta::Citations(opaque())),
        14 => delta(Delta::Logprobs(opaque())),
        15 | 16 => Event::BlockEnd { choice },
        17 => Event::Finish {
            choice,
            finish: Finish::new(FinishReason::Stop, Some(text())),
        },
        18 => Event::Usage(Usage {
            input: u64::from(at(1)),
            output: u64::from(at(2)),
            ..Usage::default()
        }),
        _ => Event::Opaque(opaque()),
    }
}

fn start(choice: u32, index: u8, kind: BlockKind) -> Event {
    Event::BlockStart {
        choice,
        index: u32::from(index % 4),
        kind,
    }
}
