//! What callers and providers get wrong.

use aisix_tests::upstream::{Flavour, Reply, Script};
use serde_json::json;

use crate::{
    house::{Cell, run},
    provider::{ANTHROPIC, GEMINI, OPENAI, Speech},
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
        if !cell.is_verbatim() && (speaks_openai(cell) || cell.caller.name() == "responses") {
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

/// TCP cuts where it wants, in the middle of characters and of their escapes too.
pub(crate) async fn split(cell: &Cell<'_>) {
    const SAID: &str = "ö€😀👩‍👩‍👧 \u{1F600}";
    let speech = || Speech::text(&["ö€", "😀👩‍👩‍👧 ", "\u{1F600}"]);
    for (size, escaped) in [(1, false), (2, true), (3, false), (5, true), (7, false)] {
        let script = (cell.provider.script)(speech());
        cell.replies(Script::new(move |request| {
            let body = script.reply_to(request).body();
            let body = String::from_utf8(body.to_vec()).expect("the script is text");
            let body = if escaped {
                body.replace('😀', r"\ud83d\uDE00")
            } else {
                body
            };
            Reply::stream("text/event-stream", [body]).split_every(size)
        }));
        let heard = cell.hear(&Question::new("Smile")).await;
        assert_eq!(
            (heard.said.text.as_str(), heard.broken),
            (SAID, None),
            "{cell}, every {size} bytes"
        );
    }
}

/// A history whose calls have arguments that are no object, or none.
#[tokio::test]
async fn odd_arguments_of_a_history_are_an_object_where_one_is_wanted() {
    let table = [
        ("", json!({})),
        ("{}", json!({})),
        ("{\"a\": Par", json!({"arguments": "{\"a\": Par"})),
        ("[1]", json!({"arguments": "[1]"})),
    ];
    for provider in [&ANTHROPIC, &GEMINI] {
        run(provider, async |cell| {
            if cell.caller.name() != "chat" {
                return;
            }
            cell.says(Speech::text(&["Noon"]));
            for (arguments, wanted) in &table {
                let call = json!({"id": "call_0", "type": "function", "function": {"name": "time", "arguments": arguments}});
                let mut body = cell.caller.body(&of(vec![model(&["call_0"]), result("call_0")]));
                body["messages"][1]["tool_calls"] = json!([call]);
                let response = cell.client().post("/v1/chat/completions", &body).await;
                assert_eq!(response.status, 200, "{cell}: {arguments}");
                let sent = cell.sent();
                let place = match cell.provider.flavour {
                    Flavour::Gemini => "/contents/1/parts/0/functionCall/args",
                    _ => "/messages/1/content/0/input",
                };
                assert_eq!(sent.pointer(place), Some(wanted), "{cell}: {sent}");
            }
        })
        .await;
    }
}

/// Twenty megabytes, which some send.
#[tokio::test]
async fn a_huge_picture_arrives_whole() {
    let picture = "iVBORw0K".to_owned() + &"A".repeat(20 * 1024 * 1024 - 8);
    for provider in [&ANTHROPIC, &OPENAI] {
        run(provider, async |cell| {
            // Once translated and once as it is: builds for tests take their time.
            if cell.caller.name() != "chat" {
                return;
            }
            cell.says(Speech::text(&["Big"]));
            let mut question = Question::new("");
            question.turns = vec![Turn::User(vec![Piece::Picture(
                "image/png",
                picture.clone(),
            )])];
            assert_eq!(cell.ask(&question).await.text, "Big", "{cell}");
            let sent = cell.exchange().request;
            let body = std::str::from_utf8(&sent.body).expect("JSON is text");
            assert!(body.contains(&picture), "{cell}: the picture is not whole");
        })
        .await;
    }
}

#[tokio::test]
async fn an_item_of_an_unknown_type_is_refused_by_its_place() {
    run(&ANTHROPIC, async |cell| {
        if cell.caller.name() != "responses" {
            return;
        }
        let mut body = cell.caller.body(&Question::new("hi"));
        let input = body["input"].as_array_mut().expect("items");
        input.push(json!({"type": "never_heard_of", "id": "x_1"}));
        let response = cell.client().post("/v1/responses", &body).await;
        assert_eq!(response.status, 400, "{cell}");
        let answer = response.json().await;
        assert_eq!(answer["error"]["param"], "input[1]", "{cell}: {answer}");
    })
    .await;
}
