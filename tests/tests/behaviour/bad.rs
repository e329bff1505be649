//! What callers and providers get wrong.

use aisix_tests::upstream::{Flavour, Script};
use serde_json::json;

use crate::{
    house::Cell,
    provider::Speech,
    said::{Call, Piece, Question, Said, Turn, named},
};

fn call(id: &str) -> Call {
    Call {
        id: id.to_owned(),
        name: "time".to_owned(),
        arguments: json!({}),
        signature: None,
    }
}

fn result(id: &str) -> Turn {
    Turn::Results(vec![(call(id), "noon".to_owned())])
}

fn model(calls: &[&str]) -> Turn {
    let calls = calls.iter().map(|id| call(id)).collect();
    Turn::Model(Said {
        calls,
        ..Said::default()
    })
}

fn of(turns: Vec<Turn>) -> Question {
    let mut question = Question::new("What time is it?").with_tools();
    question.turns.extend(turns);
    question
}

/// Results without calls are refused, by the gateway or by the provider.
pub(crate) async fn results_alone(cell: &Cell<'_>) {
    cell.says(Speech::text(&["Noon"]));
    let other = vec![model(&["call_0"]), result("call_1")];
    let twice = vec![model(&["call_0"]), result("call_0"), result("call_0")];
    for turns in [vec![result("call_0")], other, twice] {
        let refused = cell.refused(&of(turns.clone())).await;
        assert_eq!(refused.status, 400, "{cell}: {turns:?}: {:?}", refused.told);
    }
}

/// Calls without results are refused too, but for callers whose clients may lose them.
pub(crate) async fn calls_alone(cell: &Cell<'_>) {
    cell.says(Speech::text(&["Noon"]));
    let half = vec![model(&["call_0", "call_1"]), result("call_0")];
    for turns in [vec![model(&["call_0"])], half] {
        let question = of(turns.clone());
        if translated(cell) && (speaks_openai(cell) || cell.caller.name() == "responses") {
            // An interrupted loop goes on: the model is told that there is no result.
            assert_eq!(cell.ask(&question).await.text, "Noon", "{cell}");
            let sent = cell.sent().to_string();
            assert!(sent.contains("no result"), "{cell}: {sent}");
            continue;
        }
        let refused = cell.refused(&question).await;
        assert_eq!(refused.status, 400, "{cell}: {turns:?}: {:?}", refused.told);
    }
}

fn speaks_openai(cell: &Cell<'_>) -> bool {
    !matches!(cell.provider.flavour, Flavour::Anthropic | Flavour::Gemini)
}

/// Whether what the caller says is not what the provider is told.
fn translated(cell: &Cell<'_>) -> bool {
    match cell.provider.flavour {
        Flavour::Anthropic => cell.caller.name() != "messages",
        Flavour::Gemini => cell.caller.name() != "gemini",
        _ => cell.caller.name() != "chat",
    }
}

/// A turn without words.
pub(crate) async fn empty(cell: &Cell<'_>) {
    cell.says(Speech::text(&["Noon"]));
    for pieces in [vec![], vec![Piece::Text(String::new())]] {
        let mut question = Question::new("");
        question.turns = vec![Turn::User(pieces)];
        let response = cell.send(&question).await;
        let status = response.status.as_u16();
        let answer = response.json().await;
        let fine = match status {
            200 => cell.caller.whole(&answer).map(|said| said.text == "Noon"),
            _ => cell.caller.refusal(status, &answer).map(|_| status == 400),
        };
        assert_eq!(fine, Ok(true), "{cell}: {status}, {answer}");
    }
}

/// A tool that takes nothing may be called with nothing.
pub(crate) async fn no_arguments(cell: &Cell<'_>) {
    cell.says(Speech::calling(&[("time", &["{}"])]));
    for streamed in [false, true] {
        let question = Question {
            streamed,
            ..of(Vec::new())
        };
        let said = cell.ask(&question).await;
        assert_eq!(named(&said.calls), [("time", &json!({}))], "{cell}");
    }
}

/// TCP cuts where it wants, in the middle of characters too.
pub(crate) async fn split(cell: &Cell<'_>) {
    let said = "ö€😀👩‍👩‍👧 \u{1F600}";
    for size in [1, 2, 3, 7] {
        let script = (cell.provider.script)(Speech::text(&["ö€", "😀👩‍👩‍👧 ", "\u{1F600}"]));
        cell.replies(Script::new(move |request| {
            script.reply_to(request).split_every(size)
        }));
        let heard = cell.hear(&Question::new("Smile")).await;
        assert_eq!(
            (heard.said.text.as_str(), heard.broken),
            (said, None),
            "{cell}, every {size} bytes"
        );
    }
}
