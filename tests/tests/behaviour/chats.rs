//! A question and its answer.

use crate::{
    house::Cell,
    provider::Speech,
    said::{Question, Said, Stop, Tokens},
};

const WORDS: &[&str] = &["Hel", "lo ", "wörld €", "😀"];

fn question() -> Question {
    Question {
        system: Some("Be brief."),
        ..Question::new("Say hello, wörld 😀")
    }
}

fn is_greeting(cell: &Cell<'_>, said: &Said) {
    assert_eq!(said.text, "Hello wörld €😀", "{cell}");
    assert_eq!(said.stop, Some(Stop::End), "{cell}");
    assert_eq!(
        (said.thought().as_str(), said.calls.len()),
        ("", 0),
        "{cell}"
    );
    let sent = cell.sent().to_string();
    for told in ["Be brief.", "Say hello, wörld 😀"] {
        assert!(sent.contains(told), "{cell}: {sent}");
    }
}

pub(crate) async fn whole(cell: &Cell<'_>) {
    cell.says(Speech::text(WORDS));
    let said = cell.ask(&question()).await;
    is_greeting(cell, &said);
    let tokens = Tokens {
        input: 12,
        cached: 8,
        output: 3,
    };
    assert_eq!(said.tokens, Some(tokens), "{cell}");
}

pub(crate) async fn streamed(cell: &Cell<'_>) {
    cell.says(Speech::text(WORDS));
    for counted in [true, false] {
        let question = Question {
            streamed: true,
            counted,
            ..question()
        };
        let said = cell.ask(&question).await;
        is_greeting(cell, &said);
        // Whether there is usage at all is the reader's to check.
        let tokens = Tokens {
            input: 12,
            cached: 8,
            output: 3,
        };
        assert!(
            said.tokens.is_none_or(|told| told == tokens),
            "{cell}: {:?}",
            said.tokens
        );
        assert!(said.tokens.is_some() || !counted, "{cell}");
    }
}

pub(crate) async fn usage(cell: &Cell<'_>) {
    for (input, cached, output) in [(40, 0, 9), (100, 60, 9), (7, 7, 1)] {
        cell.says(Speech::text(&["Hi"]).tokens(input, cached, output));
        for streamed in [false, true] {
            let said = cell
                .ask(&Question {
                    streamed,
                    ..question()
                })
                .await;
            let tokens = Tokens {
                input,
                cached,
                output,
            };
            assert_eq!(said.tokens, Some(tokens), "{cell}, streamed: {streamed}");
        }
    }
}
