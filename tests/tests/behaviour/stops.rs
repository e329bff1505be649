//! Why answers end.

use aisix_tests::upstream::{Answer, Candidate, Flavour, Output, Script};

use crate::{
    house::Cell,
    provider::Speech,
    said::{Question, Stop},
};

pub(crate) async fn reasons(cell: &Cell<'_>) {
    for stop in [Stop::End, Stop::Length, Stop::Filtered] {
        cell.says(Speech::text(&["Once ", "upon"]).stop(stop));
        for streamed in [false, true] {
            let said = cell
                .ask(&Question {
                    streamed,
                    ..Question::new("Tell a story")
                })
                .await;
            assert_eq!(said.stop, Some(stop), "{cell}, streamed: {streamed}");
            assert_eq!(said.text, "Once upon", "{cell}, streamed: {streamed}");
        }
    }
}

/// The model, or who guards it, does not want to answer.
pub(crate) async fn declined(cell: &Cell<'_>) {
    // In words of its own, or by looking at nothing.
    let (script, words): (Script, _) = match cell.provider.flavour {
        Flavour::Gemini => (Candidate::blocked("PROHIBITED_CONTENT").into(), ""),
        Flavour::Anthropic => (
            (cell.provider.script)(Speech::text(&["I can", "not"]).stop(Stop::Filtered)),
            "I cannot",
        ),
        _ if cell.is_verbatim() && cell.caller.name() == "responses" => {
            (Output::refusing(&["I can", "not"]).into(), "I cannot")
        }
        _ => (
            Answer::text::<&str>([]).refusing(&["I can", "not"]).into(),
            "I cannot",
        ),
    };
    cell.replies(script);
    for streamed in [false, true] {
        let said = cell
            .ask(&Question {
                streamed,
                ..Question::new("Do harm")
            })
            .await;
        assert_eq!(
            said.text + &said.refusal,
            words,
            "{cell}, streamed: {streamed}"
        );
        let wanted = match cell.provider.flavour {
            Flavour::Gemini | Flavour::Anthropic => Stop::Filtered,
            // OpenAI ends a refusal like any answer, and Gemini has no word for it; Anthropic has.
            _ if cell.caller.name() == "messages" => Stop::Filtered,
            _ => Stop::End,
        };
        assert_eq!(said.stop, Some(wanted), "{cell}, streamed: {streamed}");
    }
}
