//! Thoughts: shown where the provider shows them, and back where it wants them again.

use aisix_tests::upstream::Flavour;
use serde_json::{Value, json};

use crate::{
    house::Cell,
    provider::{SIGNATURE, Speech, Thoughts},
    said::{Question, Said},
};

/// What the caller must see of a thought.
fn visible(cell: &Cell<'_>) -> &'static str {
    match cell.provider.thoughts {
        Thoughts::Hidden | Thoughts::HiddenOnCalls => "",
        Thoughts::Shown | Thoughts::Signed | Thoughts::OnCalls => "Let me think.",
    }
}

pub(crate) async fn shown(cell: &Cell<'_>) {
    cell.says(Speech::text(&["It is ", "4"]).thinking(&["Let me ", "think."]));
    for streamed in [false, true] {
        let question = Question {
            streamed,
            thinks: true,
            ..Question::new("2 + 2?")
        };
        let said = cell.ask(&question).await;
        assert_eq!(said.text, "It is 4", "{cell}, streamed: {streamed}");
        assert_eq!(
            said.thought(),
            visible(cell),
            "{cell}, streamed: {streamed}"
        );
        asked(cell);
    }
}

/// The provider was told to think, in its own words.
fn asked(cell: &Cell<'_>) {
    let sent = cell.sent();
    let told = match cell.provider.flavour {
        Flavour::Anthropic => &sent["thinking"]["budget_tokens"],
        Flavour::Gemini => &sent["generationConfig"]["thinkingConfig"]["thinkingLevel"],
        _ if !sent["reasoning"].is_null() => &sent["reasoning"]["effort"],
        _ => &sent["reasoning_effort"],
    };
    assert!(!told.is_null(), "{cell}: {sent}");
}

pub(crate) async fn replayed(cell: &Cell<'_>) {
    for streamed in [false, true] {
        let question = Question {
            streamed,
            thinks: true,
            ..Question::new("2 + 2?").with_tools()
        };
        cell.says(
            Speech::calling(&[("time", &["{}"]), ("weather", &["{\"city\":\"Rome\"}"])])
                .thinking(&["Let me ", "think."]),
        );
        let said = cell.ask(&question).await;
        assert_eq!(
            said.thought(),
            visible(cell),
            "{cell}, streamed: {streamed}"
        );
        assert_eq!(said.calls.len(), 2, "{cell}, streamed: {streamed}");

        cell.says(Speech::text(&["4"]));
        let next = question.and_results(&said);
        assert_eq!(
            cell.ask(&next).await.text,
            "4",
            "{cell}, streamed: {streamed}"
        );
        is_back(cell, &said);
    }
}

/// What the provider must have got again of what it thought.
fn is_back(cell: &Cell<'_>, said: &Said) {
    let sent = cell.sent();
    let caller = cell.caller.name();
    // That of a thought stands beside it in these dialects.
    let carries_signatures = caller != "chat";
    match cell.provider.flavour {
        Flavour::Anthropic => {
            let first = &sent["messages"][1]["content"][0];
            if carries_signatures {
                let thought = json!({"type": "thinking", "thinking": "Let me think.", "signature": SIGNATURE});
                assert_eq!(*first, thought, "{cell}");
                asked(cell);
            } else {
                // The others cannot carry the signature, and Anthropic thinks on only with it.
                assert_eq!(first["type"], "tool_use", "{cell}: {sent}");
                assert_eq!(sent["thinking"], Value::Null, "{cell}: {sent}");
            }
        }
        Flavour::Gemini => {
            let calls = sent["contents"][1]["parts"].as_array().expect("parts");
            let first = calls.iter().find(|part| part.get("functionCall").is_some());
            let signature = &first.expect("a call")["thoughtSignature"];
            assert_eq!(signature, SIGNATURE, "{cell}: {sent}");
        }
        Flavour::GeminiFront => {
            let call = &sent["messages"][1]["tool_calls"][0];
            let signature = &call["extra_content"]["google"]["thought_signature"];
            assert_eq!(signature, SIGNATURE, "{cell}: {sent}");
        }
        Flavour::DeepSeek => {
            let back = &sent["messages"][1]["reasoning_content"];
            assert_eq!(*back, said.thought(), "{cell}: {sent}");
        }
        // Nothing is wanted back, and what is not known to the provider is not sent by translations.
        Flavour::OpenAi => {}
    }
}
